"""What new events mean to campaigns: entries, refusals with their reasons, parked events."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone
from psycopg.errors import DeadlockDetected

from campaigns import enrollment, publishing
from campaigns.models import Decision, Journey
from campaigns.reasons import Entry
from events.models import Pending, Profile
from messaging.models import Message, Priority
from tests.campaigns.flow import delay, happens, make_campaign, send, settle, statements
from tests.factories import make_profile

pytestmark = pytest.mark.django_db


def entries() -> list[str]:
    return list(Decision.objects.order_by("event_id", "version_id").values_list("entry", flat=True))


def test_an_event_of_the_trigger_starts_a_journey_and_is_no_longer_pending() -> None:
    campaign, ada = make_campaign(delay(), send()), make_profile()
    event_id = happens(ada, properties={"plan": "pro"})
    settle()
    journey = Journey.objects.get()
    assert (journey.campaign, journey.version, journey.profile) == (campaign, campaign.live_version, ada)
    assert (journey.trigger, journey.trigger_event_id) == ({"plan": "pro"}, event_id)
    assert (journey.state, journey.step_id) == (Journey.State.WAITING, "wait")
    assert not Pending.objects.exists()
    assert Decision.objects.get().journey == journey


@pytest.mark.parametrize(
    ("where", "entered"),
    [
        ({"property": "plan", "is": "pro"}, True),
        ({"property": "seats", "gt": 10}, False),
        ({"trait": "country", "is": "AT"}, True),
        ({"all": [{"trait": "country", "is": "AT"}, {"property": "plan", "is_not": "pro"}]}, False),
        ({"not": {"event": "Order Completed", "within": "24h"}}, True),
    ],
)
def test_conditions_of_the_trigger_decide(where: dict[str, Any], entered: bool) -> None:
    make_campaign(trigger={"event": "Signed Up", "where": where})
    happens(make_profile(traits={"country": "AT"}), properties={"plan": "pro", "seats": 3})
    settle()
    assert entries() == [Entry.ENTERED if entered else Entry.FILTERED]
    assert Journey.objects.exists() is entered


def test_other_events_and_other_kinds_of_the_same_name_mean_nothing() -> None:
    make_campaign()
    happens(make_profile(), "Order Completed")
    happens(make_profile(), "Signed Up", type="page")
    settle()
    assert entries() == []


def test_who_is_in_already_does_not_enter_twice() -> None:
    make_campaign(delay(), send(), reentry={"rule": "always"})
    ada = make_profile()
    happens(ada)
    happens(ada)
    settle()
    happens(ada)
    settle()
    assert entries() == [Entry.ENTERED, Entry.ALREADY_IN, Entry.ALREADY_IN]
    assert Journey.objects.count() == 1


def test_once_lets_everybody_in_only_once() -> None:
    make_campaign(reentry={"rule": "once"})
    ada = make_profile()
    for _ in range(2):
        happens(ada)
        settle()
    assert entries() == [Entry.ENTERED, Entry.NOT_AGAIN]


def test_always_lets_people_in_again_once_they_are_through() -> None:
    make_campaign(reentry={"rule": "always"})
    ada = make_profile()
    for _ in range(3):
        happens(ada)
        settle()
    assert entries() == [Entry.ENTERED] * 3


def test_period_keeps_entries_apart() -> None:
    make_campaign(reentry={"rule": "period", "hours": 24})
    ada, now = make_profile(), timezone.now()
    for hours in (30, 29, 5, 1):
        happens(ada, timestamp=now - timedelta(hours=hours))
        settle()
    assert entries() == [Entry.ENTERED, Entry.TOO_SOON, Entry.ENTERED, Entry.TOO_SOON]


@pytest.mark.parametrize("rule", ["once", "period"])
def test_entries_are_kept_apart_by_a_property_in_one_batch_and_across_batches(rule: str) -> None:
    make_campaign(reentry={"rule": rule, "by": "order_id"})
    ada, grace = make_profile(), make_profile()
    refused = Entry.NOT_AGAIN if rule == "once" else Entry.TOO_SOON
    for properties in ({"order_id": 1}, {"order_id": "1"}, {"order_id": [1, {"a": 2}]}, {}):
        happens(ada, properties=properties)
        settle()
        happens(ada, properties=properties)
        happens(grace, properties=properties)
        settle()
    assert entries() == [Entry.ENTERED, refused, Entry.ENTERED] * 4


SIDE_BY_SIDE: dict[str, Any] = {"rule": "always", "by": "order_id", "parallel": True}


def test_side_by_side_there_is_one_journey_a_time_for_each_order() -> None:
    make_campaign(delay(), send(), reentry=SIDE_BY_SIDE)
    ada, grace = make_profile(), make_profile()
    for order in (1, 2, 1):
        happens(ada, properties={"order_id": order})
    happens(grace, properties={"order_id": 1})
    settle()
    happens(ada, properties={"order_id": 2})
    happens(ada, properties={"order_id": 3})
    settle()
    first = [Entry.ENTERED, Entry.ENTERED, Entry.ALREADY_IN, Entry.ENTERED]
    assert entries() == [*first, Entry.ALREADY_IN, Entry.ENTERED]
    Journey.objects.filter(trigger={"order_id": 1}).update(state=Journey.State.ENDED)
    happens(ada, properties={"order_id": 1})
    settle()
    assert entries()[-1] == Entry.ENTERED


def test_side_by_side_without_a_property_every_event_starts_a_journey() -> None:
    make_campaign(delay(), send(), reentry={"rule": "always", "parallel": True})
    ada = make_profile()
    for _ in range(3):
        happens(ada)
    settle()
    assert entries() == [Entry.ENTERED] * 3
    assert len(set(Journey.objects.values_list("lane", flat=True))) == 3


@pytest.mark.parametrize("parallel_first", [True, False])
def test_a_journey_that_is_to_be_alone_stays_so_when_the_rule_changes(parallel_first: bool) -> None:
    alone: dict[str, Any] = {"rule": "always", "by": "order_id"}
    rules = [SIDE_BY_SIDE, alone] if parallel_first else [alone, SIDE_BY_SIDE]
    campaign, ada = make_campaign(delay(), send(), reentry=rules[0]), make_profile()
    happens(ada, properties={"order_id": 1})
    settle()
    campaign.draft = {**campaign.draft, "reentry": rules[1]}
    campaign.save()
    publishing.publish(campaign, None, "Another rule.")
    happens(ada, properties={"order_id": 2})
    settle()
    assert entries() == [Entry.ENTERED, Entry.ALREADY_IN]


def test_a_batch_of_one_order_enters_once() -> None:
    make_campaign(delay(), reentry={"rule": "period", "hours": 1, "by": "order_id"})
    ada = make_profile()
    for _ in range(3):
        happens(ada, properties={"order_id": 5})
    settle()
    assert entries() == [Entry.ENTERED, Entry.TOO_SOON, Entry.TOO_SOON]


def test_period_holds_within_one_batch_too() -> None:
    make_campaign(reentry={"rule": "period", "hours": 1})
    ada = make_profile()
    for _ in range(2):
        happens(ada)
    settle()
    assert entries() == [Entry.ENTERED, Entry.TOO_SOON]


def test_an_event_of_last_week_is_history() -> None:
    make_campaign()
    happens(make_profile(), timestamp=timezone.now() - timedelta(days=7))
    settle()
    assert entries() == [Entry.TOO_OLD]


def test_the_campaign_says_how_old_an_event_may_be() -> None:
    make_campaign(trigger={"event": "Signed Up", "max_age_hours": 1})
    make_campaign(trigger={"event": "Signed Up", "max_age_hours": 24 * 8})
    happens(make_profile(), timestamp=timezone.now() - timedelta(days=7))
    settle()
    assert entries() == [Entry.TOO_OLD, Entry.ENTERED]


def test_an_event_from_the_future_starts_a_journey_now_that_its_goal_can_end() -> None:
    make_campaign(delay(), goal={"event": "Order Completed"})
    ada = make_profile()
    happens(ada, timestamp=timezone.now() + timedelta(days=30))
    settle()
    journey = Journey.objects.get()
    assert abs(journey.trigger_at - timezone.now()) < timedelta(minutes=1)
    assert journey.due_at is not None and journey.due_at < timezone.now() + timedelta(hours=2)
    happens(ada, "Order Completed")
    settle()
    journey.refresh_from_db()
    assert journey.converted_at is not None


def test_an_event_from_the_future_is_not_its_own_goal() -> None:
    make_campaign(delay(), goal={"event": "Signed Up"})
    happens(make_profile(), timestamp=timezone.now() + timedelta(hours=1))
    settle()
    assert Journey.objects.get().converted_at is None


def test_an_event_belongs_to_the_version_that_was_live_when_it_arrived() -> None:
    campaign, ada = make_campaign(), make_profile()
    first = campaign.live_version
    happens(ada)
    publishing.publish(campaign, None, "Better words.")
    settle()
    assert Journey.objects.get().version == first
    happens(make_profile())
    settle()
    assert Journey.objects.latest("id").version == campaign.live_version != first


def test_events_before_the_publication_and_during_a_pause_start_nothing() -> None:
    happens(make_profile())
    campaign = make_campaign()
    publishing.pause(campaign)
    happens(make_profile())
    publishing.resume(campaign)
    settle()
    assert entries() == []


def test_an_event_that_fails_is_parked_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    make_campaign()
    good, bad = make_profile(), make_profile()
    bad_event = happens(bad)
    happens(good)
    real = enrollment._insert_journeys

    def fail_for_bad(wanted: list[enrollment.Candidate]) -> dict[tuple[int, int], int]:
        if any(candidate.event.id == bad_event for candidate in wanted):
            raise ArithmeticError("bad luck")
        return real(wanted)

    monkeypatch.setattr(enrollment, "_insert_journeys", fail_for_bad)
    settle()
    assert [journey.profile for journey in Journey.objects.all()] == [good]
    parked = Pending.objects.exclude(parked_at=None).get()
    assert (parked.event_id, parked.error) == (bad_event, "ArithmeticError: bad luck")
    assert parked.parked_at is not None


def test_a_batch_that_loses_a_deadlock_starts_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    make_campaign(send())
    happens(make_profile())
    claim, tries = enrollment.log.claim_pending, []

    def lose_once(limit: int, only: int | None = None) -> Any:
        tries.append(limit)
        if len(tries) == 1:
            raise OperationalError("deadlock detected") from DeadlockDetected()
        return claim(limit, only)

    monkeypatch.setattr(enrollment.log, "claim_pending", lose_once)
    assert enrollment.enroll_pending(time.monotonic() + 60) == 2, "the event, and that a journey has started"
    assert Journey.objects.count() == 1

    def fail(limit: int, only: int | None = None) -> Any:
        raise OperationalError("the server is gone")

    monkeypatch.setattr(enrollment.log, "claim_pending", fail)
    with pytest.raises(OperationalError, match="gone"):
        enrollment.enroll_pending(time.monotonic() + 60)


MIXED: list[dict[str, Any]] = [
    {"trait": "plan", "is": "pro"},
    {"property": "price", "gt": 30},
    {"event": "Signed Up", "count": {"gt": 2}, "within": "10m"},
    {"sequence": [{"event": "Product Viewed"}, {"event": "Signed Up"}], "within": "1h"},
    {"all": [{"not": {"event": "Order Completed", "within": "2d"}}, {"trait": "plan", "is": "pro"}]},
]


@pytest.mark.parametrize("campaigns", [1, 2])
def test_conditions_share_statements_and_none_is_asked_event_by_event(campaigns: int) -> None:
    for where in MIXED * campaigns:
        make_campaign(delay(), trigger={"event": "Signed Up", "where": where}, reentry={"rule": "always"})
    counted = []
    for number in (1, 1, 50, 500):  # the first one parses the versions
        for person in [make_profile(traits={"plan": "pro"}) for _ in range(number)]:
            happens(person, properties={"price": 50})
        counted.append(statements(lambda: enrollment.enroll_batch(500)))
    assert len(set(counted[1:])) == 1 and counted[1] <= 23
    verdicts = entries()[-len(MIXED * campaigns) :]
    yes, no = Entry.ENTERED, Entry.FILTERED
    assert verdicts == [yes, yes, no, no, yes] * campaigns


def test_nobody_listening_costs_one_look_however_many_campaigns_there_are() -> None:
    def cost() -> int:
        happens(make_profile(), "Looked Around")
        return statements(lambda: enrollment.enroll_batch(500))

    cost()
    alone = cost()
    for number in range(5):
        make_campaign(trigger={"event": f"Other {number}", "where": {"trait": "plan", "is": "pro"}})
    assert cost() == alone


@pytest.mark.parametrize("ways", [[0, 1, 2, 3], [3, 1, 0, 2]], ids=["in order", "out of order"])
@pytest.mark.parametrize("limit", [500, 2, 1], ids=["one batch", "two batches", "one by one"])
def test_a_threshold_counts_the_event_at_hand_and_goes_by_timestamps(ways: list[int], limit: int) -> None:
    where = {"event": "Clicked", "count": {"gt": 2}, "within": "10m"}
    make_campaign(delay(), trigger={"event": "Clicked", "where": where}, reentry={"rule": "always"})
    ada, began = make_profile(), timezone.now() - timedelta(minutes=8)
    happened = {happens(ada, "Clicked", timestamp=began + timedelta(minutes=2 * way)): way for way in ways}
    while enrollment.enroll_batch(limit):
        pass
    found = {happened[event]: entry for event, entry in Decision.objects.values_list("event_id", "entry")}
    assert [found[way] == Entry.FILTERED for way in range(4)] == [True, True, False, False]
    assert sorted(entry for entry in found.values() if entry != Entry.FILTERED) == [Entry.ALREADY_IN, Entry.ENTERED]


def test_statements_do_not_grow_with_the_batch() -> None:
    make_campaign(trigger={"event": "Signed Up", "where": {"trait": "plan", "is": "pro"}})
    make_campaign(delay(), reentry={"rule": "period", "hours": 5}, goal={"event": "Signed Up"})
    people = [make_profile(traits={"plan": "pro"}) for _ in range(60)]

    def enroll(some: list[Profile]) -> int:
        for person in some:
            happens(person)
        return statements(lambda: enrollment.enroll_pending(time.monotonic() + 30))

    enroll(people[:1])
    few, many = enroll(people[1:3]), enroll(people[3:])
    assert few == many


def test_messages_have_the_priority_of_their_campaign() -> None:
    make_campaign(priority="high")
    make_campaign()
    happens(make_profile())
    settle()
    assert list(Message.objects.order_by("pk").values_list("priority", flat=True)) == [Priority.HIGH, Priority.NORMAL]
