"""Until the instant that ``next_change`` names, time alone changes nothing: against the slow reference."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from events.audience import profiles
from events.audience.lapsing import LOOK_AGAIN, next_change
from events.conditions import parse
from events.models import Event, Profile
from tests.events.reference import Somebody, holds
from tests.events.test_audience_reference import NOW, against_the_reference, happened_by, store, trees

pytestmark = pytest.mark.django_db

MOMENT = timedelta(microseconds=1)
LATER = [timedelta(minutes=1), timedelta(hours=30), timedelta(days=20), timedelta(days=400)]


def turn(tree: dict[str, Any], pk: int) -> datetime | None:
    found: datetime | None = Profile.objects.annotate(turn=next_change(parse(tree), profiles(NOW))).get(pk=pk).turn
    return found


@against_the_reference(trees, 40)
def test_nothing_changes_before_the_named_instant(persons: list[Any], wanted: list[dict[str, Any]]) -> None:
    for person in persons:
        pk, somebody = store(*happened_by(NOW, *person))
        for tree in wanted:
            check(tree, pk, somebody)


def check(tree: dict[str, Any], pk: int, somebody: Somebody) -> None:
    node, at = parse(tree), turn(tree, pk)
    instants = [NOW + step for step in LATER] if at is None else [NOW + (at - NOW) / 2, at - MOMENT]
    for instant in instants:
        assert holds(node, somebody, instant) is holds(node, somebody, NOW), (tree, at, instant)


def orders(*days: float) -> int:
    person = Profile.objects.create()
    Event.objects.bulk_create(
        Event(
            profile=person,
            type="track",
            name="Order",
            timestamp=NOW - timedelta(days=ago),
            received_at=NOW - timedelta(days=ago),
        )
        for ago in days
    )
    return person.pk


@pytest.mark.parametrize(
    ("tree", "days"),
    [
        ({"event": "Order", "within": "30d"}, 25),
        ({"not": {"event": "Order", "within": "30d"}}, 25),
        ({"event": "Order", "within": "30d", "count": {"gte": 2}}, 20),
        ({"event": "Order", "within": "30d", "count": {"gte": 4}}, None),
        ({"event": "Order", "within": "30d", "count": {"lt": 3}}, 10),
        ({"event": "Order", "within": "30d", "sum": {"property": "x", "gt": 1}}, 10),
        ({"event": "Order"}, None),
        ({"event": "Order", "since": "2026-01-01"}, None),
        ({"event": "Order", "last": {"before": "-7d"}}, 2),
        ({"event": "Order", "then_not": {"event": "Order", "within": "8d"}}, 3),
        ({"any": [{"event": "Order"}, {"event": "Order", "within": "6d"}]}, 1),
    ],
)
def test_the_instant_is_that_at_which_something_happens(tree: dict[str, Any], days: int | None) -> None:
    """Orders 5, 10 and 20 days ago; the next change is so many days ahead."""
    at = turn(tree, orders(5, 10, 20))
    assert at is None if days is None else at is not None and abs(at - NOW - timedelta(days=days)) <= MOMENT


def test_what_no_index_can_tell_is_looked_at_again() -> None:
    tree = {"event": "Order", "where": {"property": "delivery", "within_next": "1d"}}
    assert turn(tree, orders(1)) == NOW + LOOK_AGAIN
