"""A person is erased while their events come in, their journeys move and their mails go out."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event as Signal
from threading import Thread
from typing import Any

import pytest
from django.db import connection

from campaigns import enrollment, runner
from campaigns.models import Journey
from events import counts, log, privacy
from events.audit import Actor
from events.ingest import ingest
from events.models import Event, Identity, Pending, Profile
from messaging import claims, composing, delivery, feedback, sending
from messaging.models import Message
from tests.campaigns import flow
from tests.factories import make_message, make_profile, make_source
from tests.fakes import FakeSendGrid
from tests.messaging.services import sendgrid_provider
from tests.races.test_ingest import NOW, check_people, deadlocks, identify, track
from tests.races.together import at_once

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]
ACTOR = Actor("test")
PEOPLE = 12


def erase_all(suppress: bool = False) -> None:
    privacy.erase(list(Profile.objects.values_list("pk", flat=True)), ACTOR, suppress=suppress)


def in_a_thread(work: Callable[[], Any]) -> Thread:
    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = Thread(target=run)
    thread.start()
    return thread


def test_erasing_beside_ingest_enrollment_runner_and_delivery_leaves_nobody_behind() -> None:
    source = make_source()
    flow.make_campaign(flow.delay(1), flow.send("first"), flow.delay(1, "again"), flow.send("second"), speed=60)
    sign_up = [track(user_id=f"u{n}", anonymous_id=f"a{n}", name="Signed Up") for n in range(PEOPLE)]
    known = [identify(f"u{n}", anonymous_id=f"a{n}", traits={"email": f'"u{n}@x.test"'}) for n in range(PEOPLE)]
    before, until = deadlocks(), time.monotonic() + 4

    def again_and_again(work: Callable[[], Any]) -> Callable[[], int]:
        def run() -> int:
            turns = 0
            while time.monotonic() < until:
                work()
                turns += 1
            return turns

        return run

    turns = at_once(
        [
            again_and_again(lambda: ingest(source, [*known, *sign_up], NOW)),
            again_and_again(lambda: ingest(source, [*reversed(sign_up), *known], NOW)),
            again_and_again(lambda: enrollment.enroll_pending(until)),
            again_and_again(lambda: runner.run_due(until)),
            again_and_again(lambda: delivery.deliver_due(until)),
            again_and_again(erase_all),
            again_and_again(erase_all),
        ]
    )
    assert min(turns) > 0
    erase_all()
    for model in (Profile, Event, Identity, Journey, Message):
        assert not model.objects.exists()
    assert enrollment.enroll_pending(time.monotonic() + 10) == Pending.objects.count() == 0
    assert deadlocks() == before


def test_figures_count_whatever_was_evaluated_however_many_are_erased_meanwhile() -> None:
    source, until = make_source(), time.monotonic() + 3
    evaluated: list[int] = []

    def report() -> None:
        while time.monotonic() < until:
            ingest(source, [track(user_id=f"u{n}", name="Signed Up") for n in range(PEOPLE)], NOW)

    def evaluate() -> None:
        while time.monotonic() < until:
            evaluated.append(enrollment.enroll_pending(until))

    def erase() -> None:
        while time.monotonic() < until:
            erase_all()

    at_once([report, report, evaluate, evaluate, erase, erase])
    erase_all()
    evaluated.append(enrollment.enroll_pending(time.monotonic() + 10))
    while counts.fold() == counts.FOLD_LIMIT:
        pass
    assert not Event.objects.exists() and not Pending.objects.exists()
    figures = counts.per_hour(["Signed Up"], NOW)
    assert sum(count for _, _, count in figures) == sum(evaluated) > PEOPLE


def test_whoever_is_suppressed_while_their_events_come_in_stays_away_and_the_others_lose_nothing() -> None:
    source, before = make_source(), deadlocks()
    until = time.monotonic() + 4
    gone, heard = [f"u{n}" for n in range(PEOPLE)], [f"v{n}" for n in range(PEOPLE)]
    sent: list[int] = []

    def report(order: int) -> Callable[[], None]:
        def run() -> None:
            while time.monotonic() < until:
                calls = [track(user_id=user, name="Hi") for user in (*gone, *heard)]
                calls += [identify(user, anonymous_id=f"a-{user}") for user in gone]
                ingest(source, calls[::order], NOW)
                sent.append(len(heard))

        return run

    def suppress() -> None:
        for user in gone:
            time.sleep(0.1)
            privacy.suppress_ids([user], ACTOR)
            assert not Profile.objects.filter(user_id=user).exists()
            assert not Event.objects.filter(profile__user_id=user).exists()

    at_once([report(1), report(-1), report(1), suppress])
    assert set(Profile.objects.values_list("user_id", flat=True)) == set(heard)
    assert Event.objects.count() == sum(sent) > 0
    assert set(Identity.objects.values_list("value", flat=True)) == set(heard)
    assert deadlocks() == before
    privacy.unsuppress_ids(gone, ACTOR)
    ingest(source, [track(user_id=user, name="Hi") for user in gone], NOW)
    assert set(gone) <= set(Profile.objects.values_list("user_id", flat=True))


def test_an_event_that_waits_for_a_suppressing_erasure_is_ignored() -> None:
    source, person = make_source(), make_profile("ada")
    looked_up, go_on = Signal(), Signal()
    write = log.write

    def write_late(*args: Any, **named: Any) -> None:
        looked_up.set()
        assert go_on.wait(10)
        write(*args, **named)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(log, "write", write_late)
        writer = in_a_thread(lambda: ingest(source, [track(user_id="ada")], NOW))
        assert looked_up.wait(10)
        privacy.erase([person.pk], ACTOR, suppress=True)
        go_on.set()
        writer.join(20)
    assert not Profile.objects.exists() and not Event.objects.exists()
    check_people()


def test_a_journey_that_is_being_moved_sends_nothing_after_the_erasure_and_its_worker_goes_on() -> None:
    before = deadlocks()
    flow.make_campaign()
    person = make_profile(traits={"email": "ada@example.com"})
    flow.happens(person)
    enrollment.enroll_pending(time.monotonic() + 10)
    claimed, go_on = Signal(), Signal()
    write = runner._write

    def write_late(*args: Any) -> None:
        claimed.set()
        assert go_on.wait(10)
        write(*args)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(runner, "_write", write_late)
        mover = in_a_thread(lambda: runner.run_due(time.monotonic() + 5))
        assert claimed.wait(10)
        eraser = in_a_thread(lambda: privacy.erase([person.pk], ACTOR))
        time.sleep(0.5)
        go_on.set()
        mover.join(20)
        eraser.join(20)
    assert not Message.objects.exists() and not Journey.objects.exists() and not Profile.objects.exists()
    assert deadlocks() == before


def test_a_claimed_message_is_not_handed_over_once_its_person_is_erased() -> None:
    with FakeSendGrid() as sendgrid:
        person = make_profile(traits={"email": "ada@example.com"})
        make_message(person, provider=sendgrid_provider(sendgrid))
        call = claims.call

        def erase_first(*args: Any) -> Any:
            privacy.erase([person.pk], ACTOR)
            return call(*args)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(claims, "call", erase_first)
            delivery.deliver_due(time.monotonic() + 10)
        assert sendgrid.taken == []
    assert not Message.objects.exists()


def test_what_comes_back_about_an_erased_message_stores_nothing() -> None:
    with FakeSendGrid() as sendgrid:
        person = make_profile(traits={"email": "ada@example.com"})
        message = make_message(person, provider=sendgrid_provider(sendgrid))
        report = feedback.Report("opened", "k", NOW, message_public_id=str(message.public_id))
        hand_over, lock = sending.hand_over, feedback.lock_messages

        def erase_after(prepared: list[composing.Prepared], *others: Any) -> list[composing.Outcome]:
            outcomes = hand_over(prepared, *others)
            with pytest.MonkeyPatch.context() as patched:
                patched.setattr(feedback, "lock_messages", lambda ids: erase_and_lock(ids))
                assert feedback.record([report]) == 0
            return outcomes

        def erase_and_lock(ids: Any) -> Any:
            thread = in_a_thread(lambda: privacy.erase([person.pk], ACTOR))
            thread.join(20)
            return lock(ids)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(sending, "hand_over", erase_after)
            delivery.deliver_due(time.monotonic() + 10)
        assert len(sendgrid.taken) == 1, "it was out already"
    assert not Message.objects.exists() and not Event.objects.exists() and not Profile.objects.exists()
