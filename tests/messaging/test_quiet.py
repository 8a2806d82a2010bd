"""Quiet hours: who waits, until when, and what is seen of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from datetime import time as clock
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from events.audit import Actor
from events.models import Profile
from messaging import delivery, limits
from messaging.models import TEST_KEY, Message, Priority, SendingLimits
from messaging.quiet import QuietHours
from messaging.reasons import Reason
from messaging.states import Status
from tests.factories import make_message, make_profile, make_provider, make_version

VIENNA = ZoneInfo("Europe/Vienna")
NIGHT = datetime(2026, 1, 10, 22, 30, tzinfo=UTC)  # half past eleven in Vienna
MORNING = datetime(2026, 1, 11, 7, 0, tzinfo=UTC)


@pytest.mark.parametrize("spares_urgent", [True, False])
@pytest.mark.parametrize("spares_transactional", [True, False])
@pytest.mark.parametrize(("purpose", "urgent"), [("marketing", False), ("marketing", True), ("transactional", True)])
def test_who_waits(spares_urgent: bool, spares_transactional: bool, purpose: str, urgent: bool) -> None:
    hours = QuietHours(clock(22), clock(8), spares_urgent, spares_transactional)
    goes = spares_transactional if purpose == "transactional" else urgent and spares_urgent
    until = hours.until(purpose=purpose, urgent=urgent, now=NIGHT, zone=VIENNA)
    assert until == (None if goes else MORNING)
    assert hours.until(purpose=purpose, urgent=urgent, now=MORNING, zone=VIENNA) is None


@pytest.fixture
def night(db: None) -> Iterator[None]:
    make_provider(is_default=True)
    limits.choose({"quiet_start": clock(22), "quiet_end": clock(8)}, Actor("tests"))
    with time_machine.travel(NIGHT, tick=False):
        yield


@pytest.fixture
def ada(night: None) -> Profile:
    return make_profile(email="ada@example.com", time_zone="Europe/Vienna")


def delivered(message: Message) -> Message:
    delivery.deliver_due(time.monotonic() + 20)
    message.refresh_from_db()
    return message


def message_to(profile: Profile, **columns: Any) -> Message:
    return make_message(profile, due_at=NIGHT, **columns)


def test_a_message_waits_until_the_persons_morning_and_goes_out_then(ada: Profile) -> None:
    message = delivered(message_to(ada))
    assert (message.status, message.reason, message.due_at) == (Status.QUEUED, Reason.QUIET_HOURS, MORNING)
    assert (message.attempts, message.detail) == (0, "until 08:00 in Europe/Vienna")
    with time_machine.travel(MORNING, tick=False):
        message = delivered(message)
    assert (message.status, message.reason, message.detail) == (Status.DELIVERED, "", "")


def test_each_has_a_clock_of_their_own(ada: Profile) -> None:
    there = make_profile(email="yuki@example.com", time_zone="Asia/Tokyo")  # half past seven in the morning
    nowhere = make_profile(email="who@example.com")  # half past ten in the evening, UTC
    tokyo, unknown = message_to(there), message_to(nowhere)
    assert delivered(tokyo).due_at == datetime(2026, 1, 10, 23, 0, tzinfo=UTC)
    assert delivered(unknown).due_at == datetime(2026, 1, 11, 8, 0, tzinfo=UTC)


def test_receipts_and_tests_do_not_wait_and_urgent_marketing_only_if_it_may(ada: Profile) -> None:
    receipt = message_to(ada, purpose="transactional", priority=Priority.URGENT)
    test = message_to(ada, key=f"{TEST_KEY}1", address="author@acme.example")
    urgent = message_to(ada, priority=Priority.URGENT)
    assert [delivered(one).status for one in (receipt, test, urgent)] == ["delivered", "delivered", "queued"]
    limits.choose({"quiet_spares_urgent": True}, Actor("tests"))
    assert delivered(message_to(ada, priority=Priority.URGENT)).status == Status.DELIVERED
    assert delivered(message_to(ada, priority=Priority.HIGH)).status == Status.QUEUED


def test_who_gets_nothing_anyway_is_told_so_at_once(night: None) -> None:
    nobody = make_profile(time_zone="Europe/Vienna")
    message = delivered(message_to(nobody))
    assert (message.status, message.reason) == (Status.SKIPPED, Reason.NO_ADDRESS)


def test_putting_off_costs_as_many_statements_for_many_as_for_one(ada: Profile) -> None:
    version, counts = make_version(), []
    for size in (1, delivery.BATCH - 1):
        for number in range(size):
            message_to(make_profile(email=f"p{number}@example.com"), template_version=version)
        with CaptureQueriesContext(connection) as statements:
            delivery.deliver_due(time.monotonic() + 20)
        counts.append(len(statements))
    assert counts[0] == counts[1]


def test_pages_say_until_when_it_waits(ada: Profile, admin_client: Client) -> None:
    message = delivered(message_to(ada))
    words = "Waits for the end of the quiet hours: until 08:00 in Europe/Vienna"
    for page in (f"/admin/messaging/message/{message.pk}/change/", f"/admin/events/profile/{ada.pk}/change/"):
        assert words in admin_client.get(page).content.decode()


@pytest.mark.django_db
def test_quiet_hours_are_set_and_taken_away(admin_client: Client) -> None:
    page = "/admin/messaging/sendinglimits/"
    said = {
        "mode": "normal",
        "quiet_start": "22:00",
        "quiet_end": "08:00",
        "quiet_spares_transactional": "on",
        "consent": "everybody",
    }
    assert admin_client.post(page, said).status_code == 302
    assert SendingLimits.current().quiet == QuietHours(clock(22), clock(8), False, True)
    assert "Quiet from: 22:00; Quiet until: 08:00." in admin_client.get(page).content.decode()
    assert admin_client.post(page, {**said, "quiet_start": "", "quiet_end": ""}).status_code == 302
    assert SendingLimits.current().quiet is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        ("22:00", "", "need a beginning and an end"),
        ("08:00", "08:00", "another time"),
        ("25:00", "", "quiet_start_error"),
    ],
)
def test_hours_that_are_none_are_refused(admin_client: Client, start: str, end: str, words: str) -> None:
    answer = admin_client.post(
        "/admin/messaging/sendinglimits/", {"mode": "normal", "quiet_start": start, "quiet_end": end}
    )
    assert words in answer.content.decode()
    assert not SendingLimits.objects.exists()
