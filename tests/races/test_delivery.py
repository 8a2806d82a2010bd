"""Workers against each other, against people who merge, and against reports that are faster than the answer."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from threading import Event, Thread
from typing import Any

import pytest
from django.db import transaction

from events.merging import merge
from events.models import Event as LoggedEvent
from events.models import Profile
from messaging import delivery, feedback, sending
from messaging.models import Message, MessageBody, Purpose
from messaging.states import Status
from tests.factories import make_message, make_profile, make_provider, make_version
from tests.fakes import FakeSendGrid
from tests.messaging.services import sendgrid_provider
from tests.races.together import at_once

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]


def deliver() -> int:
    return delivery.deliver_due(time.monotonic() + 60)


def test_workers_at_once_send_each_message_once() -> None:
    with FakeSendGrid() as sendgrid:
        provider, version = sendgrid_provider(sendgrid), make_version()
        people = [make_profile(email=f"p{number}@example.com") for number in range(50)]
        messages = [make_message(people[n % 50], provider=provider, template_version=version) for n in range(200)]
        assert sum(at_once([deliver] * 4)) == len(messages)
        sent = Counter(sendgrid.message_ids())
    assert sent == Counter(str(message.public_id) for message in messages)
    assert set(Message.objects.values_list("status", flat=True)) == {Status.SENT}
    assert LoggedEvent.objects.filter(name="Email Sent").count() == len(messages)


def test_a_report_that_is_faster_than_the_answer_is_not_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeSendGrid() as sendgrid:
        message = make_message(make_profile(email="ada@example.com"), provider=sendgrid_provider(sendgrid))
        hand_over = sending.hand_over

        def report_meanwhile(*args: Any) -> Any:
            outcomes = hand_over(*args)
            now = outcomes[0].at
            feedback.record([feedback.Report("opened", "test:1", now, message_public_id=str(message.public_id))])
            return outcomes

        monkeypatch.setattr(sending, "hand_over", report_meanwhile)
        deliver()
    message.refresh_from_db()
    assert message.status == Status.OPENED
    assert message.provider_message_id
    assert MessageBody.objects.filter(message=message).exists()
    names = LoggedEvent.objects.order_by("id").values_list("name", flat=True)
    assert list(names) == ["Email Sent", "Email Opened"]


def test_a_person_who_is_merged_while_their_mail_goes_out_keeps_its_history() -> None:
    with FakeSendGrid() as sendgrid:
        sendgrid.delay = 0.3
        loser, winner = make_profile(email="ada@example.com"), make_profile()
        message = make_message(loser, provider=sendgrid_provider(sendgrid))
        sender = Thread(target=lambda: at_once([deliver]))
        sender.start()
        while not sendgrid.calls:
            time.sleep(0.01)
        with transaction.atomic():
            list(Profile.objects.select_for_update().filter(pk__in=[loser.pk, winner.pk]).order_by("pk"))
            merge([(loser.pk, winner.pk)])
        sender.join()
    message.refresh_from_db()
    assert (message.status, message.profile_id) == (Status.SENT, winner.pk)
    assert LoggedEvent.objects.get(name="Email Sent").profile_id == winner.pk


def test_settling_waits_for_a_merge_and_follows_it() -> None:
    """The merge has moved the messages, but not committed yet, when their outcomes are to be written."""
    loser, winner = make_profile(email="ada@example.com"), make_profile()
    message = make_message(loser, provider=make_provider())
    merged, done = Event(), Event()

    def merge_slowly() -> None:
        with transaction.atomic():
            list(Profile.objects.select_for_update().filter(pk__in=[loser.pk, winner.pk]).order_by("pk"))
            merge([(loser.pk, winner.pk)])
            merged.set()
            time.sleep(0.3)
        done.set()

    def report() -> int:
        merged.wait(10)
        report = feedback.Report("opened", "test:1", message.created_at, message_public_id=str(message.public_id))
        return feedback.record([report])

    Message.objects.update(status=Status.SENT)
    assert at_once([merge_slowly, report])[1] == 1
    assert done.is_set()
    assert LoggedEvent.objects.get(name="Email Opened").profile_id == winner.pk


def test_reports_and_settling_about_the_same_messages_never_deadlock() -> None:
    version, provider = make_version(), make_provider()
    people = [make_profile(email=f"p{number}@example.com") for number in range(20)]
    # Transactional, so that a reported unsubscription does not rightly keep some of them from being sent.
    columns = {"provider": provider, "template_version": version, "purpose": Purpose.TRANSACTIONAL}
    messages = [make_message(people[n % 20], **columns) for n in range(160)]

    def report(kind: str) -> Callable[[], int]:
        reports = [
            feedback.Report(kind, f"{kind}:{message.pk}", message.created_at, message_public_id=str(message.public_id))
            for message in reversed(messages)
        ]
        return lambda: sum(feedback.record(reports[start : start + 40]) for start in range(0, 160, 40))

    answers = at_once([deliver, deliver, report("opened"), report("clicked"), report("unsubscribed")])
    assert answers[2:] == [160, 160, 160]
    assert set(Message.objects.values_list("status", flat=True)) <= {Status.UNSUBSCRIBED}
