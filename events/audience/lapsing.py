"""When can time alone change what a condition says of somebody? The other half of live membership.

``next_change`` is an expression for the first instant after ``as_of`` at which the answer may differ though nothing
new is heard of the person: an event leaves its window, a date comes near. It may name an instant at which nothing
changes after all; it never passes over one at which something does.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db.models import DateTimeField, Func, Min, Q, Subquery, Value
from django.db.models.functions import Least

from events.audience.compiler import where
from events.audience.history import EDGES, HAPPENED, in_window, of_person
from events.audience.scope import Scope
from events.audience.values import Instant, JsonAt, Ordered
from events.conditions.nodes import (
    AllOf,
    AnyOf,
    Belongs,
    Compare,
    Count,
    Edge,
    Node,
    Not,
    Performed,
    Sequence,
    walk,
    whats,
)

# Dates of groups and of events' properties are looked at again this often: they are many, and their turns are rare.
LOOK_AGAIN = timedelta(hours=1)


class After(Func):
    """The instant, NULL where it is not after ``now``."""

    function = "NULLIF"
    output_field = DateTimeField()

    def __init__(self, instant: Any, now: Any) -> None:
        super().__init__(Func(instant, now, function="GREATEST", output_field=DateTimeField()), now)


def next_change(node: Node, scope: Scope) -> Any:
    """Return the expression for ``scope``'s queryset; NULL means never."""
    return _first_of(list(_turns(node, scope)), scope)


def _first_of(found: list[Any], scope: Scope) -> Any:
    assert scope.as_of is not None
    instants = [After(instant, scope.arrival) for instant in found]
    if not instants:
        return Value(None, DateTimeField())
    return Least(*instants) if len(instants) > 1 else instants[0]


def next_leaving(node: Performed, scope: Scope, *, newest: bool = False, also: Q | None = None) -> Any:
    """Return the expression for the first instant at which an event may no longer be one that ``node`` speaks of.

    Only those that meet ``also`` matter, and with ``newest`` only the last of them. NULL means never.
    """
    instants = list(_of_properties(node, scope))
    if window := _window(node):
        first = _newest(node, 1, scope, also) if newest else _oldest(node, scope, also)
        instants.append(first + Value(window))
    return _first_of(instants, scope)


def _turns(node: Node, scope: Scope) -> Iterator[Any]:
    match node:
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from _turns(part, scope)
        case Not(part):
            yield from _turns(part, scope)
        case Compare("trait"):
            yield from _of_date(Instant(JsonAt(scope.traits, node.path), scope.zone_name), node.operator, node.value)
        case Belongs(compare=Compare() as compare) if _is_relative(compare):
            yield _soon(scope)
        case Performed():
            yield from _of_history(node, scope)
            yield from _of_properties(node, scope)
        case Sequence():
            if _window(node):
                yield _oldest(node, scope) + Value(_window(node))
            yield from _of_properties(node, scope)
        case _:
            return


def _of_date(at: Any, operator: str, value: Any) -> Iterator[Any]:
    """Yield when a date begins or ceases to compare as wanted."""
    match operator:
        case "within_last":
            yield at
            yield at + Value(value)
        case "within_next":
            yield at - Value(value)
            yield at
        case "before" if isinstance(value, timedelta):
            # Strictly before, so it holds from the next moment on that can be told apart.
            yield at - Value(value - timedelta(microseconds=1))
        case "after" if isinstance(value, timedelta):
            yield at - Value(value)


def _of_history(node: Performed, scope: Scope) -> Iterator[Any]:
    window = _window(node)
    if window:
        match node.measure:
            case None if node.then_not is None:
                yield _newest(node, 1, scope) + Value(window)
            case Count(operator, number):
                for place in _places(operator, number):
                    yield _newest(node, place, scope) + Value(window)
            case _:
                yield _oldest(node, scope) + Value(window)
    if isinstance(node.measure, Edge):
        edge = node.measure
        grouped = of_person(in_window(node, scope, where), scope).values("profile_id")
        at = Subquery(grouped.annotate(at=EDGES[edge.which](HAPPENED)).values("at"))
        yield from _of_date(at, edge.operator, edge.value)
    if node.then_not is not None:
        # The first of them whose time is not over yet.
        within = Value(node.then_not.within)
        open_ = Q(Ordered(HAPPENED, ">", scope.inner().arrival - within))
        yield _oldest(node, scope, open_) + within


def _of_properties(node: Performed | Sequence, scope: Scope) -> Iterator[Any]:
    """Dates in the events' properties may turn at any time."""
    wheres = [what.where for what in whats(node) if what.where is not None]
    if any(isinstance(part, Compare) and _is_relative(part) for where in wheres for part in walk(where)):
        yield _soon(scope)


def _window(node: Performed | Sequence) -> timedelta | None:
    """Return how long an event stays in the node's window, None where it never leaves."""
    return -node.since if isinstance(node.since, timedelta) else None


def _places(operator: str, number: int) -> set[int]:
    """Return which events, counted from the newest, turn the comparison of their number when they leave."""
    places = {"gte": {number}, "lt": {number}, "gt": {number + 1}, "lte": {number + 1}}
    return places.get(operator, {number, number + 1}) - {0}


def _newest(node: Performed, place: int, scope: Scope, also: Q | None = None) -> Subquery:
    mine = of_person(in_window(node, scope, where), scope).annotate(at=HAPPENED).order_by("-at")
    if also is not None:
        mine = mine.filter(also)
    return Subquery(mine.values("at")[place - 1 : place])


def _oldest(node: Performed | Sequence, scope: Scope, also: Q | None = None) -> Subquery:
    found = of_person(in_window(node, scope, where), scope)
    if also is not None:
        found = found.filter(also)
    return Subquery(found.values("profile_id").annotate(at=Min(HAPPENED)).values("at"))


def _is_relative(compare: Compare) -> bool:
    return compare.operator in ("within_last", "within_next") or isinstance(compare.value, timedelta)


def _soon(scope: Scope) -> Any:
    assert scope.as_of is not None
    return scope.at(LOOK_AGAIN)
