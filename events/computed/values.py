"""A computed trait's value as SQL: the same events as conditions mean, reckoned for each person of a queryset."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import (
    Avg,
    Count,
    DateTimeField,
    DecimalField,
    F,
    Func,
    JSONField,
    Max,
    Min,
    QuerySet,
    Subquery,
    Sum,
    TextField,
    Value,
)
from django.db.models.functions import Cast, Greatest, Least, NullIf

from events.audience import compile_condition
from events.audience.history import HAPPENED, in_window, of_person
from events.audience.lapsing import next_leaving
from events.audience.scope import Scope
from events.audience.values import JsonAt, Number, there
from events.computed.definitions import Definition
from events.models import ComputedTrait, Event

Function = ComputedTrait.Function
Found = QuerySet[Event]
# Beyond this no double reaches, so no sum goes further.
LARGEST = Decimal("1e308")


class Json(Func):
    function = "to_jsonb"
    output_field = JSONField()


class Trimmed(Func):
    function = "trim_scale"
    output_field = DecimalField()


class FirstOf(Func):
    template = "(%(expressions)s)[1]"


class InUtc(Func):
    """An instant as conditions and templates read it."""

    template = """to_jsonb(to_char(%(expressions)s AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))"""
    output_field = JSONField()


def value_of(definition: Definition, scope: Scope) -> Any:
    """Return the value, JSON as text, for each person of ``scope``'s queryset; NULL where there is none."""
    found = of_person(in_window(definition.past, scope, compile_condition), scope)
    return Cast(_FUNCTIONS[definition.function](found, definition), TextField())


def changes_at(definition: Definition, scope: Scope) -> Any:
    """Return the first instant after ``scope``'s moment at which time alone may change the value; NULL for never."""
    last_only = definition.function in (Function.LAST, Function.LAST_TIME)
    also = there(JsonAt("properties", definition.paths[0])) if definition.paths else None
    return next_leaving(definition.past, scope, newest=last_only, also=also)


def _key(definition: Definition) -> JsonAt:
    return JsonAt("properties", definition.paths[0])


def _shown(definition: Definition) -> Any:
    """Return the value itself, or an object of all properties."""
    if len(definition.paths) == 1:
        return _key(definition)
    pairs: list[Any] = []
    for name, path in zip(definition.names, definition.paths, strict=True):
        pairs += [Value(name, TextField()), JsonAt("properties", path)]
    return Func(*pairs, function="jsonb_build_object", output_field=JSONField())


def _reckoned(result: Any) -> Callable[[Found, Definition], Any]:
    """Return a function for what one aggregate over a person's events gives."""

    def reckon(found: Found, definition: Definition) -> Any:
        grouped = found.values("profile_id").annotate(result=result(definition))
        return Subquery(grouped.values("result"))

    return reckon


def _number(aggregate: Any) -> Callable[[Found, Definition], Any]:
    def result(definition: Definition) -> Any:
        reckoned = aggregate(Number("properties", definition.paths[0]))
        # LEAST and GREATEST would make a number of nothing: the sum of no numbers is none.
        bounded = Func(
            reckoned,
            Least(Greatest(reckoned, Value(-LARGEST)), Value(LARGEST)),
            template="CASE WHEN %(expressions)s END",
            arg_joiner=" IS NOT NULL THEN ",
            output_field=DecimalField(),
        )
        return Json(Trimmed(bounded))

    return _reckoned(result)


def _value_at_edge(*order: Any) -> Callable[[Found, Definition], Any]:
    def reckon(found: Found, definition: Definition) -> Any:
        valued = found.filter(there(_key(definition))).annotate(shown=_shown(definition))
        return Subquery(valued.order_by(*order).values("shown")[:1])

    return reckon


NEWEST_FIRST = (HAPPENED.desc(), F("pk").desc())


def _by_value(found: Found, definition: Definition) -> Any:
    """Return one row for each different value: how many events had it, and what the newest of them shows."""
    return (
        found.filter(there(_key(definition)))
        .annotate(key=_key(definition))
        .values("key")
        .annotate(
            number=Count("pk"),
            at=Max(HAPPENED),
            newest=FirstOf(ArrayAgg("pk", order_by=NEWEST_FIRST), output_field=DecimalField()),
            shown=FirstOf(ArrayAgg(_shown(definition), order_by=NEWEST_FIRST), output_field=JSONField()),
        )
    )


def _most_frequent(found: Found, definition: Definition) -> Any:
    """Of values that are equally frequent, the one that came last."""
    return Subquery(_by_value(found, definition).order_by("-number", "-at", "-newest").values("shown")[:1])


def _last_values(found: Found, definition: Definition) -> Any:
    newest = _by_value(found, definition).order_by("-at", "-newest").values("shown")[: definition.number]
    return NullIf(Json(ArraySubquery(newest)), Value([], JSONField()))


def _distinct(found: Found, definition: Definition) -> Any:
    return _count_of(Count(_key(definition), distinct=True))(found.filter(there(_key(definition))), definition)


def _count_of(count: Count) -> Callable[[Found, Definition], Any]:
    return _reckoned(lambda definition: Json(count))


def _time(edge: Any) -> Callable[[Found, Definition], Any]:
    return _reckoned(lambda definition: InUtc(edge(HAPPENED, output_field=DateTimeField())))


_FUNCTIONS: dict[str, Callable[[Found, Definition], Any]] = {
    Function.COUNT: _count_of(Count("pk")),
    Function.SUM: _number(Sum),
    Function.MIN: _number(Min),
    Function.MAX: _number(Max),
    Function.AVERAGE: _number(Avg),
    Function.FIRST: _value_at_edge(HAPPENED.asc(), F("pk").asc()),
    Function.LAST: _value_at_edge(*NEWEST_FIRST),
    Function.MOST_FREQUENT: _most_frequent,
    Function.LAST_VALUES: _last_values,
    Function.DISTINCT: _distinct,
    Function.FIRST_TIME: _time(Min),
    Function.LAST_TIME: _time(Max),
}
