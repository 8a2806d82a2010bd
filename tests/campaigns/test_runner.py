"""Journeys on the move: timers, branches, messages once, pauses, stuck ones set aside."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.utils import timezone

from campaigns import publishing, runner
from campaigns.models import Journey, Visit
from campaigns.reasons import Ending, Outcome
from events.models import Event, Profile
from messaging import delivery
from messaging.models import Message
from messaging.reasons import Reason
from messaging.states import Status
from tests.campaigns.flow import WINDOW, delay, happens, make_campaign, send, settle, statements
from tests.factories import make_profile

pytestmark = pytest.mark.django_db


def visits() -> list[tuple[str, str]]:
    return list(Visit.objects.order_by("journey_id", "number").values_list("step_id", "outcome"))


def test_a_journey_without_waits_sends_and_ends_at_once() -> None:
    campaign = make_campaign()
    happens(make_profile(), properties={"plan": "pro"})
    settle()
    journey, message = Journey.objects.get(), Message.objects.get()
    assert (journey.state, journey.ending, journey.due_at) == (Journey.State.ENDED, Ending.COMPLETED, None)
    assert message.key == f"journey:{journey.pk}:mail:1"
    assert message.variables["trigger"] == {"plan": "pro"}
    assert message.variables["campaign"] == {"id": campaign.pk, "name": campaign.name}
    assert Visit.objects.get().message == message


def test_timers_fire_in_their_time_and_not_before() -> None:
    with time_machine.travel(datetime(2026, 11, 18, 12, tzinfo=UTC), tick=False) as clock:
        make_campaign(delay(), WINDOW, send())
        happens(make_profile(time_zone="America/New_York"))
        settle()
        clock.shift(timedelta(minutes=59))
        settle()
        assert visits() == [("wait", "")]
        clock.shift(timedelta(minutes=1))  # 13:00 UTC is 8:00 in New York: an hour too early
        settle()
        assert Journey.objects.get().due_at == datetime(2026, 11, 18, 14, tzinfo=UTC)
        clock.shift(timedelta(hours=1))
        settle()
    assert visits() == [("wait", Outcome.WAITED), ("hours", Outcome.WAITED), ("mail", Outcome.SENT)]
    assert Message.objects.count() == 1


def test_a_branch_asks_the_database_and_takes_the_first_path_that_holds() -> None:
    paths = [
        {"id": "big", "if": {"property": "total", "gte": 100}, "steps": [{**send("big-mail")}]},
        {"id": "pro", "if": {"trait": "plan", "is": "pro"}, "steps": [{**send("pro-mail")}]},
        {"id": "else", "steps": [{"id": "out", "kind": "exit"}]},
    ]
    make_campaign({"id": "which", "kind": "branch", "paths": paths}, send("after"))
    for traits, total in (({"plan": "pro"}, 100), ({"plan": "pro"}, 5), ({}, 5)):
        happens(make_profile(traits=traits), properties={"total": total})
    settle()
    taken = [
        list(j.visits.order_by("number").values_list("step_id", flat=True)) for j in Journey.objects.order_by("pk")
    ]
    assert taken == [["which", "big-mail", "after"], ["which", "pro-mail", "after"], ["which", "out"]]
    assert [j.ending for j in Journey.objects.order_by("pk")] == [Ending.COMPLETED, Ending.COMPLETED, Ending.EXIT_STEP]
    assert list(Visit.objects.filter(step_id="which").order_by("pk").values_list("detail", flat=True)) == [
        "big",
        "pro",
        "else",
    ]


def test_a_wait_for_a_date_reads_the_trait_as_conditions_do_and_follows_its_change() -> None:
    until = {"trait": "plan.renews", "days": -14, "at": "09:00"}
    with time_machine.travel(datetime(2027, 3, 1, 12, tzinfo=UTC), tick=False) as clock:
        make_campaign({"id": "date", "kind": "delay", "until": until}, send())
        vienna = make_profile(time_zone="Europe/Vienna", traits={"plan": {"renews": "2027-04-10"}})
        numbers = make_profile(traits={"plan": {"renews": datetime(2027, 3, 31, tzinfo=UTC).timestamp()}})
        undated = make_profile(traits={"plan": {"renews": "soon"}})
        for person in (vienna, numbers, undated):
            happens(person)
        settle()
        assert {j.profile: j.due_at for j in Journey.objects.all()} == {
            vienna: datetime(2027, 3, 27, 8, tzinfo=UTC),
            numbers: datetime(2027, 3, 17, 9, tzinfo=UTC),
            undated: None,
        }
        Profile.objects.filter(pk=vienna.pk).update(traits={"plan": {"renews": "2027-05-10"}})
        clock.move_to(datetime(2027, 3, 27, 8, tzinfo=UTC))
        settle()
        assert Journey.objects.get(profile=vienna).due_at == datetime(2027, 4, 26, 7, tzinfo=UTC)
        clock.move_to(datetime(2027, 4, 26, 7, tzinfo=UTC))
        settle()
    assert Message.objects.filter(profile=vienna).count() == 1


def test_a_split_by_chance_sends_a_person_the_same_way_each_time_and_says_which() -> None:
    paths = [{"id": key, "name": key.upper(), "weight": 1, "steps": [send(f"mail-{key}")]} for key in "ab"]
    make_campaign({"id": "ab", "kind": "split", "paths": paths}, reentry={"rule": "always"})
    people = [make_profile() for _ in range(20)]
    for _ in range(2):
        for person in people:
            happens(person)
        settle()
    taken = {
        person: set(Visit.objects.filter(journey__profile=person, step_id="ab").values_list("outcome", "detail"))
        for person in people
    }
    assert all(len(ways) == 1 for ways in taken.values())
    assert set.union(*taken.values()) == {(Outcome.PATH, "A"), (Outcome.PATH, "B")}
    assert Message.objects.count() == 40


def test_a_step_of_a_visit_makes_one_message_however_often_it_is_tried() -> None:
    make_campaign()
    happens(make_profile())
    settle()
    Journey.objects.update(state="waiting", due_at=timezone.now(), step_id="", visit_number=0, step_entered_at=None)
    Visit.objects.all().delete()
    runner.run_due(time.monotonic() + 5)
    assert Message.objects.count() == 1
    with pytest.raises(IntegrityError), transaction.atomic():
        Message.objects.create(key=Message.objects.get().key, profile=make_profile(), template_version_id=1)


def test_a_pause_holds_everybody_and_a_resume_lets_them_go_on() -> None:
    campaign = make_campaign(delay(1), send())
    happens(make_profile())
    settle()
    publishing.pause(campaign)
    with time_machine.travel(timezone.now() + timedelta(minutes=1)):
        settle()
        assert Journey.objects.get().state == Journey.State.PAUSED
        assert not Message.objects.exists()
        publishing.resume(campaign)
        settle()
    assert Journey.objects.get().ending == Ending.COMPLETED
    assert Message.objects.count() == 1


def test_a_journey_keeps_its_version() -> None:
    campaign = make_campaign(delay(), send())
    happens(make_profile())
    settle()
    campaign.draft["steps"] = [send(), send("second")]
    campaign.save()
    publishing.publish(campaign, None, "Two are better.")
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        settle()
    assert visits() == [("wait", Outcome.WAITED), ("mail", Outcome.SENT)]


def test_waits_of_test_people_can_be_skipped_and_only_theirs() -> None:
    make_campaign(delay(), send())
    for is_test in (True, False):
        happens(make_profile(is_test=is_test))
    settle()
    tester, customer = Journey.objects.order_by("-is_test")
    runner.skip_wait(tester, "ada")
    assert list(tester.visits.order_by("number").values_list("outcome", "detail")) == [
        (Outcome.SKIPPED_BY_HAND, "by ada"),
        (Outcome.SENT, ""),
    ]
    with pytest.raises(ValueError, match="test people"):
        runner.skip_wait(customer, "ada")
    assert Message.objects.get().is_test


def test_a_pause_holds_also_who_would_skip_a_wait() -> None:
    campaign = make_campaign(delay(), send())
    happens(make_profile(is_test=True))
    settle()
    publishing.pause(campaign)
    assert not runner.skip_wait(Journey.objects.get(), "ada")
    assert Journey.objects.get().state == Journey.State.PAUSED
    assert visits() == [("wait", "")]


def test_a_stopped_journey_sends_nothing_more() -> None:
    make_campaign(delay(), send())
    happens(make_profile())
    settle()
    runner.stop(Journey.objects.get())
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        settle()
    journey = Journey.objects.get()
    assert (journey.state, journey.ending) == (Journey.State.ENDED, Ending.STOPPED)
    assert visits() == [("wait", Outcome.INTERRUPTED)]


def test_what_waits_in_the_outbox_is_taken_back_with_a_stopped_journey() -> None:
    make_campaign(send(), delay())
    happens(make_profile())
    settle()
    message = Message.objects.get()
    assert message.status == Status.QUEUED
    runner.stop(Journey.objects.get())
    delivery.deliver_due(time.monotonic() + 5)
    message.refresh_from_db()
    assert (message.status, message.reason) == (Status.SKIPPED, Reason.STOPPED)
    assert Event.objects.get(name="Email Skipped").properties["reason"] == Reason.STOPPED


def test_a_journey_that_fails_is_set_aside_and_can_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    make_campaign()
    good, bad = make_profile(), make_profile()
    happens(bad)
    happens(good)
    real = runner._draft

    def fail_for_bad(trip: runner.Trip, *rest: Any) -> Any:
        if trip.journey.profile_id == bad.pk:
            raise ArithmeticError("bad luck")
        return real(trip, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(runner, "_draft", fail_for_bad)
        settle()
    assert [message.profile for message in Message.objects.all()] == [good]
    stuck = Journey.objects.get(state=Journey.State.STUCK)
    assert (stuck.profile, stuck.error) == (bad, "ArithmeticError: bad luck")
    runner.retry(Journey.objects.filter(pk=stuck.pk))
    settle()
    assert Message.objects.filter(profile=bad).count() == 1


def test_statements_do_not_grow_with_the_batch() -> None:
    branch = {"id": "b", "kind": "branch", "paths": [{"id": "p", "if": {"trait": "x", "is": 1}, "steps": []}]}
    date = {"id": "date", "kind": "delay", "until": {"trait": "renews_at", "at": "09:00"}}
    make_campaign(branch, date, send(), delay(), goal={"event": "Order Completed"})

    def run(some: list[Profile]) -> int:
        for person in some:
            happens(person)
        from campaigns import enrollment

        enrollment.enroll_pending(time.monotonic() + 30)
        return statements(lambda: runner.run_due(time.monotonic() + 30))

    people = [make_profile() for _ in range(60)]
    run(people[:1])
    few, many = run(people[1:3]), run(people[3:])
    assert few == many
