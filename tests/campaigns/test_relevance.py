"""Messages of campaigns that wait in the outbox: cancelled when they are no longer wanted, else sent."""

from __future__ import annotations

import time
from typing import Any

import pytest

from campaigns import enrollment
from campaigns.engine.definition import problems
from campaigns.models import Journey
from campaigns.reasons import Ending
from events.models import Event, Profile
from messaging import consent, delivery
from messaging.models import Message, Purpose
from messaging.reasons import Reason
from messaging.states import Status
from tests.campaigns.flow import delay, happens, make_campaign, make_template, send, settle
from tests.factories import make_profile

pytestmark = pytest.mark.django_db
GOAL = {"event": "Order Completed", "where": {"property": "total", "gt": 10}, "hours": 24}
BOUGHT = {"when": "event", "event": "Order Completed", "same": "order.id"}


def enters(person: Profile, properties: dict[str, Any] | None = None) -> Message:
    """Take somebody so far that their first message waits in the outbox."""
    happens(person, properties=properties)
    settle()
    return Message.objects.latest("pk")


def deliver() -> None:
    delivery.deliver_due(time.monotonic() + 20)


def outcome(message: Message) -> tuple[str, str]:
    deliver()
    message.refresh_from_db()
    return message.status, message.reason


def ada(**traits: Any) -> Profile:
    return make_profile(traits={"email": "ada@example.com", **traits})


CANCELLED = (Status.SKIPPED, Reason.NO_LONGER_WANTED)
SENT = (Status.DELIVERED, "")


@pytest.mark.parametrize(("total", "wanted"), [(20, False), (5, True)])
def test_a_goal_that_is_reached_while_the_message_waits_cancels_it(total: int, wanted: bool) -> None:
    make_campaign(send(), delay(), goal=GOAL)
    person = ada()
    message = enters(person)
    event_id = happens(person, "Order Completed", {"total": total})
    assert outcome(message) == (SENT if wanted else CANCELLED)
    if not wanted:
        at = Event.objects.get(pk=event_id).timestamp
        assert message.detail == f"The goal was reached: Order Completed came on {at:%Y-%m-%d at %H:%M:%S} UTC"
        told = Event.objects.get(name="Email Skipped")
        assert told.properties["reason"] == Reason.NO_LONGER_WANTED
        assert Journey.objects.get().state == Journey.State.WAITING
        enrollment.enroll_pending(time.monotonic() + 30)
        assert Journey.objects.get().ending == Ending.GOAL


@pytest.mark.parametrize(("order", "wanted"), [(1, False), ("1", False), (2, True), (None, True)])
def test_an_event_of_the_same_order_cancels_it(order: Any, wanted: bool) -> None:
    make_campaign(send(), exits=[BOUGHT])
    person = ada()
    message = enters(person, {"order": {"id": 1}})
    happens(person, "Order Completed", {"order": {"id": order}})
    assert outcome(message) == (SENT if wanted else CANCELLED)


def test_what_came_before_the_trigger_cancels_nothing() -> None:
    make_campaign(send(), exits=[{"when": "event", "event": "Order Completed"}])
    person = ada()
    happens(person, "Order Completed")
    settle()
    assert outcome(enters(person)) == SENT


def test_a_message_of_a_journey_that_is_over_is_cancelled_as_well() -> None:
    make_campaign(send(), exits=[BOUGHT])
    person = ada()
    message = enters(person, {"order": {"id": 1}})
    assert Journey.objects.get().ending == Ending.COMPLETED
    happens(person, "Order Completed", {"order": {"id": 1}})
    assert outcome(message) == CANCELLED


def test_conditions_are_asked_of_the_person_as_they_are_now() -> None:
    where = {"all": [{"trait": "plan", "is": "free"}, {"property": "size", "gt": 1}]}
    rules = [{"when": "condition", "if": {"trait": "vip", "is": True}}, {"when": "unmatched"}]
    make_campaign(send(), trigger={"event": "Signed Up", "where": where}, exits=rules)
    people = [ada(plan="free") for _ in range(3)]
    stays, becomes_vip, upgrades = (enters(person, {"size": 2}) for person in people)
    Profile.objects.filter(pk=people[1].pk).update(traits={"plan": "free", "vip": True})
    Profile.objects.filter(pk=people[2].pk).update(traits={"plan": "pro"})
    assert outcome(stays) == SENT
    assert (outcome(becomes_vip), becomes_vip.detail) == (CANCELLED, "Leaves early: vip is true")
    assert (outcome(upgrades), upgrades.detail) == (CANCELLED, "No longer meets the conditions to enter")


@pytest.mark.parametrize("rechecks", [True, False])
def test_the_conditions_of_the_trigger_are_asked_again_where_the_step_says_so(rechecks: bool) -> None:
    step = {**send(), **({"recheck": "trigger"} if rechecks else {})}
    make_campaign(step, delay(), trigger={"event": "Signed Up", "where": {"trait": "plan", "is": "free"}})
    person = ada(plan="free")
    message = enters(person)
    Profile.objects.filter(pk=person.pk).update(traits={"plan": "pro"})
    assert outcome(message) == (CANCELLED if rechecks else SENT)
    assert Journey.objects.get().state == Journey.State.WAITING, "it goes on"


def test_who_unsubscribes_gets_no_transactional_mail_of_a_campaign_that_they_leave_by_that() -> None:
    receipt = make_template("Receipt", purpose=Purpose.TRANSACTIONAL)
    make_campaign(
        {"id": "mail", "kind": "send", "template": receipt.pk}, exits=[{"when": "unsubscribe"}], name="Leaves"
    )
    make_campaign({"id": "mail", "kind": "send", "template": receipt.pk}, name="Stays")
    person = ada()
    enters(person)
    consent.unsubscribe(person.pk, "manual")
    deliver()
    found = dict(Message.objects.values_list("visit__journey__campaign__name", "status"))
    assert found == {"Leaves": Status.SKIPPED, "Stays": Status.DELIVERED}


def test_without_goal_and_rules_a_message_carries_nothing() -> None:
    make_campaign(send())
    assert enters(ada()).unless is None


def test_recheck_is_trigger_or_nothing() -> None:
    step = {"id": "mail", "kind": "send", "template": 1, "recheck": "always"}
    found = problems({"trigger": {"event": "Signed Up"}, "steps": [step]})
    assert [problem.path for problem in found] == ["steps[0].recheck"]
