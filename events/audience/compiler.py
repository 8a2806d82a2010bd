"""From a condition to a Django expression for ``QuerySet.filter``.

``Scope`` says where, in that queryset, the person's traits, the properties at hand and the moment in question are
found; asking about the past is a matter of ``as_of``.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum

from django.db.models import BooleanField, Exists, OuterRef, Q, Value

from events.audience import foreign, history
from events.audience.scope import Scope
from events.audience.values import JsonAt, meets, there
from events.conditions.nodes import AllOf, AnyOf, Belongs, Compare, Foreign, Node, Not, Performed, Sequence
from events.models import Membership


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


def compile_condition(node: Node, scope: Scope, reading: Reading = Reading.PLAIN) -> Q:
    """Return ``node`` as a filter for a queryset described by ``scope``."""
    match node:
        case AllOf(parts):
            return Q(*(compile_condition(part, scope, reading) for part in parts))
        case AnyOf(parts):
            return Q(*(compile_condition(part, scope, reading) for part in parts), _connector=Q.OR)
        case Not(part):
            return ~Q(compile_condition(part, scope, OPPOSITE[reading]))
        case Compare():
            return _compare(node, scope, reading)
        case Belongs():
            return _belongs(node, scope, reading)
        case Performed():
            return history.performed(node, scope, where)
        case Sequence():
            return history.sequence(node, scope, where)
        case Foreign():
            return foreign.answer(node, scope)


def where(node: Node, scope: Scope) -> Q:
    """Return ``node`` as a filter for events of the past, whose scope it is given."""
    return compile_condition(node, scope)


def _belongs(node: Belongs, scope: Scope, reading: Reading) -> Q:
    """Somebody without any group of the type may yet turn out to belong to one."""
    groups = Membership.objects.filter(profile_id=OuterRef(scope.profile_id), group__type=node.type)
    fitting = groups
    if node.compare is not None:
        inner = replace(scope.inner(), traits="group__traits", properties=None)
        fitting = groups.filter(_compare(node.compare, inner, reading))
    found = Q(Exists(fitting))
    return found | ~Q(Exists(groups)) if reading is Reading.POSSIBLE else found


def _compare(node: Compare, scope: Scope, reading: Reading) -> Q:
    column = scope.traits if node.subject == "trait" else scope.properties
    if column is None:  # no event at hand: what is missing is not equal
        return Q(Value(node.operator == "is_not", BooleanField()))
    value = JsonAt(column, node.path)
    found = meets(node, value, scope)
    if node.subject != "trait" or reading is Reading.PLAIN:
        return found
    return found | ~there(value) if reading is Reading.POSSIBLE else found & there(value)
