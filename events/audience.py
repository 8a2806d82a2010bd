"""Turn a condition into SQL: one compiler for triggers, branches and goals, parameters only.

The result is a Django expression for ``QuerySet.filter``. ``Scope`` says where, in that queryset, the person's
traits, the properties at hand and the moment in question are found; asking about the past is a matter of ``as_of``.

An event whose timestamp lies ahead of its arrival, because the sender's clock is wrong or it means something to come,
counts as having happened when it arrived.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from django.db.models import BooleanField, Exists, F, Func, JSONField, OuterRef, Q, QuerySet, TextField, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Least

from events.conditions import AllOf, AnyOf, Belongs, Compare, Node, Not, Performed
from events.models import Event, Membership


class Reading(Enum):
    """How to take a trait that is missing: as what it is, or as one that may yet come.

    ``POSSIBLE`` asks what could be true if every missing trait were there, ``CERTAIN`` what is true whatever they may
    turn out to be. What is present is asked as it is in either.
    """

    PLAIN = "plain"
    POSSIBLE = "possible"
    CERTAIN = "certain"


OPPOSITE = {
    Reading.PLAIN: Reading.PLAIN,
    Reading.POSSIBLE: Reading.CERTAIN,
    Reading.CERTAIN: Reading.POSSIBLE,
}


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a queryset keeps what a condition speaks of: field look-ups such as ``profile__traits``.

    ``as_of`` is an instant, or None for that of the event at hand: then the queryset is one of events.
    """

    profile_id: str
    traits: str
    properties: str | None
    as_of: datetime | None


EVENTS = Scope(profile_id="profile_id", traits="profile__traits", properties="properties", as_of=None)


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


def compile_condition(node: Node, scope: Scope, reading: Reading = Reading.PLAIN) -> Q:
    """Return ``node`` as a filter for a queryset described by ``scope``."""
    match node:
        case AllOf(parts):
            return Q(*(compile_condition(part, scope, reading) for part in parts))
        case AnyOf(parts):
            return Q(*(compile_condition(part, scope, reading) for part in parts), _connector=Q.OR)
        case Not(part):
            return ~Q(compile_condition(part, scope, OPPOSITE[reading]))
        case Performed():
            return Q(Exists(_performed(node, scope)))
        case Belongs():
            return _belongs(node, scope, reading)
        case Compare():
            return _compare(node, scope, reading)


def _performed(node: Performed, scope: Scope) -> QuerySet[Event]:
    moment: Any = Value(scope.as_of) if scope.as_of else OuterRef("timestamp")
    arrival: Any = moment if scope.as_of else Least(OuterRef("timestamp"), OuterRef("received_at"))
    found = Event.objects.filter(profile_id=OuterRef(scope.profile_id), name=node.event, type=Event.Type.TRACK)
    # Of two events in one batch the timestamps say which came first, be they right or wrong.
    found = found.filter(Q(timestamp__lte=moment) | Q(received_at__lt=arrival))
    if node.within is not None:
        since = arrival - Value(node.within)
        found = found.filter(timestamp__gt=since, received_at__gt=since)
    if node.where is not None:
        found = found.filter(compile_condition(node.where, EVENTS))
    return found


def _belongs(node: Belongs, scope: Scope, reading: Reading) -> Q:
    """Somebody without any group of the type may yet turn out to belong to one."""
    groups = Membership.objects.filter(profile_id=OuterRef(scope.profile_id), group__type=node.type)
    fitting = groups
    if node.compare is not None:
        inner = Scope(profile_id="profile_id", traits="group__traits", properties=None, as_of=scope.as_of)
        fitting = groups.filter(_compare(node.compare, inner, reading))
    found = Q(Exists(fitting))
    return found | ~Q(Exists(groups)) if reading is Reading.POSSIBLE else found


def _compare(node: Compare, scope: Scope, reading: Reading) -> Q:
    column = scope.traits if node.subject == "trait" else scope.properties
    if column is None:  # no event at hand: what is missing is not equal
        return Q(Value(node.operator == "is_not", BooleanField()))
    value = JsonAt(column, node.path)
    found = _test(node, value)
    if node.subject != "trait" or reading is Reading.PLAIN:
        return found
    return found | ~_there(value) if reading is Reading.POSSIBLE else found & _there(value)


def _there(value: JsonAt) -> Q:
    return Q(Holds(value, "strict $ ? (@ != null)", None))


def _test(node: Compare, value: JsonAt) -> Q:
    match node.operator:
        case "is":
            return Q(Equals(value, Value(node.value, JSONField())))
        case "is_not":
            return ~Q(Equals(value, Value(node.value, JSONField())))
        case "in":
            return Q(*(Q(Equals(value, Value(item, JSONField()))) for item in node.value), _connector=Q.OR)
        case "exists":
            return _there(value) if node.value else ~_there(value)
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
