"""The meaning of conditions, asked of a real PostgreSQL: the table is the definition."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from events.audience import EVENTS, Scope, compile_condition
from events.conditions import parse
from events.models import Event, Profile

pytestmark = pytest.mark.django_db

TRAITS: dict[str, Any] = {
    "plan": "pro",
    "seats": 30,
    "price": 30.5,
    "text": "30",
    "yes": True,
    "nothing": None,
    "tags": ["a", "b"],
    "numbers": [1, 2],
    "address": {"city": "Graz"},
    "odd.key": "dotted",
    "quote'; --": "Bobby",
}


@pytest.fixture
def person() -> Profile:
    person = Profile.objects.create(user_id="ada", traits=TRAITS)
    for days, total in ((1, 20), (10, 50)):
        Event.objects.create(
            profile=person,
            type=Event.Type.TRACK,
            name="Order Completed",
            properties={"total": total},
            timestamp=timezone.now() - timedelta(days=days),
        )
    return person


def matches(tree: dict[str, Any], **scope: Any) -> bool:
    place = Scope(**{"profile_id": "id", "traits": "traits", "properties": None, "as_of": timezone.now(), **scope})
    return Profile.objects.filter(compile_condition(parse(tree), place)).exists()


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ({"trait": "plan", "is": "pro"}, True),
        ({"trait": "plan", "is": "Pro"}, False),
        ({"trait": "plan", "is_not": "pro"}, False),
        ({"trait": "seats", "is": 30}, True),
        ({"trait": "seats", "is": 30.0}, True),
        ({"trait": "seats", "is": "30"}, False),
        ({"trait": "text", "is": 30}, False),
        ({"trait": "yes", "is": True}, True),
        ({"trait": "yes", "is": 1}, False),
        ({"trait": "missing", "is": "pro"}, False),
        ({"trait": "missing", "is_not": "pro"}, True),
        ({"trait": "nothing", "is": "pro"}, False),
        ({"trait": "nothing", "exists": True}, False),
        ({"trait": "nothing", "exists": False}, True),
        ({"trait": "missing", "exists": False}, True),
        ({"trait": "plan", "exists": True}, True),
        ({"trait": "address", "exists": True}, True),
        ({"trait": "seats", "gt": 29}, True),
        ({"trait": "seats", "gt": 30}, False),
        ({"trait": "seats", "gte": 30}, True),
        ({"trait": "price", "lt": 30.51}, True),
        ({"trait": "price", "lte": 30.5}, True),
        ({"trait": "text", "gt": 29}, False),
        ({"trait": "text", "lt": 31}, False),
        ({"trait": "numbers", "gt": 0}, False),
        ({"trait": "missing", "lt": 5}, False),
        ({"trait": "plan", "contains": "ro"}, True),
        ({"trait": "plan", "contains": "%"}, False),
        ({"trait": "tags", "contains": "a"}, True),
        ({"trait": "tags", "contains": "c"}, False),
        ({"trait": "numbers", "contains": 2}, True),
        ({"trait": "seats", "contains": "3"}, False),
        ({"trait": "missing", "contains": "a"}, False),
        ({"trait": "plan", "starts": "pr"}, True),
        ({"trait": "seats", "starts": "3"}, False),
        ({"trait": "plan", "in": ["free", "pro"]}, True),
        ({"trait": "seats", "in": ["30", 31]}, False),
        ({"trait": "address.city", "is": "Graz"}, True),
        ({"trait": ["odd.key"], "is": "dotted"}, True),
        ({"trait": "odd.key", "is": "dotted"}, False),
        ({"trait": ["quote'; --"], "is": "Bobby"}, True),
        ({"property": "total", "is": 20}, False),
        ({"property": "total", "is_not": 20}, True),
        ({"property": "total", "exists": False}, False),
        ({"event": "Order Completed"}, True),
        ({"event": "Order Completed", "within": "2d"}, True),
        ({"event": "Order Completed", "within": "12h"}, False),
        ({"event": "Order Completed", "where": {"property": "total", "gt": 40}}, True),
        ({"event": "Order Completed", "where": {"property": "total", "gt": 40}, "within": "2d"}, False),
        ({"not": {"event": "Order Refunded"}}, True),
        ({"not": {"trait": "missing", "is": "x"}}, True),
        ({"all": [{"trait": "plan", "is": "pro"}, {"trait": "seats", "gt": 100}]}, False),
        ({"any": [{"trait": "plan", "is": "free"}, {"trait": "seats", "gt": 10}]}, True),
        ({"not": {"any": [{"trait": "plan", "is": "free"}, {"trait": "seats", "gt": 10}]}}, False),
    ],
)
def test_a_condition_means_what_the_table_says(person: Profile, tree: dict[str, Any], expected: bool) -> None:
    assert matches(tree) is expected
    assert matches({"not": tree}) is not expected, "nothing is neither true nor false"


def test_the_past_can_be_asked_about(person: Profile) -> None:
    tree = {"event": "Order Completed", "where": {"property": "total", "is": 20}}
    assert matches(tree, as_of=timezone.now())
    assert not matches(tree, as_of=timezone.now() - timedelta(days=2))


def test_the_event_at_hand_is_seen_with_its_person(person: Profile) -> None:
    tree = {"all": [{"property": "total", "gt": 30}, {"trait": "plan", "is": "pro"}]}
    found = Event.objects.filter(compile_condition(parse(tree), EVENTS))
    assert [event.properties["total"] for event in found] == [50]


def test_history_is_asked_as_of_the_event_at_hand(person: Profile) -> None:
    """The older order has none before it within the week; the newer one neither, nor does it see itself excluded."""
    tree = {"event": "Order Completed", "within": "10d", "where": {"property": "total", "is": 50}}
    found = Event.objects.filter(compile_condition(parse(tree), EVENTS))
    assert sorted(event.properties["total"] for event in found) == [20, 50]
