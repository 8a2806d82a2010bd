"""Tests of JSON values against parameters: false, never NULL and never an error, whatever the types."""

from __future__ import annotations

from typing import Any

from django.db.models import (
    BooleanField,
    DateTimeField,
    DecimalField,
    F,
    Func,
    JSONField,
    Q,
    TextField,
    Value,
)
from django.db.models.expressions import Combinable

from events.audience.scope import Scope
from events.conditions.nodes import Compare

ORDERINGS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


class JsonAt(Func):
    """The JSON value at a path, SQL NULL where there is none."""

    function = "jsonb_extract_path"
    output_field = JSONField()

    def __init__(self, column: str | F, path: tuple[str, ...]) -> None:
        place = F(column) if isinstance(column, str) else column
        super().__init__(place, *(Value(key, TextField()) for key in path))


class Test(Func):
    output_field = BooleanField()
    arity = 2


class Equals(Test):
    template = "(%(expressions)s)"
    arg_joiner = " IS NOT DISTINCT FROM "


class Holds(Test):
    """Ask a JSON path predicate; ``$v`` is the parameter. A wrong type makes it false."""

    template = "COALESCE(jsonb_path_exists(%(expressions)s), false)"

    def __init__(self, value: Combinable, predicate: str, parameter: Any) -> None:
        path = Func(Value(predicate), template="%(expressions)s::jsonpath", output_field=TextField())
        variables = Func(path, Value({"v": parameter}, JSONField()), template="%(expressions)s")
        super().__init__(value, variables)


class ListHas(Test):
    template = "COALESCE(%(expressions)s, false)"
    arg_joiner = " @> "


class TextHas(Test):
    """The text contains the parameter; the argument is unpacked only where it is a text."""

    template = "COALESCE(strpos(%(expressions)s) > 0, false)"


class Ordered(Test):
    """Compare two values of the database by ``operator``; false where one is missing."""

    template = "COALESCE(%(expressions)s, false)"

    def __init__(self, left: Any, operator: str, right: Any) -> None:
        super().__init__(left, right)
        self.arg_joiner = f" {operator} "


class Instant(Func):
    """The instant that a JSON value means, NULL where it means none: see the SQL function's migration."""

    function = "events_instant"
    output_field = DateTimeField()
    arity = 2


class Number(Func):
    """The number that a JSON value is, NULL for everything else."""

    template = "(jsonb_path_query_first(%(expressions)s)::numeric)"
    output_field = DecimalField()

    def __init__(self, column: str, path: tuple[str, ...]) -> None:
        only = Func(
            Value('strict $ ? (@.type() == "number")'), template="%(expressions)s::jsonpath", output_field=TextField()
        )
        super().__init__(JsonAt(column, path), only)


def there(value: Combinable) -> Q:
    """Return whether there is a value at all; null is none."""
    return Q(Holds(value, "strict $ ? (@ != null)", None))


def meets(node: Compare, value: JsonAt, scope: Scope) -> Q:
    """Return whether ``value`` meets the comparison."""
    match node.operator:
        case "is":
            return Q(Equals(value, Value(node.value, JSONField())))
        case "is_not":
            return ~Q(Equals(value, Value(node.value, JSONField())))
        case "in":
            return Q(*(Q(Equals(value, Value(item, JSONField()))) for item in node.value), _connector=Q.OR)
        case "exists":
            return there(value) if node.value else ~there(value)
        case "starts":
            return Q(Holds(value, "strict $ ? (@ starts with $v)", node.value))
        case "contains":
            return _contains(value, node.value)
        case "before" | "after" | "within_last" | "within_next":
            return in_time(Instant(value, scope.zone_name), node.operator, node.value, scope)
        case operator:
            return Q(Holds(value, f"strict $ ? (@ {ORDERINGS[operator]} $v)", node.value))


def in_time(at: Any, operator: str, value: Any, scope: Scope) -> Q:
    """Return whether the instant ``at`` lies as wanted from ``value``, a moment, or a span next to the moment."""
    match operator:
        case "before":
            return Q(Ordered(at, "<", scope.at(value)))
        case "after":
            return Q(Ordered(at, ">", scope.at(value)))
        case "within_last":
            return Q(Ordered(at, ">", scope.at(-value))) & Q(Ordered(at, "<=", scope.arrival))
        case _:
            return Q(Ordered(at, ">", scope.arrival)) & Q(Ordered(at, "<=", scope.at(value)))


def _contains(value: JsonAt, wanted: Any) -> Q:
    in_list = Q(ListHas(value, Value(wanted, JSONField())))
    if not isinstance(wanted, str):
        return in_list
    text: Combinable = Func(
        value,
        template="CASE jsonb_typeof(%(expressions)s) WHEN 'string' THEN 1 END",
        output_field=TextField(),
    )
    unpacked = Func(
        value, Value("{}"), template="(%(expressions)s::text[])", arg_joiner=" #>> ", output_field=TextField()
    )
    return in_list | (Q(Equals(text, Value(1))) & Q(TextHas(unpacked, Value(wanted))))
