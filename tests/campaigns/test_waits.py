"""Waits that an event may end: woken at once, by the right event, never lost and never ended twice."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from campaigns import enrollment, publishing, runner, waking
from campaigns.engine.definition import parse
from campaigns.models import Journey, Visit
from campaigns.reasons import Outcome
from events import merging
from events.audit import Actor
from events.models import ComputedTrait, Event, Profile, Segment
from messaging.models import Message
from tests.campaigns.flow import happens, make_campaign, send, settle, statements
from tests.factories import make_event, make_profile

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)


def wait(**fields: Any) -> dict[str, Any]:
    paths = [
        {"id": "met", "name": "Met", "steps": [send("thanks")]},
        {"id": "late", "name": "Late", "steps": [send("nudge")]},
    ]
    return {"id": "wait", "kind": "wait", "seconds": 3600, "paths": paths, **fields}


def mails(profile: Profile) -> list[str]:
    return [
        step
        for step in Visit.objects.filter(journey__profile=profile).order_by("pk").values_list("step_id", flat=True)
        if step in ("thanks", "nudge", "mail")
    ]


def test_an_event_ends_the_wait_at_once_and_its_absence_when_time_is_over() -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        make_campaign(wait(event="Order Completed"), send())
        buyer, other = make_profile(), make_profile()
        for person in (buyer, other):
            happens(person, timestamp=timezone.now())
        settle()
        assert {j.due_at for j in Journey.objects.all()} == {NOON + timedelta(hours=1)}
        clock.shift(timedelta(minutes=10))
        happens(buyer, "Order Completed", timestamp=timezone.now())
        settle()
        assert (mails(buyer), mails(other)) == (["thanks", "mail"], [])
        clock.shift(timedelta(minutes=50))
        settle()
        assert (mails(buyer), mails(other)) == (["thanks", "mail"], ["nudge", "mail"])
    left = Visit.objects.filter(step_id="wait").order_by("left_at").values_list("outcome", "detail")
    assert list(left) == [(Outcome.PATH, "Met"), (Outcome.PATH, "Late")]


def test_what_came_before_the_journey_does_not_end_its_wait_and_what_came_since_does() -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        make_campaign({"id": "first", "kind": "delay", "seconds": 600}, wait(event="Order Completed"))
        early, between = make_profile(), make_profile()
        make_event(early, "Order Completed", timestamp=NOON - timedelta(seconds=1), received_at=NOON)
        for person in (early, between):
            happens(person, timestamp=NOON)
        settle()
        clock.shift(timedelta(minutes=5))
        happens(between, "Order Completed", timestamp=timezone.now())
        clock.shift(timedelta(minutes=5))
        settle()
    assert (mails(early), mails(between)) == ([], ["thanks"])


def test_since_the_step_only_what_comes_after_it_counts() -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        first = {"id": "first", "kind": "delay", "seconds": 600}
        make_campaign(first, wait(event="Order Completed", since="step"))
        person = make_profile()
        happens(person, timestamp=NOON)
        settle()
        happens(person, "Order Completed", timestamp=timezone.now())
        clock.shift(timedelta(minutes=10))
        settle()
        assert mails(person) == []
        clock.shift(timedelta(minutes=1))
        happens(person, "Order Completed", timestamp=timezone.now())
        settle()
    assert mails(person) == ["thanks"]


@pytest.mark.parametrize(
    ("started", "paid", "ends"),
    [(7, 7, True), (7, "7", True), ("7", 8, False), (None, None, False), (7, None, False)],
)
def test_a_keyed_wait_hears_only_the_event_with_the_same_value(started: Any, paid: Any, ends: bool) -> None:
    make_campaign(wait(event="Order Paid", same="order.id"), event="Order Placed")
    person = make_profile()
    happens(person, "Order Placed", {"order": {"id": started}})
    settle()
    happens(person, "Order Paid", {"order": {"id": paid}})
    settle()
    assert mails(person) == (["thanks"] if ends else [])


def test_only_events_that_meet_the_condition_end_the_wait() -> None:
    make_campaign(wait(event="Order Completed", where={"property": "total", "gte": 100}))
    person = make_profile()
    happens(person)
    settle()
    happens(person, "Order Completed", {"total": 99})
    settle()
    assert mails(person) == []
    happens(person, "Order Completed", {"total": 100})
    settle()
    assert mails(person) == ["thanks"]


def test_a_wait_for_a_condition_is_ended_by_a_trait_that_becomes_known() -> None:
    make_campaign(wait(**{"if": {"trait": "plan", "is": "pro"}}))
    person = make_profile()
    happens(person)
    settle()
    Profile.objects.filter(pk=person.pk).update(traits={"plan": "pro"})
    happens(person, "", type=Event.Type.IDENTIFY)
    settle()
    assert mails(person) == ["thanks"]


def test_a_wait_for_a_condition_is_ended_by_a_trait_that_is_computed_anew() -> None:
    ComputedTrait.objects.create(name="orders", function="count", event="Order Completed", state="live")
    make_campaign(wait(**{"if": {"trait": "orders", "gte": 2}}))
    person = make_profile()
    happens(person)
    settle()
    for expected in ([], ["thanks"]):
        happens(person, "Order Completed")
        settle()
        assert mails(person) == expected


def test_a_wait_for_a_condition_that_time_alone_makes_true_ends_in_its_minute() -> None:
    condition = {"not": {"event": "Seen", "within": "20m"}}
    with time_machine.travel(NOON, tick=False) as clock:
        make_campaign(wait(**{"if": condition}))
        person = make_profile()
        happens(person, "Seen", timestamp=NOON - timedelta(minutes=5), received_at=NOON)
        happens(person, timestamp=NOON)
        settle()
        assert Journey.objects.get().due_at == NOON + timedelta(minutes=15)
        clock.shift(timedelta(minutes=15))
        settle()
    assert mails(person) == ["thanks"]


def test_a_wait_for_a_segment_is_ended_by_entering_it() -> None:
    condition = {"event": "Order Completed"}
    Segment.objects.create(name="Buyers", slug="buyers", condition=condition, state=Segment.State.LIVE)
    make_campaign(wait(**{"if": {"segment": "buyers"}}))
    person = make_profile()
    happens(person)
    settle()
    happens(person, "Order Completed")
    settle()
    settle()
    assert mails(person) == ["thanks"]


def test_holding_until_quiet_begins_anew_with_each_event() -> None:
    quiet = {"id": "quiet", "kind": "quiet", "event": "Viewed", "seconds": 600, "most": 1500}
    with time_machine.travel(NOON, tick=False) as clock:
        make_campaign(quiet, send(), event="Viewed")
        person = make_profile()
        happens(person, "Viewed", timestamp=NOON)
        settle()
        for minute, due in ((8, 18), (16, 25)):
            clock.move_to(NOON + timedelta(minutes=minute))
            happens(person, "Viewed", timestamp=timezone.now())
            settle()
            assert Journey.objects.get().due_at == NOON + timedelta(minutes=due)
        clock.move_to(NOON + timedelta(minutes=25))
        settle()
    assert mails(person) == ["mail"]


def test_a_pause_loses_no_event() -> None:
    campaign = make_campaign(wait(event="Order Completed"))
    person = make_profile()
    happens(person)
    settle()
    publishing.pause(campaign)
    happens(person, "Order Completed")
    settle()
    assert (Journey.objects.get().state, mails(person)) == (Journey.State.PAUSED, [])
    publishing.resume(campaign)
    settle()
    assert mails(person) == ["thanks"]


def test_a_merge_brings_the_other_ones_event_along() -> None:
    make_campaign(wait(event="Order Completed"))
    waiting, bought = make_profile(user_id="u1"), make_profile()
    happens(waiting)
    settle()
    happens(bought, "Order Completed")
    settle()
    assert mails(waiting) == []
    merging.merge_people(waiting.pk, bought.pk, Actor("test"))
    settle()
    assert mails(Journey.objects.get().profile) == ["thanks"]


def test_skipping_a_wait_by_hand_ends_that_wait_only() -> None:
    branch = {"id": "which", "kind": "branch", "paths": [{"id": "a", "if": {"trait": "x", "is": 1}}, {"id": "else"}]}
    again = {"id": "again", "kind": "delay", "seconds": 60}
    make_campaign({"id": "first", "kind": "delay", "seconds": 60}, branch, again, send())
    happens(make_profile(is_test=True))
    settle()
    runner.skip_wait(Journey.objects.get(), "ada")
    assert Journey.objects.get().step_id == "again"


def test_what_wakes_a_wait_is_what_its_condition_speaks_of() -> None:
    def of(**fields: Any) -> list[str] | None:
        step = wait(**fields)
        step["paths"] = [{"id": "met"}, {"id": "late"}]
        workflow = parse({"trigger": {"event": "X"}, "steps": [step]})
        return waking.wakes(workflow.by_id["wait"], "Europe/Vienna")

    assert of(event="Order Paid") == ["track Order Paid"]
    assert of(**{"if": {"any": [{"trait": "plan", "is": 1}, {"event": "A B"}]}}) == ["alias", "identify", "track A B"]
    assert "track Segment Entered" in (of(**{"if": {"segment": "vip"}}) or [])
    dated = of(**{"if": {"trait": "renews", "within_next": "2d"}})
    assert dated == ["zone Europe/Vienna", "alias", "identify"]


def test_statements_do_not_grow_with_the_journeys_that_wait_and_are_woken() -> None:
    quiet = {"id": "quiet", "kind": "quiet", "event": "Seen", "seconds": 60}
    make_campaign(
        wait(event="Order Completed"),
        quiet,
        wait(id="more", **{"if": {"trait": "x", "is": 1}}, paths=[{"id": "met"}, {"id": "late"}]),
    )

    def run(people: list[Profile]) -> tuple[int, int]:
        for person in people:
            happens(person)
        settle()
        for person in people:
            happens(person, "Order Completed")
        woken = statements(lambda: enrollment.enroll_pending(time.monotonic() + 30))
        return woken, statements(lambda: runner.run_due(time.monotonic() + 30))

    people = [make_profile() for _ in range(60)]
    run(people[:1])
    few, many = run(people[1:3]), run(people[3:])
    assert few == many
    assert Message.objects.count() == 60
