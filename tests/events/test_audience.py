"""The meaning of conditions, asked of a real PostgreSQL: the table is the definition."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from events import groups
from events.audience import EVENTS, Reading, compile_condition, profiles
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


def matches(tree: dict[str, Any], as_of: datetime | None = None) -> bool:
    """Ask about somebody in particular and about everybody: the answers have to be the same."""
    as_of = as_of or timezone.now()
    one, all_of_them = (
        Profile.objects.filter(compile_condition(parse(tree), profiles(as_of, everyone=everyone))).exists()
        for everyone in (False, True)
    )
    assert one is all_of_them
    return one


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


GROUPS: list[tuple[dict[str, Any], bool]] = [
    ({"group": "company"}, True),
    ({"group": "team"}, False),
    ({"group": "company", "trait": "plan", "is": "pro"}, True),
    ({"group": "company", "trait": "plan", "is": "free"}, True),
    ({"group": "company", "trait": "plan", "is": "max"}, False),
    ({"group": "team", "trait": "plan", "is": "pro"}, False),
    # At least one of the two is not on it, whatever the other is.
    ({"group": "company", "trait": "plan", "is_not": "pro"}, True),
    ({"group": "team", "trait": "plan", "is_not": "pro"}, False),
    ({"group": "company", "trait": "seats", "gt": 10}, True),
    ({"group": "company", "trait": "seats", "is": "20"}, False),
    ({"group": "company", "trait": "plan", "gt": 1}, False),
    ({"group": "company", "trait": "nothing", "exists": True}, False),
    ({"group": "company", "trait": "missing", "exists": False}, True),
    ({"group": "company", "trait": "missing", "is": "x"}, False),
    ({"group": "company", "trait": "address.city", "is": "Graz"}, True),
    ({"not": {"group": "company", "trait": "plan", "is": "pro"}}, False),
    ({"not": {"group": "team"}}, True),
]


@pytest.mark.parametrize(("tree", "expected"), GROUPS)
def test_a_condition_on_groups_holds_when_one_of_them_meets_it(
    person: Profile, tree: dict[str, Any], expected: bool
) -> None:
    groups.relate(person.pk, "company", "acme", {})
    groups.save_object("company", "acme", {"plan": "pro", "seats": 20, "address": {"city": "Graz"}})
    groups.relate(person.pk, "company", "globex", {})
    groups.save_object("company", "globex", {"plan": "free"})
    groups.save_object("team", "nobody is in it", {"plan": "pro"})
    assert matches(tree) is expected
    assert matches({"not": tree}) is not expected, "nothing is neither true nor false"


@pytest.mark.parametrize(
    ("tree", "possible"),
    [
        ({"trait": "plan", "is": "pro"}, True),
        ({"trait": "plan", "is": "free"}, False),
        ({"trait": "seats", "is": "30"}, False),
        ({"trait": "missing", "is": "x"}, True),
        ({"trait": "nothing", "is": "x"}, True),
        ({"trait": "address.zip", "is": "8010"}, True),
        ({"trait": "missing", "exists": True}, True),
        ({"trait": "plan", "exists": False}, False),
        ({"not": {"trait": "missing", "exists": False}}, True),
        ({"not": {"trait": "missing", "is_not": "x"}}, True),
        ({"not": {"trait": "plan", "is": "pro"}}, False),
        ({"not": {"not": {"trait": "missing", "is": "x"}}}, True),
        ({"not": {"not": {"trait": "plan", "is": "free"}}}, False),
        ({"all": [{"trait": "missing", "is": "x"}, {"trait": "plan", "is": "free"}]}, False),
        ({"any": [{"trait": "missing", "is": "x"}, {"trait": "plan", "is": "free"}]}, True),
        ({"not": {"any": [{"trait": "plan", "is": "pro"}, {"trait": "missing", "is_not": "x"}]}}, False),
        ({"all": [{"trait": "missing", "is": "x"}, {"property": "total", "is": 20}]}, False),
        ({"all": [{"trait": "missing", "is": "x"}, {"event": "Order Refunded"}]}, False),
        ({"group": "team"}, True),
        ({"group": "company"}, True),
        ({"not": {"group": "company"}}, False),
        ({"group": "company", "trait": "plan", "is": "max"}, False),
        ({"group": "company", "trait": "missing", "is": "max"}, True),
        ({"not": {"group": "company", "trait": "missing", "is_not": "max"}}, True),
    ],
)
def test_what_is_possible_takes_missing_traits_for_what_they_would_have_to_be(
    person: Profile, tree: dict[str, Any], possible: bool
) -> None:
    groups.relate(person.pk, "company", "acme", {})
    groups.save_object("company", "acme", {"plan": "pro"})
    place = profiles(timezone.now())
    found = Profile.objects.filter(compile_condition(parse(tree), place, Reading.POSSIBLE))
    assert found.exists() is possible
    certain = Profile.objects.filter(compile_condition(parse({"not": tree}), place, Reading.CERTAIN))
    assert certain.exists() is not possible


# What happened: two orders (1 day ago of 20, 10 days ago of 50), see the fixture.
PAST: list[tuple[dict[str, Any], bool]] = [
    ({"count": {"is": 2}}, True),
    ({"count": {"gte": 3}}, False),
    ({"count": {"lt": 3}}, True),
    ({"count": {"gt": 1}, "within": "5d"}, False),
    ({"sum": {"property": "total", "is": 70}}, True),
    ({"sum": {"property": "total", "gt": 50}, "within": "5d"}, False),
    ({"sum": {"property": "other", "lt": 1}}, True),
    ({"avg": {"property": "total", "is": 35}}, True),
    ({"min": {"property": "total", "gte": 20}}, True),
    ({"max": {"property": "total", "gt": 50}}, False),
    ({"max": {"property": "other", "lt": 1}}, False),
    ({"max": {"property": "other", "is_not": 1}}, True),
    ({"first": {"within_last": "9d"}}, False),
    ({"first": {"before": "-9d"}}, True),
    ({"last": {"within_last": "2d"}}, True),
    ({"then_not": {"event": "Order Completed", "within": "2d"}}, True),
    ({"then_not": {"event": "Order Completed", "within": "9d"}}, False),
    ({"then_not": {"event": "Order Completed", "within": "12h"}, "within": "2d"}, True),
    ({"then_not": {"event": "Order Refunded", "within": "2d"}, "within": "3d"}, False),
]


@pytest.mark.parametrize(("tree", "expected"), PAST)
def test_the_past_is_reckoned_as_the_table_says(person: Profile, tree: dict[str, Any], expected: bool) -> None:
    assert matches({"event": "Order Completed", **tree}) is expected
    assert matches({"not": {"event": "Order Completed", **tree}}) is not expected


def test_who_did_nothing_has_done_it_0_times_for_a_sum_of_0(person: Profile) -> None:
    never = {"event": "Order Refunded"}
    assert matches({**never, "count": {"lte": 0}})
    assert matches({**never, "sum": {"property": "total", "lte": 0}})
    assert not matches({**never, "min": {"property": "total", "lt": 1}})
    assert not matches({**never, "last": {"before": "+1d"}})


@pytest.mark.parametrize(
    ("zone", "local", "utc"),
    [
        ("Europe/Vienna", "2026-06-01T09:00", "2026-06-01T07:00:00Z"),
        ("Europe/Vienna", "2026-01-01", "2025-12-31T23:00:00Z"),
        ("", "2026-01-01", "2026-01-01T00:00:00Z"),
        ("Europe/Vienna", "2026-03-29 02:30", "2026-03-29T01:30:00Z"),
        ("Europe/Vienna", "2026-10-25 02:30", "2026-10-25T01:30:00Z"),
    ],
    ids=["summer", "day", "unknown zone", "skipped in spring", "twice in autumn"],
)
def test_a_time_without_an_offset_is_the_persons(person: Profile, zone: str, local: str, utc: str) -> None:
    """In a trait as well as in the condition."""
    Profile.objects.update(time_zone=zone, traits={"local": local, "utc": utc})
    instant = datetime.fromisoformat(utc)
    just_after, just_before = instant + timedelta(seconds=1), instant - timedelta(seconds=1)
    assert matches({"trait": "local", "before": just_after.isoformat()})
    assert matches({"trait": "local", "after": just_before.isoformat()})
    if "T" in local or " " in local:
        assert not matches({"any": [{"trait": "utc", "before": local}, {"trait": "utc", "after": local}]})


def test_an_order_of_pages_and_events_counts(person: Profile) -> None:
    event(person, "Viewed", -60, received=-60)
    Event.objects.filter(name="Viewed").update(type=Event.Type.PAGE)
    event(person, "Bought", -30, received=-30)
    steps: list[dict[str, Any]] = [{"page": "Viewed"}, {"event": "Bought"}]
    assert matches({"sequence": steps, "within": "31m"})
    assert not matches({"sequence": steps, "within": "29m"})
    assert not matches({"sequence": steps[::-1]})
    assert not matches({"sequence": [{"event": "Viewed"}, {"event": "Bought"}]})


def event(person: Profile, name: str, minutes: int, received: int = 0) -> Event:
    """An event at so many minutes from now that arrived then, or ``received`` minutes from now."""
    now = timezone.now()
    return Event.objects.create(
        profile=person,
        type=Event.Type.TRACK,
        name=name,
        properties={},
        timestamp=now + timedelta(minutes=minutes),
        received_at=now + timedelta(minutes=received),
    )


def test_an_event_from_the_future_has_happened_when_it_arrived(person: Profile) -> None:
    event(person, "Booked", 60 * 24 * 10, received=-30)
    assert matches({"event": "Booked"})
    assert matches({"event": "Booked", "within": "1h"})
    assert not matches({"event": "Booked", "within": "10m"}), "and not for all the time until then"
    assert not matches({"event": "Booked"}, as_of=timezone.now() - timedelta(hours=1))


def meets(hand: Event, tree: dict[str, Any]) -> bool:
    return Event.objects.filter(compile_condition(parse(tree), EVENTS), pk=hand.pk).exists()


def test_an_event_from_the_future_looks_back_from_its_arrival(person: Profile) -> None:
    event(person, "Viewed", -10, received=-10)
    hand = event(person, "Bought", 60)
    assert meets(hand, {"event": "Viewed", "within": "30m"})
    assert not meets(hand, {"event": "Viewed", "within": "5m"})


def test_events_of_one_wrong_clock_keep_their_order(person: Profile) -> None:
    event(person, "First", 60)
    hand = event(person, "Second", 61)
    event(person, "Third", 62)
    Event.objects.filter(name__in=["First", "Third"]).update(received_at=hand.received_at)
    assert meets(hand, {"event": "First"})
    assert not meets(hand, {"event": "Third"})


def test_events_that_arrive_out_of_order_count_by_their_own_time(person: Profile) -> None:
    hand = event(person, "Second", -10, received=-10)
    event(person, "First", -20, received=-1)
    event(person, "Third", -5, received=-5)
    assert meets(hand, {"event": "First"})
    assert not meets(hand, {"event": "Third"})


def test_only_a_question_about_everybody_may_look_for_a_name() -> None:
    """Of a new name statistics know nothing: about one person, all its events must not be gone through."""
    node = parse({"event": "New", "count": {"gte": 3}, "within": "7d"})
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        about = {
            everyone: Profile.objects.filter(compile_condition(node, profiles(timezone.now(), everyone=everyone)))
            for everyone in (False, True)
        }
    by_name = re.compile(r"(\d|default)_name_time")  # the partitions' names of the index
    assert by_name.search(about[True].explain())
    assert not by_name.search(about[False].explain())
