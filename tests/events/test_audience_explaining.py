"""Explanations: verdicts are the compiler's, what decides really does, and what was seen is said in plain words."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from pytest_django import DjangoAssertNumQueries

from events.audience import EVENTS, compile_condition, explaining, profiles
from events.audience.explaining import Explanation
from events.conditions import AllOf, AnyOf, ConditionError, Not, parse
from events.conditions.places import Place, parts, places
from events.models import Event, Group, Membership, Profile, Segment, SegmentMember
from tests.events.test_audience_reference import NOW, people, settings_of_the_reference, store, trees
from tests.factories import make_event, make_profile

pytestmark = pytest.mark.django_db
AGO = NOW - timedelta(hours=2)
PRO = {"trait": "plan", "is": "pro"}


def explain(tree: Any, profile: Profile, now: datetime = NOW) -> Explanation:
    found = explaining.of_person(tree, profile.pk, now)
    assert found is not None
    return found


def seen(tree: Any, profile: Profile) -> str:
    return explain(tree, profile).parts[0].seen


# --- Against the compiled whole ----------------------------------------------------------------------------------


def whole(place: Place, verdicts: dict[str, bool]) -> bool:
    """Reckon the whole from the verdicts of the parts that join no others."""
    below = [whole(part, verdicts) for part in parts(place)]
    match place.node:
        case AllOf():
            return all(below)
        case AnyOf():
            return any(below)
        case Not() if below:
            return not below[0]
    return verdicts[place.path]


def check_deciding(tree: Any, found: Explanation) -> None:
    """Turning round what decides turns the whole; turning round anything else does not."""
    known = {place.path: place for place in places(tree) if place.what is None}
    leaves = [part for part in found.parts if not parts(known[part.path])]
    verdicts = {part.path: part.matches for part in leaves}
    deciding = [part.path for part in leaves if part.decides]
    others = [part.path for part in leaves if not part.decides][:6]
    root = known[""]
    assert deciding
    assert whole(root, verdicts | {path: not verdicts[path] for path in deciding}) is not found.matches
    for turned in itertools.product((False, True), repeat=len(others)):
        other = {path: verdicts[path] ^ turn for path, turn in zip(others, turned, strict=True)}
        assert whole(root, verdicts | other) is found.matches


@settings_of_the_reference(30)
@given(people, trees)
def test_every_verdict_is_the_compilers_and_what_decides_does(person: Any, tree: Any) -> None:
    pk, _ = store(*person)
    found = explaining.of_person(tree, pk, NOW)
    assert found is not None
    meets = Profile.objects.filter(compile_condition(parse(tree), profiles(NOW)), pk=pk).exists()
    assert found.matches is meets is found.parts[0].matches
    for place, part in zip([place for place in places(tree) if place.what is None], found.parts, strict=True):
        asked = Profile.objects.filter(compile_condition(place.node, profiles(NOW)), pk=pk)
        assert (part.path, part.matches) == (place.path, asked.exists())
        assert part.seen if not parts(place) else not part.seen
    check_deciding(tree, found)


@settings_of_the_reference(20)
@given(people, trees)
def test_an_event_at_hand_is_explained_as_its_trigger_judged_it(person: Any, tree: Any) -> None:
    pk, _ = store(*person)
    for event in Event.objects.filter(profile=pk):
        found = explaining.of_event(tree, event)
        meets = Event.objects.filter(compile_condition(parse(tree), EVENTS), pk=event.pk).exists()
        assert found is not None and found.matches is meets
        check_deciding(tree, found)


# --- What decides ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tree", "matches", "deciding"),
    [
        ({"all": [PRO, {"trait": "age", "gt": 40}]}, False, {"", "all[1]"}),
        ({"all": [PRO, {"trait": "age", "gt": 20}]}, True, {"", "all[0]", "all[1]"}),
        ({"any": [PRO, {"trait": "age", "gt": 40}]}, True, {"", "any[0]"}),
        ({"any": [{"trait": "x", "is": 1}, {"trait": "age", "gt": 40}]}, False, {"", "any[0]", "any[1]"}),
        ({"not": {"any": [PRO, {"trait": "age", "gt": 40}]}}, False, {"", "not", "not.any[0]"}),
        (
            {"all": [PRO, {"not": {"all": [PRO, {"trait": "age", "gt": 40}]}}]},
            True,
            {"", "all[0]", "all[1]", "all[1].not", "all[1].not.all[1]"},
        ),
    ],
)
def test_what_decides(tree: Any, matches: bool, deciding: set[str]) -> None:
    found = explain(tree, make_profile(traits={"plan": "pro", "age": 30}))
    assert found.matches is matches
    assert {part.path for part in found.parts if part.decides} == deciding


# --- What was seen -----------------------------------------------------------------------------------------------

TRAITS = {
    "plan": "pro",
    "age": 30,
    "size": 12_345,
    "nothing": None,
    "vip": True,
    "text": "45",
    "tags": ["a", "b", 3, 4, 5, 6, 7],
    "none": [],
    "address": {"city": "Wien", "zip": "1010"},
    "since": "2026-03-26",
    "born": "1990-05-03",
    "due": "2026-03-31T12:00Z",
    "long": "x" * 100,
    "<script>": "<b>",
}


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        (PRO, "“pro”"),
        ({"trait": "plna", "is": "pro"}, "no such trait"),
        ({"trait": "age", "gt": 20}, "30"),
        ({"trait": "size", "gt": 20}, "12,345"),
        ({"trait": "nothing", "exists": True}, "empty"),
        ({"trait": "nothing", "gt": 3}, "empty"),
        ({"trait": "vip", "is": False}, "true"),
        ({"trait": "text", "gt": 20}, "“45”, a text and no number"),
        ({"trait": "vip", "gt": 20}, "true, true or false and no number"),
        ({"trait": "tags", "contains": "a"}, "“a”, “b”, 3, 4, 5 and 2 more"),
        ({"trait": "none", "contains": "a"}, "an empty list"),
        ({"trait": "address", "exists": True}, "an object with zip, city"),
        ({"trait": "address.city", "is": "Graz"}, "“Wien”"),
        ({"trait": "since", "within_last": "7d"}, "“2026-03-26”, 3 days ago"),
        ({"trait": "born", "before": "2000-01-01"}, "“1990-05-03”, on 3 May 1990"),
        ({"trait": "due", "within_next": "7d"}, "“2026-03-31T12:00Z”, in 2 days"),
        ({"trait": "plan", "within_last": "7d"}, "“pro”, which is no date"),
        ({"trait": "long", "is": "y"}, f"“{'x' * 79}…”"),
        ({"trait": ["<script>"], "is": "y"}, "“<b>”"),
        ({"property": "total", "gt": 3}, "no event at hand"),
        ({"group": "company"}, "Acme <i>, beta"),
        ({"group": "team"}, "no team"),
        ({"group": "company", "trait": "seats", "gt": 10}, "Acme <i>: 12; beta: no such trait"),
        ({"event": "Gone"}, "never"),
        ({"event": "Product Viewed"}, "3 times, last 2 hours ago"),
        ({"event": "Product Viewed", "count": {"gte": 5}}, "3 times, last 2 hours ago"),
        ({"event": "Product Viewed", "within": "1d"}, "once, 2 hours ago"),
        ({"event": "Product Viewed", "within": "1h"}, "not in that time, last 2 hours ago"),
        ({"not": {"event": "Product Viewed", "within": "1h"}}, ""),
        ({"event": "Product Viewed", "where": {"property": "price", "gt": 25}}, "once, 2 hours ago"),
        (
            {"event": "Product Viewed", "where": {"property": "price", "gt": 99}},
            "never so; 3 times otherwise, last 2 hours ago",
        ),
        (
            {"event": "Product Viewed", "sum": {"property": "price", "gt": 99}},
            "sum 60 of 3 times, last 2 hours ago",
        ),
        ({"event": "Product Viewed", "max": {"property": "x", "gt": 9}}, "no number of 3 times, last 2 hours ago"),
        ({"event": "Product Viewed", "first": {"within_last": "1d"}}, "first 9 days ago"),
        ({"event": "Product Viewed", "last": {"within_last": "1d"}}, "last 2 hours ago"),
        (
            {"event": "Product Viewed", "then_not": {"event": "Order Completed", "within": "30m"}},
            "2 times, last 8 days ago",
        ),
        (
            {"event": "Order Completed", "then_not": {"event": "Product Viewed", "within": "30d"}},
            "never so; once otherwise, last 1 hour ago",
        ),
        ({"page": "Pricing"}, "once, 2 hours ago"),
        ({"screen": "Pricing"}, "never"),
        ({"sequence": [{"event": "Product Viewed"}, {"event": "Order Completed"}]}, "all 2 steps"),
        ({"sequence": [{"event": "Gone"}, {"event": "Order Completed"}]}, "not even the first step"),
        (
            {"sequence": [{"event": "Product Viewed"}, {"event": "Order Completed"}, {"event": "Gone"}]},
            "only the first 2 of 3 steps",
        ),
        ({"segment": "vips"}, "since 3 days ago"),
        ({"segment": "pros"}, "not in it"),
        ({"segment": "gone"}, "no such segment"),
    ],
)
def test_what_was_seen_is_said_in_plain_words(tree: Any, words: str) -> None:
    ada = make_profile(traits=TRAITS)
    for days, hours, price in ((9, 0, 10), (8, 0, 20), (0, 2, 30)):
        at = NOW - timedelta(days=days, hours=hours)
        make_event(ada, "Product Viewed", {"price": price}, timestamp=at, received_at=at)
    ordered = AGO + timedelta(minutes=10)
    make_event(ada, "Order Completed", timestamp=ordered, received_at=ordered)
    make_event(ada, "Pricing", type="page", timestamp=AGO, received_at=AGO)
    for key, traits in (("acme", {"name": "Acme <i>", "seats": 12}), ("beta", {})):
        Membership.objects.create(profile=ada, group=Group.objects.create(type="company", key=key, traits=traits))
    Membership.objects.filter(group__key="beta").update(updated_at=NOW - timedelta(days=1))
    vips = Segment.objects.create(slug="vips", name="VIPs")
    Segment.objects.create(slug="pros", name="Pros")
    SegmentMember.objects.create(segment=vips, profile=ada, since=NOW - timedelta(days=3))
    assert seen(tree, ada) == words


def test_the_event_at_hand_shows_its_properties() -> None:
    event = make_event(make_profile(traits={"plan": "pro"}), "Order Completed", {"total": 30})
    found = explaining.of_event({"all": [PRO, {"property": "total", "gt": 50}]}, event)
    assert found is not None and not found.matches
    assert [part.seen for part in found.parts] == ["", "“pro”", "30"]
    assert [part.sentence for part in found.parts][1:] == ["plan is “pro”", "the event’s total is more than 50"]


def test_what_another_room_reads_into_the_language_is_one_part() -> None:
    ada = make_profile()
    tree = {"not": {"message": "opened"}}
    found = explain(tree, ada)
    assert [part.path for part in found.parts] == ["", "not"]


def test_nobody_and_nothing_are_explained_as_none() -> None:
    assert explaining.of_person(PRO, 1, NOW) is None
    gone = Event(pk=1, timestamp=timezone.now(), received_at=timezone.now())
    assert explaining.of_event(PRO, gone) is None
    with pytest.raises(ConditionError):
        explaining.of_person({"trait": "plan"}, 1, NOW)


def test_one_statement_whatever_the_tree(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    ada = make_profile()
    leaves = [PRO, {"event": "A", "within": "7d"}, {"group": "company"}, {"not": {"segment": "x"}}]
    with django_assert_num_queries(1):
        explain({"all": [*leaves, {"any": leaves}]}, ada)


def test_the_moment_asked_about_may_be_long_ago() -> None:
    ada = make_profile()
    at = datetime(2026, 1, 1, tzinfo=UTC)
    make_event(ada, "A", timestamp=at, received_at=at)
    tree = {"event": "A", "within": "7d"}
    assert explain(tree, ada, at + timedelta(days=1)).parts[0].seen == "once, 1 day ago"
    assert explain(tree, ada, at - timedelta(days=1)).parts[0].seen == "never"
