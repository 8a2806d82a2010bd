"""What a leaf of a condition found, as expressions beside its verdict, and the words for what they return.

The events looked at are those of the compiler (``history``), so that what is shown is what was judged.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import BooleanField, Count, ExpressionWrapper, Max, Min, OuterRef, Subquery, TextField
from django.db.models.functions import Cast, JSONObject

from events.audience import history
from events.audience.compiler import compile_condition, where
from events.audience.history import FUNCTIONS, HAPPENED
from events.audience.scope import Scope
from events.audience.values import Instant, JsonAt, Number
from events.conditions import seen, words
from events.conditions.nodes import (
    AllOf,
    AnyOf,
    Belongs,
    Compare,
    Edge,
    Foreign,
    Node,
    Not,
    Performed,
    Sequence,
    Total,
    What,
)
from events.conditions.reading import DATED, ORDERINGS
from events.models import Membership

GROUPS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Found:
    """``values`` are what the ``expressions`` returned, ``matches`` is the verdict, ``now`` the moment asked about."""

    values: Mapping[str, Any]
    matches: bool
    now: datetime


@dataclass(frozen=True, slots=True)
class Look:
    """Expressions for the queryset of a scope, and the words for what they find; "" where nothing can be said."""

    expressions: Mapping[str, Any]
    words: Callable[[Found], str]


_foreign: dict[str, Callable[[Any, Scope], Look]] = {}


def teach(key: str, look: Callable[[Any, Scope], Look]) -> None:
    """Let ``look`` find what is to be shown beside another room's questions; called by its ``AppConfig.ready``."""
    _foreign[key] = look


def look(node: Node, scope: Scope) -> Look:
    """Return what is to be shown beside ``node``."""
    match node:
        case Compare():
            return _compare(node, scope)
        case Belongs():
            return _belongs(node, scope)
        case Performed():
            return _performed(node, scope)
        case Sequence():
            return _sequence(node, scope)
        case Foreign(key, question):
            return _foreign[key](question, scope) if key in _foreign else Look({}, lambda found: "")
        case Not(part):
            return look(part, scope)
        case AllOf(parts) | AnyOf(parts):
            return _several([look(part, scope) for part in parts])


def _several(looks: list[Look]) -> Look:
    """What another room has read into several parts is shown as one."""
    named = {f"{index}_{name}": each for index, one in enumerate(looks) for name, each in one.expressions.items()}

    def say(found: Found) -> str:
        own = [
            replace(found, values={name: found.values[f"{index}_{name}"] for name in one.expressions})
            for index, one in enumerate(looks)
        ]
        return "; ".join(said for one, values in zip(looks, own, strict=True) if (said := one.words(values)))

    return Look(named, say)


# --- Values ------------------------------------------------------------------------------------------------------


def _compare(node: Compare, scope: Scope) -> Look:
    column = scope.traits if node.subject == "trait" else scope.properties
    if column is None:
        return Look({}, lambda found: "no event at hand")
    at = JsonAt(column, node.path)
    expressions: dict[str, Any] = {"value": _text(at)}
    if node.operator in DATED:
        expressions["at"] = Instant(at, scope.zone_name)
    return Look(expressions, lambda found: _said(node, found.values["value"], found.values.get("at"), found.now))


def _text(at: JsonAt) -> Cast:
    """JSON as text tells what is missing from what is null."""
    return Cast(at, TextField())


def _said(node: Compare, text: str | None, at: datetime | None, now: datetime) -> str:
    if text is None:
        return f"no such {node.subject}"
    value = json.loads(text)
    said = seen.value(value)
    if node.operator in DATED and value is not None:
        return f"{said}, {seen.distance(at, now) if at else 'which is no date'}"
    if node.operator in ORDERINGS and value is not None and seen.kind(value) != "a number":
        return f"{said}, {seen.kind(value)} and no number"
    return said


def _belongs(node: Belongs, scope: Scope) -> Look:
    groups: Any = Membership.objects.filter(profile_id=OuterRef(scope.profile_id), group__type=node.type)
    compare = node.compare
    value = _text(JsonAt("group__traits", compare.path)) if compare else Cast("group__key", TextField())
    shown = groups.order_by("-updated_at").values(
        each=JSONObject(key="group__key", name=_text(JsonAt("group__traits", ("name",))), value=value)
    )
    number = groups.order_by().values("profile_id").annotate(number=Count("pk")).values("number")

    def say(found: Found) -> str:
        rows = found.values["groups"]
        if not rows:
            return f"no {node.type}"
        said = [
            f"{_name(row)}: {_said(compare, row['value'], None, found.now)}" if compare else _name(row) for row in rows
        ]
        more = found.values["number"] - len(rows)
        return ("; " if compare else ", ").join(said) + (f" and {more:,} more" if more > 0 else "")

    return Look({"groups": ArraySubquery(shown[:GROUPS_SHOWN]), "number": Subquery(number)}, say)


def _name(row: Mapping[str, Any]) -> str:
    name = json.loads(row["name"]) if row["name"] else None
    return name if isinstance(name, str) and name else str(row["key"])


# --- The past ----------------------------------------------------------------------------------------------------


def _performed(node: Performed, scope: Scope) -> Look:
    measure = node.measure
    total = FUNCTIONS[measure.function](Number("properties", measure.path)) if isinstance(measure, Total) else None
    expressions = {"meant": _summary(history.meant(node, scope, where), scope, total)}
    narrow = node.what.where is not None or node.since is not None or node.then_not is not None
    if narrow:
        anything = Performed(What(node.what.event, None, node.what.type))
        expressions["any"] = _summary(history.meant(anything, scope, where), scope)
    return Look(expressions, lambda found: _past(node, found))


def _summary(events: Any, scope: Scope, total: Any = None) -> Subquery:
    """Return number, first and last of the person's events as one JSON object; NULL where there are none."""
    extra = {} if total is None else {"total": total}
    grouped = history.of_person(events, scope).values("profile_id")
    summed = JSONObject(number=Count("pk"), first=Min(HAPPENED), last=Max(HAPPENED), **extra)
    return Subquery(grouped.annotate(summary=summed).values("summary"))


def _past(node: Performed, found: Found) -> str:
    meant, now = found.values["meant"], found.now
    if meant is None:
        return _nothing(node, found)
    match node.measure:
        case Total(function):
            total = (
                "no number" if meant["total"] is None else f"{words.FUNCTIONS[function]} {seen.value(meant['total'])}"
            )
            return f"{total} of {seen.times(meant['number'])}, last {seen.distance(_moment(meant['last']), now)}"
        case Edge(which):
            return f"{which} {seen.distance(_moment(meant[which]), now)}"
    last = seen.distance(_moment(meant["last"]), now)
    return f"once, {last}" if meant["number"] == 1 else f"{seen.times(meant['number'])}, last {last}"


def _nothing(node: Performed, found: Found) -> str:
    """Nothing is what the node means; tell what comes nearest to it."""
    other = found.values.get("any")
    if other is None:
        return "never"
    last = seen.distance(_moment(other["last"]), found.now)
    if node.what.where is None and node.then_not is None:
        return f"not in that time, last {last}"
    return f"never so; {seen.times(other['number'])} otherwise, last {last}"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _sequence(node: Sequence, scope: Scope) -> Look:
    """Ask the compiler for the beginnings of the sequence as well."""
    begun: dict[str, Any] = {}
    for length in range(1, len(node.steps)):
        part: Node = Performed(node.steps[0], node.since) if length == 1 else replace(node, steps=node.steps[:length])
        begun[f"first_{length}"] = ExpressionWrapper(compile_condition(part, scope), BooleanField())

    def say(found: Found) -> str:
        if found.matches:
            return f"all {len(node.steps)} steps"
        done = max((length for length in range(1, len(node.steps)) if found.values[f"first_{length}"]), default=0)
        return f"only the first {done} of {len(node.steps)} steps" if done else "not even the first step"

    return Look(begun, say)
