"""Turn a condition into SQL: one compiler for triggers, branches and goals, parameters only.

The result is a Django expression for ``QuerySet.filter``. ``Scope`` says where, in that queryset, the person's
traits, the properties at hand and the moment in question are found; asking about the past is a matter of ``as_of``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import BooleanField, Exists, F, Func, JSONField, OuterRef, Q, TextField, Value
from django.db.models.expressions import Combinable

from events.conditions import AllOf, AnyOf, Compare, Node, Not, Performed
from events.models import Event


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a queryset keeps what a condition speaks of: field look-ups such as ``profile__traits``.

    ``as_of`` is an instant, or the name of a date-time field of the queryset.
    """

    profile_id: str
    traits: str
    properties: str | None
    as_of: datetime | str


EVENTS = Scope(profile_id="profile_id", traits="profile__traits", properties="properties", as_of="timestamp")


class JsonAt(Func):
    """The JSON value at a path, SQL NULL where there is none."""

    function = "jsonb_extract_path"
    output_field = JSONField()

    def __init__(self, column: str, path: tuple[str, ...]) -> None:
        super().__init__(F(column), *(Value(key, TextField()) for key in path))


class JsonTest(Func):
    """A test of a JSON value against a parameter; false, never NULL and never an error, whatever the types."""

    output_field = BooleanField()
    arity = 2


class Equals(JsonTest):
    template = "(%(expressions)s)"
    arg_joiner = " IS NOT DISTINCT FROM "


class Holds(JsonTest):
    """Ask a JSON path predicate; ``$v`` is the parameter. A wrong type makes it false."""

    template = "COALESCE(jsonb_path_exists(%(expressions)s), false)"

    def __init__(self, value: JsonAt, predicate: str, parameter: Any) -> None:
        path = Func(Value(predicate), template="%(expressions)s::jsonpath", output_field=TextField())
        variables = Func(path, Value({"v": parameter}, JSONField()), template="%(expressions)s")
        super().__init__(value, variables)


class ListHas(JsonTest):
    template = "COALESCE(%(expressions)s, false)"
    arg_joiner = " @> "


class TextHas(JsonTest):
    """The text contains the parameter; the argument is unpacked only where it is a text."""

    template = "COALESCE(strpos(%(expressions)s) > 0, false)"


ORDERINGS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def compile_condition(node: Node, scope: Scope) -> Q:
    """Return ``node`` as a filter for a queryset described by ``scope``."""
    match node:
        case AllOf(parts):
            return Q(*(compile_condition(part, scope) for part in parts))
        case AnyOf(parts):
            return Q(*(compile_condition(part, scope) for part in parts), _connector=Q.OR)
        case Not(part):
            return ~Q(compile_condition(part, scope))
        case Performed():
            return Q(Exists(_performed(node, scope)))
        case Compare():
            return _compare(node, scope)


def _performed(node: Performed, scope: Scope) -> Any:
    moment: Any = OuterRef(scope.as_of) if isinstance(scope.as_of, str) else Value(scope.as_of)
    found = Event.objects.filter(
        profile_id=OuterRef(scope.profile_id), name=node.event, type=Event.Type.TRACK, timestamp__lte=moment
    )
    if node.within is not None:
        found = found.filter(timestamp__gt=moment - Value(node.within))
    if node.where is not None:
        found = found.filter(compile_condition(node.where, EVENTS))
    return found


def _compare(node: Compare, scope: Scope) -> Q:
    column = scope.traits if node.subject == "trait" else scope.properties
    if column is None:  # no event at hand: what is missing is not equal
        return Q(Value(node.operator == "is_not", BooleanField()))
    value = JsonAt(column, node.path)
    match node.operator:
        case "is":
            return Q(Equals(value, Value(node.value, JSONField())))
        case "is_not":
            return ~Q(Equals(value, Value(node.value, JSONField())))
        case "in":
            return Q(*(Q(Equals(value, Value(item, JSONField()))) for item in node.value), _connector=Q.OR)
        case "exists":
            there = Q(Holds(value, "strict $ ? (@ != null)", None))
            return there if node.value else ~there
        case "starts":
            return Q(Holds(value, "strict $ ? (@ starts with $v)", node.value))
        case "contains":
            return _contains(value, node.value)
        case operator:
            return Q(Holds(value, f"strict $ ? (@ {ORDERINGS[operator]} $v)", node.value))


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
