"""Why does a person meet a condition, or not? Every part's verdict, what was seen there, and which parts decide.

There is no second evaluator: each part is compiled as it is where it stands, and all are asked in one statement, about
one person or one event at hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import BooleanField, ExpressionWrapper, QuerySet

from events.audience.compiler import compile_condition
from events.audience.scope import EVENTS, Scope, profiles
from events.audience.seeing import Found, Look, look
from events.conditions.nodes import AllOf, AnyOf
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
    looks = [None if parts(place) else look(place.node, scope) for place in found]
    row: Mapping[str, Any] | None = (
        asked.annotate(**dict(_expressions(found, looks, scope))).values(*_names(looks)).first()
    )
    if row is None:
        return None
    verdicts = {place.path: bool(row[f"part_{index}"]) for index, place in enumerate(found)}
    tipping = set(_deciding(found[0], verdicts))
    return Explanation(
        verdicts[""],
        tuple(
            Part(
                place.path,
                say(place.node),
                verdicts[place.path],
                _seen(index, one, row, verdicts[place.path], now) if one else "",
                place.path in tipping,
            )
            for index, (place, one) in enumerate(zip(found, looks, strict=True))
        ),
    )


def _expressions(found: list[Place], looks: list[Look | None], scope: Scope) -> Iterator[tuple[str, Any]]:
    for index, (place, one) in enumerate(zip(found, looks, strict=True)):
        yield f"part_{index}", ExpressionWrapper(compile_condition(place.node, scope), BooleanField())
        for name, expression in one.expressions.items() if one else ():
            yield f"seen_{index}_{name}", expression


def _names(looks: list[Look | None]) -> Iterator[str]:
    for index, one in enumerate(looks):
        yield f"part_{index}"
        yield from (f"seen_{index}_{name}" for name in (one.expressions if one else ()))


def _seen(index: int, one: Look, row: Mapping[str, Any], matches: bool, now: datetime) -> str:
    values = {name: row[f"seen_{index}_{name}"] for name in one.expressions}
    return one.words(Found(values, matches, now))


def _deciding(place: Place, verdicts: Mapping[str, bool]) -> Iterator[str]:
    """Yield the paths of what tips ``place``: of a false "all" the false parts, of a true "any" the true ones."""
    yield place.path
    matches = verdicts[place.path]
    for part in parts(place):
        some = (isinstance(place.node, AllOf) and not matches) or (isinstance(place.node, AnyOf) and matches)
        if not some or verdicts[part.path] == matches:
            yield from _deciding(part, verdicts)
