"""Who leaves a campaign early: at once, by the right rule, and with the reason."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from campaigns import enrollment, metrics, publishing, runner
from campaigns.engine.definition import problems
from campaigns.models import Campaign, Journey, Visit
from campaigns.reasons import Ending, Outcome
from events.models import Event, Profile, Segment
from events.segments import lists
from messaging import consent, subscriptions
from messaging.models import Message
from tests.campaigns.flow import delay, happens, make_campaign, make_template, send, settle, statements
from tests.factories import make_profile, make_topic

pytestmark = pytest.mark.django_db
BOUGHT = {"when": "event", "event": "Order Completed", "same": "order_id"}
SIDE_BY_SIDE = {"rule": "always", "by": "order_id", "parallel": True}


def make(*exits: dict[str, Any], **definition: Any) -> Campaign:
    return make_campaign(delay(259_200), send(), exits=list(exits), **definition)


def enters(person: Profile, **properties: Any) -> Journey:
    happens(person, properties=properties)
    settle()
    return Journey.objects.latest("pk")


def ending(journey: Journey) -> str:
    journey.refresh_from_db()
    return journey.ending


def later(**span: float) -> None:
    with time_machine.travel(timezone.now() + timedelta(**span)):
        settle()


def test_an_event_ends_the_journey_of_its_order_at_once_and_no_other() -> None:
    campaign, ada, bob = make(BOUGHT, reentry=SIDE_BY_SIDE), make_profile(), make_profile()
    one, two, of_bob = enters(ada, order_id=1), enters(ada, order_id=2), enters(bob, order_id=1)
    happens(ada, "Order Completed", {"order_id": "1"})
    enrollment.enroll_pending(time.monotonic() + 30)
    assert (ending(one), ending(two), ending(of_bob)) == (Ending.EVENT, "", "")
    assert (one.state, one.due_at) == (Journey.State.ENDED, None) and one.ended_at is not None
    visit = Visit.objects.get(journey=one)
    assert (visit.outcome, visit.detail) == (Outcome.INTERRUPTED, "Order Completed with the same order_id came")
    assert metrics.totals(campaign)[""] == {"entered": 3, "ended": 1, "left": 1}
    told = Event.objects.get(name="Journey Ended")
    assert told.properties["ending"] == Ending.EVENT and told.properties["journey_id"] == one.pk
    later(days=4)
    assert set(Visit.objects.exclude(message=None).values_list("journey_id", flat=True)) == {two.pk, of_bob.pk}


@pytest.mark.parametrize(
    ("properties", "before", "ends"),
    [({"total": 20}, False, True), ({"total": 5}, False, False), ({"total": 20}, True, False)],
)
def test_only_such_events_after_the_entry_end_it(properties: dict[str, Any], before: bool, ends: bool) -> None:
    make({"when": "event", "event": "Order Completed", "where": {"property": "total", "gt": 10}})
    ada = make_profile()
    journey = enters(ada)
    at = journey.trigger_at - timedelta(minutes=1) if before else timezone.now()
    happens(ada, "Order Completed", properties, timestamp=at)
    settle()
    assert ending(journey) == (Ending.EVENT if ends else "")


def test_a_condition_ends_it_when_a_trait_makes_it_true() -> None:
    make({"when": "condition", "if": {"trait": "plan", "is": "pro"}})
    ada, bob = make_profile(), make_profile()
    of_ada, of_bob = enters(ada), enters(bob)
    for person, plan in ((ada, "pro"), (bob, "free")):
        Profile.objects.filter(pk=person.pk).update(traits={"plan": plan})
        happens(person, "", type=Event.Type.IDENTIFY)
    enrollment.enroll_pending(time.monotonic() + 30)
    assert (ending(of_ada), ending(of_bob)) == (Ending.CONDITION, "")
    assert Visit.objects.get(journey=of_ada).detail == "plan is “pro”"


def test_who_no_longer_meets_the_conditions_of_the_trigger_leaves() -> None:
    where = {"all": [{"trait": "plan", "is": "free"}, {"property": "size", "gt": 1}]}
    make({"when": "unmatched"}, trigger={"event": "Signed Up", "where": where})
    ada = make_profile(traits={"plan": "free"})
    journey = enters(ada, size=2)
    happens(ada, "", type=Event.Type.IDENTIFY)
    settle()
    assert ending(journey) == ""
    Profile.objects.filter(pk=ada.pk).update(traits={"plan": "pro"})
    happens(ada, "", type=Event.Type.IDENTIFY)
    settle()
    assert ending(journey) == Ending.UNMATCHED


def test_who_leaves_the_segment_that_started_it_leaves() -> None:
    segment = Segment.objects.create(name="Free", slug="free", kind=Segment.Kind.MANUAL)
    campaign = make_campaign(
        delay(), trigger={"kind": "segment", "segment": "free", "moved": "entered"}, exits=[{"when": "unmatched"}]
    )
    ada = make_profile()
    lists.add(segment, [ada.pk])
    settle()
    journey = Journey.objects.get(campaign=campaign)
    assert ending(journey) == ""
    lists.remove(segment, [ada.pk])
    settle()
    assert ending(journey) == Ending.UNMATCHED


def test_who_unsubscribes_from_everything_leaves() -> None:
    make({"when": "unsubscribe"})
    ada, bob = make_profile(), make_profile()
    of_ada, of_bob = enters(ada), enters(bob)
    consent.unsubscribe(ada.pk, "manual")
    settle()
    assert (ending(of_ada), ending(of_bob)) == (Ending.UNSUBSCRIBED, "")


def test_who_leaves_all_topics_of_the_mails_leaves_and_who_leaves_one_of_them_stays() -> None:
    news, tips, other = make_topic("news"), make_topic("tips"), make_topic("other")
    steps = [
        {"id": slug, "kind": "send", "template": make_template(slug, topic=topic).pk}
        for slug, topic in (("news", news), ("tips", tips))
    ]
    make_campaign(delay(), *steps, exits=[{"when": "unsubscribe"}])
    ada = make_profile()
    journey = enters(ada)
    for topic in (other, news):
        subscriptions.unsubscribe([ada.pk], topic, "page")
        settle()
        assert ending(journey) == ""
    subscriptions.unsubscribe([ada.pk], tips, "page")
    settle()
    assert ending(journey) == Ending.UNSUBSCRIBED


def test_an_event_that_is_stored_but_not_evaluated_yet_keeps_the_mail_back() -> None:
    make(BOUGHT)
    ada = make_profile()
    journey = enters(ada, order_id=1)
    happens(ada, "Order Completed", {"order_id": 1})
    with time_machine.travel(timezone.now() + timedelta(days=4)):
        runner.run_due(time.monotonic() + 30)
    assert ending(journey) == Ending.EVENT
    assert not Message.objects.exists()


def test_what_holds_at_the_entry_already_ends_it_before_the_first_step() -> None:
    make_campaign(send(), exits=[{"when": "condition", "if": {"trait": "plan", "is": "pro"}}])
    journey = enters(make_profile(traits={"plan": "pro"}))
    assert ending(journey) == Ending.CONDITION
    assert not Visit.objects.exists() and not Message.objects.exists()


def test_what_time_alone_makes_true_is_found_when_the_journey_next_moves() -> None:
    rule = {"when": "condition", "if": {"not": {"event": "Signed Up", "within": "1h"}}}
    make_campaign(delay(7200), send(), exits=[rule])
    journey = enters(make_profile())
    later(hours=1.5)
    assert ending(journey) == ""
    later(hours=2.5)
    assert ending(journey) == Ending.CONDITION
    assert not Message.objects.exists()


def test_a_goal_comes_before_a_rule_that_the_same_event_meets() -> None:
    campaign = make(BOUGHT, goal={"event": "Order Completed"})
    ada = make_profile()
    journey = enters(ada, order_id=1)
    happens(ada, "Order Completed", {"order_id": 1})
    settle()
    assert ending(journey) == Ending.GOAL
    assert "left" not in metrics.totals(campaign)[""]


@pytest.mark.parametrize("state", [Journey.State.PAUSED, Journey.State.STUCK])
def test_journeys_that_are_held_or_stuck_end_as_well(state: str) -> None:
    campaign, ada = make(BOUGHT), make_profile()
    journey = enters(ada, order_id=1)
    publishing.pause(campaign)
    Journey.objects.update(state=state)
    happens(ada, "Order Completed", {"order_id": 1})
    settle()
    assert ending(journey) == Ending.EVENT


def test_a_journey_that_is_not_ended_keeps_its_timer() -> None:
    make(BOUGHT)
    ada = make_profile()
    journey = enters(ada, order_id=1)
    happens(ada, "Order Completed", {"order_id": 2})
    settle()
    assert Journey.objects.get().due_at == journey.due_at


def test_one_who_has_entered_through_a_version_keeps_its_rules() -> None:
    campaign, ada = make(BOUGHT), make_profile()
    journey = enters(ada, order_id=1)
    campaign.draft = {**campaign.draft, "exits": []}
    campaign.save()
    publishing.publish(campaign, None, "Nobody leaves early.")
    happens(ada, "Order Completed", {"order_id": 1})
    settle()
    assert ending(journey) == Ending.EVENT


def test_the_number_of_statements_does_not_depend_on_the_people() -> None:
    make(BOUGHT, {"when": "unsubscribe"}, {"when": "condition", "if": {"trait": "plan", "is": "pro"}})

    def work(number: int) -> tuple[int, int]:
        people = [make_profile() for _ in range(number)]
        for person in people:
            enters_one = happens(person, properties={"order_id": 1})
            assert enters_one
        enrollment.enroll_pending(time.monotonic() + 30)
        moved = statements(lambda: runner.run_due(time.monotonic() + 30))
        enrollment.enroll_pending(time.monotonic() + 30)
        for person in people:
            happens(person, "Order Completed", {"order_id": 1})
        return moved, statements(lambda: enrollment.enroll_batch(500))

    work(1)
    assert work(2) == work(20)
    assert set(Journey.objects.values_list("ending", flat=True)) == {Ending.EVENT}


@pytest.mark.parametrize(
    ("exits", "path"),
    [
        ("event", "exits"),
        ([{"when": "never"}], "exits[0].when"),
        (["event"], "exits[0].when"),
        ([{"when": "event"}], "exits[0].event"),
        ([{"when": "event", "event": "Paid", "same": 3}], "exits[0].same"),
        ([{"when": "event", "event": "Paid", "where": {"gt": 3}}], "exits[0].where"),
        ([{"when": "unsubscribe"}, {"when": "condition"}], "exits[1].if"),
        ([{"when": "condition", "if": {"trait": "plan"}}], "exits[0].if"),
        ([{"when": "unmatched"}], "exits[0]"),
    ],
)
def test_a_rule_that_makes_no_sense_is_named_with_its_place(exits: Any, path: str) -> None:
    draft = {"trigger": {"event": "Signed Up"}, "steps": [{"id": "end", "kind": "exit"}], "exits": exits}
    assert [problem.path for problem in problems(draft)] == [path]
