"""Where a segment is used: nobody may delete it from under those who do. Other rooms register where they look."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from events.models import Segment


@dataclass(frozen=True, slots=True)
class Use:
    """``kind`` and ``name`` say what uses it, ``url`` leads there."""

    kind: str
    name: str
    url: str


_finders: list[Callable[[str], Iterator[Use]]] = []


def register(find: Callable[[str], Iterator[Use]]) -> None:
    """Ask ``find`` as well where the segment with a slug is used."""
    _finders.append(find)


def mentions(tree: Any, slug: str) -> bool:
    """Say whether JSON speaks of a segment: asks for it, or for the news of it in an event's property."""
    if isinstance(tree, list):
        return any(mentions(part, slug) for part in tree)
    if not isinstance(tree, dict):
        return False
    if tree.get("segment") == slug or (tree.get("property") == "segment" and slug in _flat(tree)):
        return True
    return any(mentions(part, slug) for part in tree.values())


def _flat(tree: dict[str, Any]) -> list[Any]:
    return [each for value in tree.values() for each in (value if isinstance(value, list) else [value])]


def uses(segment: Segment) -> list[Use]:
    """Return all that uses ``segment``."""
    others = Segment.objects.exclude(pk=segment.pk).exclude(condition=None).order_by("name")
    found = [
        Use("Segment", other.name, reverse("admin:events_segment_change", args=[other.pk]))
        for other in others
        if mentions(other.condition, segment.slug)
    ]
    return found + [use for find in _finders for use in find(segment.slug)]


def circle(slug: str, condition: Any) -> list[str]:
    """Return the names of segments that lead from ``condition`` back to the segment ``slug``; none as it should be."""
    conditions = {other.slug: other for other in Segment.objects.exclude(condition=None)}
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
