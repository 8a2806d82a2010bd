"""Conditions evaluated in Python, slowly and literally: what the compiler to SQL is held against.

Written from ``docs/conditions.md``, one paragraph a function, over plain lists; nothing here is shared with the
compiler but the parsed tree.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence as Many
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from events.conditions import (
    AllOf,
    AnyOf,
    Compare,
    Count,
    Edge,
    Node,
    Not,
    Performed,
    Sequence,
    Total,
    What,
)

MISSING = object()


@dataclass(frozen=True)
class Happening:
    """One event; ``number`` is its place in the log."""

    number: int
    type: str
    name: str
    properties: dict[str, Any]
    timestamp: datetime
    received_at: datetime

    @property
    def happened(self) -> tuple[datetime, int]:
        return min(self.timestamp, self.received_at), self.number


@dataclass(frozen=True)
class Somebody:
    traits: dict[str, Any]
    zone: str = "UTC"
    past: Many[Happening] = field(default=())


def holds(node: Node, person: Somebody, now: datetime, properties: dict[str, Any] | None = None) -> bool:
    match node:
        case AllOf(parts):
            return all(holds(part, person, now, properties) for part in parts)
        case AnyOf(parts):
            return any(holds(part, person, now, properties) for part in parts)
        case Not(part):
            return not holds(part, person, now, properties)
        case Compare("trait"):
            return compare(node, person.traits, person, now)
        case Compare("property"):
            return compare(node, properties or {}, person, now) if properties is not None else node.operator == "is_not"
        case Performed():
            return performed(node, person, now)
        case Sequence():
            return sequence(node, person, now)
    raise NotImplementedError(node)


def look_up(values: Any, path: Many[str]) -> Any:
    for key in path:
        if isinstance(values, list) and re.fullmatch(r"-?\d+", key):
            index = int(key)
            if -len(values) <= index < len(values):
                values = values[index]
                continue
            return MISSING
        if not isinstance(values, dict) or key not in values:
            return MISSING
        values = values[key]
    return values


def same_json(left: Any, right: Any) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    numbers = isinstance(left, int | float), isinstance(right, int | float)
    return left == right if numbers in ((True, True), (False, False)) and type_of(left) == type_of(right) else False


def type_of(value: Any) -> str:
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def ordered(left: Any, operator: str, right: Any) -> bool:
    return {
        "is": left == right,
        "is_not": left != right,
        "gt": left > right,
        "gte": left >= right,
        "lt": left < right,
        "lte": left <= right,
    }[operator]


def compare(node: Compare, values: dict[str, Any], person: Somebody, now: datetime) -> bool:
    value, wanted = look_up(values, node.path), node.value
    match node.operator:
        case "is":
            return value is not MISSING and same_json(value, wanted)
        case "is_not":
            return not (value is not MISSING and same_json(value, wanted))
        case "in":
            return value is not MISSING and any(same_json(value, each) for each in wanted)
        case "exists":
            return (value is not MISSING and value is not None) is wanted
        case "starts":
            return isinstance(value, str) and value.startswith(wanted)
        case "contains":
            if isinstance(value, list):
                return any(same_json(each, wanted) for each in value)
            return isinstance(value, str) and isinstance(wanted, str) and wanted in value
        case "before" | "after" | "within_last" | "within_next":
            at = instant(value, person.zone)
            return at is not None and in_time(at, node.operator, wanted, person.zone, now)
        case operator:
            return type_of(value) == "number" and ordered(value, operator, wanted)


def instant(value: Any, zone: str) -> datetime | None:
    if type_of(value) == "number":
        return datetime.fromtimestamp(value if abs(value) < 1e11 else value / 1000, UTC)
    if not isinstance(value, str) or not re.match(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d|$)", value):
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone))


def moment(value: datetime | timedelta, zone: str, now: datetime) -> datetime:
    if isinstance(value, timedelta):
        return now + value
    return value if value.tzinfo else value.replace(tzinfo=ZoneInfo(zone))


def in_time(at: datetime, operator: str, wanted: Any, zone: str, now: datetime) -> bool:
    match operator:
        case "before":
            return at < moment(wanted, zone, now)
        case "after":
            return at > moment(wanted, zone, now)
        case "within_last":
            return now - wanted < at <= now
        case _:
            return now < at <= now + wanted


def fitting(what: What, person: Somebody, now: datetime, since: datetime | timedelta | None = None) -> list[Happening]:
    """Return the events that are meant, in the order in which they happened."""
    found = [
        event
        for event in person.past
        if (event.type, event.name) == (what.type, what.event)
        and event.happened[0] <= now
        and (what.where is None or holds(what.where, person, now, event.properties))
    ]
    if isinstance(since, timedelta):
        found = [event for event in found if event.happened[0] > now + since]
    elif since is not None:
        found = [event for event in found if event.happened[0] >= moment(since, person.zone, now)]
    return sorted(found, key=lambda event: event.happened)


def alike(one: Happening, other: Happening, path: Many[str] | None) -> bool:
    if path is None:
        return True
    left, right = look_up(one.properties, path), look_up(other.properties, path)
    return left is not MISSING and left is not None and right is not MISSING and same_json(left, right)


def performed(node: Performed, person: Somebody, now: datetime) -> bool:
    found = fitting(node.what, person, now, node.since)
    if node.then_not is not None:
        then = node.then_not
        others = fitting(then.what, person, now)
        return any(
            one.happened[0] + then.within <= now
            and not any(
                other.happened > one.happened
                and other.happened[0] <= one.happened[0] + then.within
                and alike(one, other, then.same)
                for other in others
            )
            for one in found
        )
    match node.measure:
        case Count(operator, number):
            return ordered(len(found), operator, number)
        case Total():
            return total(node.measure, found)
        case Edge(which, operator, wanted):
            at = found[0 if which == "first" else -1].happened[0] if found else None
            return at is not None and in_time(at, operator, wanted, person.zone, now)
    return bool(found)


def total(node: Total, found: list[Happening]) -> bool:
    values = [look_up(event.properties, node.path) for event in found]
    numbers = [value for value in values if type_of(value) == "number"]
    if not numbers and node.function != "sum":
        return node.operator == "is_not"
    reckon: dict[str, Any] = {"sum": sum, "min": min, "max": max, "avg": lambda of: sum(of) / len(of)}
    return ordered(reckon[node.function](numbers), node.operator, node.number)


def sequence(node: Sequence, person: Somebody, now: datetime) -> bool:
    first = fitting(node.steps[0], person, now, node.since)
    later = [fitting(step, person, now) for step in node.steps[1:]]
    for run in itertools.product(first, *later):
        in_order = all(one.happened < other.happened for one, other in itertools.pairwise(run))
        quick = node.within is None or run[-1].happened[0] <= run[0].happened[0] + node.within
        if in_order and quick and all(alike(one, other, node.same) for one, other in itertools.pairwise(run)):
            return True
    return False
