"""What somebody did before the moment asked about, as SQL: once, so often, so much, first and last, in order.

An event whose timestamp lies ahead of its arrival, because the sender's clock is wrong or it means something to come,
counts as having happened when it arrived. Each question becomes a queryset of events, and then either one that is
correlated with each candidate, or, where everybody is asked, one that is gone through once.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from operator import eq, ge, gt, le, lt
from typing import Any

from django.db import models
from django.db.models import Avg, Exists, F, Max, Min, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce, Least

from events.audience.scope import Scope, outer
from events.audience.values import ORDERINGS, JsonAt, Number, Ordered, in_time, there
from events.conditions.nodes import Count, Edge, Followed, Moment, Node, Performed, Sequence, Total, What, whats
from events.models import Event

Where = Callable[[Node, Scope], Q]
FUNCTIONS: dict[str, Any] = {"sum": Sum, "min": Min, "max": Max, "avg": Avg}
EDGES: dict[str, Any] = {"first": Min, "last": Max}
COMPARISONS = {"is": "=", **ORDERINGS}
OPPOSITE = {"is": "<>", "gt": "<=", "lte": ">", "gte": "<", "lt": ">="}
IN_PYTHON = {"is": eq, "gt": gt, "gte": ge, "lt": lt, "lte": le}
HAPPENED = Least(F("timestamp"), F("received_at"))


def performed(node: Performed, scope: Scope, where: Where) -> Q:
    """Return whether the person did ``node.what`` as often, as much or when the node says."""
    found = meant(node, scope, where)
    match node.measure:
        case Count(operator, number):
            return _counted(found, operator, number, scope)
        case Total():
            return _reckoned(found, node.measure, scope)
        case Edge():
            return _edge(found, node.measure, scope)
        case _:
            return _any(found, scope)


def meant(node: Performed, scope: Scope, where: Where) -> QuerySet[Event]:
    """Return everybody's events that the node speaks of, without those that something followed that must not."""
    found = in_window(node, scope, where)
    return found if node.then_not is None else _not_followed(found, node.then_not, scope.inner(), where)


def sequence(node: Sequence, scope: Scope, where: Where) -> Q:
    """Return whether the person did the steps one after the other."""
    first = in_window(node, scope, where)
    return _any(first.filter(Exists(_next(node, 1, scope, where))), scope)


def in_window(node: Performed | Sequence, scope: Scope, where: Where) -> QuerySet[Event]:
    """Return everybody's events that the node speaks of, or its first step, since when it says."""
    found = _past(whats(node)[0], scope.inner(), where)
    if scope.everyone:  # may use the index that is for such questions only
        found = found.filter(pk__gt=0)
    return found if node.since is None else _since(found, node.since, scope)


def _next(node: Sequence, level: int, scope: Scope, where: Where) -> QuerySet[Event]:
    """Return the events that may be step ``level``, ``level`` subqueries below the first step."""
    found = _past(node.steps[level], scope.inner(level + 1), where).filter(profile_id=OuterRef("profile_id"))
    found = _later(found)
    if node.within is not None:
        found = found.filter(Q(Ordered(HAPPENED, "<=", _happened(level) + Value(node.within))))
    if node.same is not None:
        found = _alike(found, node.same)
    if level + 1 < len(node.steps):
        found = found.filter(Exists(_next(node, level + 1, scope, where)))
    return found


def _not_followed(found: QuerySet[Event], then: Followed, inner: Scope, where: Where) -> QuerySet[Event]:
    """Leave the events whose time is over by now and after which nothing of the kind came in it."""
    after = _past(then.what, inner.inner(), where).filter(profile_id=OuterRef("profile_id"))
    after = _later(after).filter(Q(Ordered(HAPPENED, "<=", _happened(1) + Value(then.within))))
    if then.same is not None:
        after = _alike(after, then.same)
    over = Q(Ordered(HAPPENED, "<=", inner.arrival - Value(then.within)))
    return found.filter(over, ~Exists(after))


def _past(what: What, scope: Scope, where: Where) -> QuerySet[Event]:
    """Return the events that are meant and had happened by the moment; ``scope`` is theirs."""
    found = Event.objects.filter(name=what.event, type=what.type)
    # Of two events in one batch the timestamps say which came first, be they right or wrong.
    arrived = "received_at__lt" if scope.as_of is None else "received_at__lte"
    found = found.filter(Q(timestamp__lte=scope.moment) | Q(**{arrived: scope.arrival}))
    return found if what.where is None else found.filter(where(what.where, scope))


def _since(found: QuerySet[Event], since: Moment, scope: Scope) -> QuerySet[Event]:
    at = scope.inner().at(since)
    if isinstance(since, datetime):
        return found.filter(timestamp__gte=at, received_at__gte=at)
    return found.filter(timestamp__gt=at, received_at__gt=at)


def _happened(levels: int) -> Least:
    return Least(outer("timestamp", levels), outer("received_at", levels))


def _later(found: QuerySet[Event]) -> QuerySet[Event]:
    """Leave what came after the event one subquery further out; at the same instant the log's order counts."""
    at_once = Q(Ordered(HAPPENED, "=", _happened(1))) & Q(pk__gt=OuterRef("pk"))
    return found.filter(Q(Ordered(HAPPENED, ">", _happened(1))) | at_once)


def _alike(found: QuerySet[Event], path: tuple[str, ...]) -> QuerySet[Event]:
    """Leave what has the same property as the event one subquery further out."""
    own, other = JsonAt("properties", path), JsonAt(OuterRef("properties"), path)
    return found.filter(Q(Ordered(own, "=", other)) & there(own))


def of_person(found: Any, scope: Scope) -> Any:
    return found.filter(profile_id=OuterRef(scope.profile_id))


def _among(found: Any, scope: Scope) -> Q:
    return Q(**{f"{scope.profile_id}__in": found.values("profile_id")})


def _any(found: QuerySet[Event], scope: Scope) -> Q:
    return _among(found, scope) if scope.everyone else Q(Exists(of_person(found, scope)))


def _counted(found: QuerySet[Event], operator: str, number: int, scope: Scope) -> Q:
    match operator:
        case "gte":
            return _at_least(found, number, scope)
        case "gt":
            return _at_least(found, number + 1, scope)
        case "lt":
            return ~_at_least(found, number, scope)
        case "lte":
            return ~_at_least(found, number + 1, scope)
        case "is":
            return _at_least(found, number, scope) & ~_at_least(found, number + 1, scope)
        case _:
            return ~_counted(found, "is", number, scope)


def _at_least(found: QuerySet[Event], number: int, scope: Scope) -> Q:
    if number == 0:
        return Q(Value(True, models.BooleanField()))
    if number == 1:
        return _any(found, scope)
    if scope.everyone:
        counted = found.values("profile_id").annotate(number=models.Count("*")).filter(number__gte=number)
        return _among(counted, scope)
    return Q(Exists(of_person(found, scope)[number - 1 : number]))


def _reckoned(found: QuerySet[Event], total: Total, scope: Scope) -> Q:
    """Compare a total. Where there is no number, a sum is 0 and everything else is missing: equal to nothing."""
    if total.operator == "is_not":
        return ~_reckoned(found, Total(total.function, total.path, "is", total.number), scope)
    result: Any = FUNCTIONS[total.function](Number("properties", total.path))
    if total.function == "sum":
        result = Coalesce(result, Value(0), output_field=models.DecimalField())
    grouped = found.values("profile_id").annotate(result=result)
    wanted = Value(total.number)
    if not scope.everyone:
        own: Any = Subquery(of_person(grouped, scope).values("result"))
        if total.function == "sum":
            own = Coalesce(own, Value(0), output_field=models.DecimalField())
        return Q(Ordered(own, COMPARISONS[total.operator], wanted))
    if total.function == "sum" and IN_PYTHON[total.operator](0, total.number):
        # Who did nothing meets it and is in no group, so ask who does not meet it.
        return ~_among(grouped.filter(Q(Ordered(F("result"), OPPOSITE[total.operator], wanted))), scope)
    return _among(grouped.filter(Q(Ordered(F("result"), COMPARISONS[total.operator], wanted))), scope)


def _edge(found: QuerySet[Event], edge: Edge, scope: Scope) -> Q:
    grouped = found.values("profile_id").annotate(at=EDGES[edge.which](HAPPENED))
    if scope.everyone:
        return _among(grouped.filter(in_time(F("at"), edge.operator, edge.value, scope.inner())), scope)
    return in_time(Subquery(of_person(grouped, scope).values("at")), edge.operator, edge.value, scope)
