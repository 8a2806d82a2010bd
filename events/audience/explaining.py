"""Why does a person meet a condition, or not? Every part's verdict, what was seen there, and which parts decide.

There is no second evaluator: whatever asks something is compiled as it is where it stands, and all are asked in one
statement, about one person or one event at hand. Only "all", "any" and "not" of what the database has answered are put
together here, as compiling them would compile everything below them once more for each level.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import BooleanField, ExpressionWrapper, QuerySet

from events.audience.compiler import compile_condition
from events.audience.scope import EVENTS, Scope, profiles
from events.audience.seeing import Found, Look, look
from events.conditions.nodes import AllOf, AnyOf, Not
from events.conditions.places import Place, parts, places
from events.conditions.words import say
from events.models import Event, Profile


@dataclass(frozen=True, slots=True)
class Part:
    """One node: where it stands ("" is the root), what it says, and whether that holds.

    ``seen`` says what was found, for a part that joins no others. ``decides``: the part is one of those that tip the
    whole; were all the deciding ones that join no others the other way round, so would the whole be, and no other
    part can change that it is as it is.
    """

    path: str
    sentence: str
    matches: bool
    seen: str
    decides: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """``parts`` are in the tree's order, each before what is below it; the first is the whole."""

    matches: bool
    parts: tuple[Part, ...]


def of_person(tree: Any, profile_id: int, as_of: datetime) -> Explanation | None:
    """Explain ``tree`` about a person as of an instant; None for nobody. One statement. Raises ConditionError."""
    return _explain(tree, Profile.objects.filter(pk=profile_id), profiles(as_of), as_of)


def of_event(tree: Any, event: Event) -> Explanation | None:
    """Explain ``tree`` about ``event`` as its trigger saw it, and its person; None when it is no longer in the log.

    One statement. Raises ConditionError.
    """
    asked = Event.objects.filter(pk=event.pk, timestamp=event.timestamp)
    return _explain(tree, asked, EVENTS, min(event.timestamp, event.received_at))


def _explain(tree: Any, asked: QuerySet[Any], scope: Scope, now: datetime) -> Explanation | None:
    found = [place for place in places(tree) if place.what is None]
    looks = {
        place.path: (f"part_{index}", look(place.node, scope)) for index, place in enumerate(found) if _asks(place)
    }
    expressions = dict(_expressions(found, looks, scope))
    row: Mapping[str, Any] | None = asked.annotate(**expressions).values(*expressions).first()
    if row is None:
        return None
    verdicts = {path: bool(row[name]) for path, (name, _) in looks.items()}
    matches = _join(found[0], verdicts)
    seen = {path: _seen(name, one, row, verdicts[path], now) for path, (name, one) in looks.items()}
    tipping = set(_deciding(found[0], verdicts))
    return Explanation(
        matches,
        tuple(
            Part(place.path, say(place.node), verdicts[place.path], seen.get(place.path, ""), place.path in tipping)
            for place in found
        ),
    )


def _asks(place: Place) -> bool:
    """Say whether the part asks something rather than join others."""
    return not parts(place)


def _expressions(
    found: Sequence[Place], looks: Mapping[str, tuple[str, Look]], scope: Scope
) -> Iterator[tuple[str, Any]]:
    for place in found:
        if place.path in looks:
            name, one = looks[place.path]
            yield name, ExpressionWrapper(compile_condition(place.node, scope), BooleanField())
            yield from ((f"{name}_{seen}", expression) for seen, expression in one.expressions.items())


def _seen(name: str, one: Look, row: Mapping[str, Any], matches: bool, now: datetime) -> str:
    return one.words(Found({seen: row[f"{name}_{seen}"] for seen in one.expressions}, matches, now))


def _join(place: Place, verdicts: dict[str, bool]) -> bool:
    """Return the verdict of ``place``, and note those of all that join others."""
    below = [_join(part, verdicts) for part in parts(place)]
    match place.node:
        case AllOf() if below:
            verdicts[place.path] = all(below)
        case AnyOf() if below:
            verdicts[place.path] = any(below)
        case Not() if below:
            verdicts[place.path] = not below[0]
    return verdicts[place.path]


def _deciding(place: Place, verdicts: Mapping[str, bool]) -> Iterator[str]:
    """Yield the paths of what tips ``place``: of a false "all" the false parts, of a true "any" the true ones."""
    yield place.path
    matches = verdicts[place.path]
    for part in parts(place):
        some = (isinstance(place.node, AllOf) and not matches) or (isinstance(place.node, AnyOf) and matches)
        if not some or verdicts[part.path] == matches:
            yield from _deciding(part, verdicts)
