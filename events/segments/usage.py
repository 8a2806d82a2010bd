"""What uses a segment, and what it uses: nobody may delete it from under those who do.

Other rooms register where they look. Segments cannot ask for each other in a circle, so both ways come to an end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from django.urls import reverse

from events.conditions import Compare, ConditionError, Node, Performed, parse, walk
from events.conditions import Sequence as InOrder
from events.conditions.nodes import whats
from events.models import ComputedTrait, EventDefinition, Segment


@dataclass(frozen=True, slots=True)
class Use:
    """``kind`` and ``name`` say what uses a segment, or is used; ``url`` leads there, where there is a page.

    ``places`` say where in it, ``below`` what in turn uses it or is used by it.
    """

    kind: str
    name: str
    url: str
    places: tuple[str, ...] = ()
    below: tuple[Use, ...] = ()


_finders: list[Callable[[str], Iterator[Use]]] = []
_asked: list[Callable[[Any], Iterator[Use]]] = []


def register(find: Callable[[str], Iterator[Use]]) -> None:
    """Ask ``find`` as well where the segment with a slug is used."""
    _finders.append(find)


def register_asked(asked: Callable[[Any], Iterator[Use]]) -> None:
    """Ask ``asked`` as well what of its room a condition names."""
    _asked.append(asked)


def listed(uses: Iterable[Use]) -> str:
    """Say in one line by what something is used, and where in it."""
    return "; ".join(f"{use.kind} “{use.name}”" + (f" ({'; '.join(use.places)})" if use.places else "") for use in uses)


def mentions(tree: Any, slug: str) -> bool:
    """Say whether JSON speaks of a segment: asks for it, or for the news of it in an event's property."""
    if isinstance(tree, list):
        return any(mentions(part, slug) for part in tree)
    if not isinstance(tree, dict):
        return False
    if tree.get("segment") == slug or compares(tree, "segment", slug):
        return True
    return any(mentions(part, slug) for part in tree.values())


def compares(tree: dict[str, Any], name: str, value: str) -> bool:
    """Say whether a part of a condition compares the event's property of a name with a value, or with several."""
    values = [each for said in tree.values() for each in (said if isinstance(said, list) else [said])]
    return tree.get("property") == name and value in values


def uses(segment: Segment) -> list[Use]:
    """Return all that uses ``segment`` itself."""
    return [replace(use, below=()) for use in used_by(segment)]


def used_by(segment: Segment) -> list[Use]:
    """Return all that uses ``segment``, each with what uses that. A few statements for each segment on the way."""
    return _used_by(segment.slug, list(_conditions().values()), {segment.slug})


def _used_by(slug: str, others: Iterable[Segment], seen: set[str]) -> list[Use]:
    found = []
    for other in others:
        if other.slug not in seen and mentions(other.condition, slug):
            below = _used_by(other.slug, others, seen | {other.slug})
            found.append(replace(of_segment(other), below=tuple(below)))
    found += [_of_trait(row) for row in ComputedTrait.objects.order_by("name") if mentions(row.where, slug)]
    return found + [use for find in _finders for use in find(slug)]


def needs(segment: Segment) -> list[Use]:
    """Return what the segment's condition asks for: segments, each with what that one asks for, campaigns, events."""
    every = {other.slug: other for other in Segment.objects.order_by("name")}
    return _needs(segment, list(every.values()), {segment.slug})


def _needs(segment: Segment, every: Iterable[Segment], seen: set[str]) -> list[Use]:
    if segment.condition is None:
        return []
    found = [
        replace(of_segment(other), below=tuple(_needs(other, every, seen | {other.slug})))
        for other in every
        if other.slug not in seen and mentions(segment.condition, other.slug)
    ]
    found += [use for asked in _asked for use in asked(segment.condition)]
    return found + list(_computed(segment.condition)) + list(_events(segment.condition))


def of_segment(segment: Segment) -> Use:
    kind = "List" if segment.kind == Segment.Kind.MANUAL else "Segment"
    return Use(kind, segment.name, reverse("admin:events_segment_change", args=[segment.pk]))


def _of_trait(row: ComputedTrait) -> Use:
    return Use("Computed trait", row.name, reverse("admin:events_computedtrait_change", args=[row.pk]))


def _parts(condition: Any) -> list[Node]:
    """Return all parts of a condition; none of one that can no longer be read."""
    try:
        return list(walk(parse(condition)))
    except ConditionError:
        return []


def _computed(condition: Any) -> Iterator[Use]:
    """Yield the computed traits that a condition asks for."""
    names = {part.path[0] for part in _parts(condition) if isinstance(part, Compare) and part.subject == "trait"}
    yield from map(_of_trait, ComputedTrait.objects.filter(name__in=names).order_by("name"))


def _events(condition: Any) -> Iterator[Use]:
    """Yield the names of events that a condition asks for."""
    parts = [part for part in _parts(condition) if isinstance(part, Performed | InOrder)]
    names = sorted({what.event for part in parts for what in whats(part)})
    pages = dict(EventDefinition.objects.filter(name__in=names).values_list("name", "pk"))
    for name in names:
        url = reverse("admin:events_eventdefinition_change", args=[pages[name]]) if name in pages else ""
        yield Use("Event", name, url)


def _conditions() -> dict[str, Segment]:
    return {other.slug: other for other in Segment.objects.exclude(condition=None).order_by("name")}


def circle(slug: str, condition: Any) -> list[str]:
    """Return the names of segments that lead from ``condition`` back to the segment ``slug``; none as it should be."""
    conditions = _conditions()
    waiting: list[tuple[Any, list[str]]] = [(condition, [])]
    seen: set[str] = set()
    while waiting:
        tree, way = waiting.pop()
        if mentions(tree, slug):
            return [*way, slug]
        for other in conditions.values():
            if other.slug not in seen and other.slug != slug and mentions(tree, other.slug):
                seen.add(other.slug)
                waiting.append((other.condition, [*way, other.name]))
    return []
