"""Frequency caps at work: what is held, dropped and given up, what counts, and what is seen of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from events.audit import Actor
from events.models import Profile
from messaging import caps, delivery, feedback, limits, merging, outbox
from messaging.models import TEST_KEY, FrequencyCap, Message, Priority
from messaging.reasons import Reason
from messaging.states import Status
from tests.factories import make_message, make_profile, make_provider, make_template, make_topic, make_version
from tests.fakes import FakeSendGrid, Mishap
from tests.messaging.services import sendgrid_provider

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


@pytest.fixture(autouse=True)
def noon() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def sendgrid() -> Iterator[FakeSendGrid]:
    with FakeSendGrid() as fake:
        yield fake


@pytest.fixture
def ada() -> Profile:
    make_provider(is_default=True)
    return make_profile(email="ada@example.com", time_zone="Europe/Vienna")


def make_cap(most: int = 1, **columns: Any) -> FrequencyCap:
    return FrequencyCap.objects.create(most=most, **{"window_length": 1, **columns})


def message_to(profile: Profile, **columns: Any) -> Message:
    return make_message(profile, **{"due_at": NOW - MINUTE, **columns})


def deliver() -> int:
    return delivery.deliver_due(time.monotonic() + 20)


def later(noon: time_machine.Traveller, by: timedelta) -> None:
    """Let time pass, and what has fallen due meanwhile be gathered and sent."""
    noon.shift(by + caps.GATHERING)
    deliver()


def state(message: Message) -> tuple[str, str]:
    message.refresh_from_db()
    return message.status, message.reason


HELD, GONE = (Status.QUEUED, Reason.CAPPED), (Status.DELIVERED, "")


def test_what_finds_no_room_waits_for_it_and_goes_then(ada: Profile, noon: time_machine.Traveller) -> None:
    make_cap()
    first, second = message_to(ada), message_to(ada)
    deliver()
    assert state(first) == GONE
    assert (state(second), second.due_at, second.held_since) == (HELD, NOW + caps.PAUSE, None)
    later(noon, caps.PAUSE)
    assert (state(second), second.due_at) == (HELD, first.sent_at + DAY)
    assert second.detail == "“At most 1 a day” until 3 March, 13:00 in Europe/Vienna"
    assert (second.attempts, second.held_since) == (0, NOW + caps.PAUSE + caps.GATHERING)
    later(noon, DAY)
    assert state(second) == GONE
    third = message_to(ada)
    deliver()
    assert state(third) == HELD


def test_the_most_important_goes_first_whoever_came_first(ada: Profile, noon: time_machine.Traveller) -> None:
    make_cap()
    low, normal, high = (message_to(ada, priority=p) for p in (Priority.LOW, Priority.NORMAL, Priority.HIGH))
    # A worker that has the low one alone lets the others go first.
    Message.objects.exclude(pk=low.pk).update(due_at=NOW)
    deliver()
    assert state(low) == HELD
    assert low.detail == "“At most 1 a day”, and another message goes first"
    later(noon, timedelta(0))
    assert [state(one) for one in (low, normal, high)] == [HELD, HELD, GONE]
    later(noon, DAY)
    later(noon, MINUTE)
    assert [state(one) for one in (low, normal)] == [HELD, GONE]


def test_marketing_is_gathered_while_there_is_a_cap(ada: Profile, noon: time_machine.Traveller) -> None:
    message = message_to(ada, due_at=NOW)
    receipt = message_to(ada, due_at=NOW, purpose="transactional")
    test = message_to(ada, due_at=NOW, key=f"{TEST_KEY}1", address="author@acme.example")
    cap = make_cap(5)
    assert deliver() == 2
    assert [state(one)[0] for one in (message, receipt, test)] == ["queued", "delivered", "delivered"]
    later(noon, timedelta(0))
    assert state(message) == GONE
    FrequencyCap.objects.filter(pk=cap.pk).update(enabled=False)
    assert state(message_to(ada, due_at=NOW)) == (Status.QUEUED, "")
    assert deliver() == 1, "without a cap nothing is waited for"


def test_what_does_not_count_leaves_the_room_free(ada: Profile, noon: time_machine.Traveller) -> None:
    make_cap()
    at = {"sent_at": NOW - MINUTE, "called_at": NOW - MINUTE}
    for number, columns in enumerate(
        [
            {"purpose": "transactional", "status": Status.DELIVERED},
            {"key": f"{TEST_KEY}1", "status": Status.OPENED},
            {"redirected": True, "status": Status.SENT},
            {"status": Status.FAILED, "sent_at": None},
            {"status": Status.SKIPPED, "sent_at": None, "called_at": None},
            {"status": Status.REJECTED},
            {"status": Status.BOUNCED},
            {"status": Status.SENT, "sent_at": NOW - DAY},
        ]
    ):
        make_message(ada, **{"key": f"past-{number}", **at, **columns})
    make_message(status=Status.SENT, **at)
    message = message_to(ada)
    deliver()
    assert state(message) == GONE


@pytest.mark.parametrize(
    "columns",
    [
        {"status": Status.SENT, "sent_at": NOW - MINUTE},
        {"status": Status.CLICKED, "sent_at": NOW - MINUTE},
        {"status": Status.COMPLAINED, "sent_at": NOW - MINUTE},
        {"status": Status.UNKNOWN, "called_at": NOW - MINUTE},
    ],
)
def test_what_was_sent_or_may_have_been_counts(ada: Profile, columns: dict[str, Any]) -> None:
    make_cap()
    make_message(ada, **columns)
    message = message_to(ada)
    deliver()
    assert (state(message), message.due_at) == (HELD, NOW - MINUTE + DAY)


def test_receipts_and_tests_go_in_any_case(ada: Profile) -> None:
    make_cap()
    make_message(ada, status=Status.SENT, sent_at=NOW - MINUTE)
    receipt = message_to(ada, purpose="transactional")
    test = message_to(ada, key=f"{TEST_KEY}1", address="author@acme.example")
    deliver()
    assert [state(one) for one in (receipt, test)] == [GONE, GONE]


def test_urgent_marketing_passes_only_where_it_may(ada: Profile) -> None:
    cap = make_cap()
    make_message(ada, status=Status.SENT, sent_at=NOW - MINUTE)
    urgent = message_to(ada, priority=Priority.URGENT)
    deliver()
    assert state(urgent) == HELD
    cap.urgent_passes = True
    limits.store_cap(cap, Actor("tests"))
    Message.objects.filter(pk=urgent.pk).update(due_at=NOW - MINUTE)
    high = message_to(ada, priority=Priority.HIGH)
    deliver()
    assert [state(urgent), state(high)] == [GONE, HELD]


def test_a_cap_of_a_topic_holds_what_is_about_it(ada: Profile) -> None:
    news = make_topic()
    make_cap(topic=news)
    version = make_version(make_template(topic=news))
    make_message(ada, status=Status.SENT, sent_at=NOW - MINUTE, template_version=version)
    about, other = message_to(ada, template_version=version), message_to(ada)
    deliver()
    assert [state(about), state(other)] == [HELD, GONE]
    assert about.detail.startswith("“At most 1 a day about Newsletter” until")


def test_a_cap_may_drop(ada: Profile, admin_client: Client) -> None:
    make_cap(when_full="drop")
    make_message(ada, status=Status.SENT, sent_at=NOW - MINUTE)
    message = message_to(ada)
    deliver()
    assert state(message) == (Status.SKIPPED, Reason.CAP_FULL)
    words = "Dropped by a frequency cap: “At most 1 a day”"
    for page in (f"/admin/messaging/message/{message.pk}/change/", f"/admin/events/profile/{ada.pk}/change/"):
        assert words in admin_client.get(page).content.decode()


def test_what_has_waited_long_enough_is_given_up(ada: Profile, noon: time_machine.Traveller) -> None:
    make_cap(window_length=30, give_up_hours=48)
    make_message(ada, status=Status.SENT, sent_at=NOW - MINUTE)
    message = message_to(ada)
    deliver()
    assert (state(message), message.due_at) == (HELD, NOW + 2 * DAY)
    words = "“At most 1 in 30 days”; not sent if there is no room until 4 March, 13:00 in Europe/Vienna"
    assert message.detail == words
    later(noon, 2 * DAY)
    assert state(message) == (Status.SKIPPED, Reason.CAP_WAITED)


def test_what_comes_back_makes_room_for_who_waits(ada: Profile, noon: time_machine.Traveller) -> None:
    """Who is held is called up as soon as somebody looks, before what is less important."""
    make_cap()
    first = make_message(ada, status=Status.SENT, sent_at=NOW - MINUTE)
    held = message_to(ada, priority=Priority.HIGH)
    deliver()
    assert state(held) == HELD
    feedback.record([feedback.Report("bounced", "b", NOW, message_public_id=str(first.public_id))])
    lower = message_to(ada)
    deliver()
    assert state(lower) == HELD
    assert (state(held), held.due_at) == (HELD, NOW)
    later(noon, timedelta(0))
    assert [state(held), state(lower)] == [GONE, HELD]


def test_a_cap_that_is_changed_or_deleted_lets_what_it_holds_be_looked_at(
    ada: Profile, noon: time_machine.Traveller
) -> None:
    cap = make_cap()
    make_message(ada, status=Status.SENT, sent_at=NOW - MINUTE)
    message, other = message_to(ada), message_to(ada)
    deliver()
    assert [state(message), state(other)] == [HELD, HELD]
    cap.most = 2
    limits.store_cap(cap, Actor("tests"))
    later(noon, timedelta(0))
    later(noon, caps.PAUSE)
    assert [state(message), state(other)] == [GONE, HELD]
    limits.remove_cap(cap, Actor("tests"))
    deliver()
    assert state(other) == GONE


def test_what_is_tried_again_keeps_its_place_and_what_failed_frees_it(
    ada: Profile, sendgrid: FakeSendGrid, noon: time_machine.Traveller
) -> None:
    make_cap()
    provider = sendgrid_provider(sendgrid)
    sendgrid.mishaps.append(Mishap(503))
    low = message_to(ada, provider=provider, priority=Priority.LOW)
    deliver()
    low.refresh_from_db()
    assert (low.status, low.attempts, low.admitted_at) == (Status.QUEUED, 1, NOW)
    high = message_to(ada, provider=provider, priority=Priority.HIGH)
    deliver()
    assert (state(high), high.due_at) == (HELD, low.due_at + caps.PAUSE)
    sendgrid.mishaps.append(Mishap(400))
    later(noon, low.due_at - NOW)
    assert state(low)[0] == Status.FAILED
    later(noon, caps.PAUSE)
    assert state(high)[0] == Status.SENT
    outbox.requeue(low)
    Message.objects.filter(pk=low.pk).update(due_at=low.due_at)
    later(noon, MINUTE)
    assert state(low) == HELD, "sent again it has no place any more"


def test_who_becomes_one_person_has_one_account(ada: Profile) -> None:
    make_cap()
    other = make_profile(email="ada@example.com")
    make_message(other, status=Status.SENT, sent_at=NOW - MINUTE)
    merging.follow_merge(None, [(other.pk, ada.pk)])
    message = message_to(ada)
    deliver()
    assert state(message) == HELD


def test_quiet_hours_take_the_place_away(ada: Profile) -> None:
    """A retry that falls into the night does not keep others waiting."""
    make_cap()
    message = message_to(ada, admitted_at=NOW - MINUTE, attempts=1)
    limits.choose({"quiet_start": NOW.time(), "quiet_end": (NOW + 9 * 60 * MINUTE).time()}, Actor("tests"))
    deliver()
    assert state(message) == (Status.QUEUED, Reason.QUIET_HOURS)
    assert message.admitted_at is None


@pytest.mark.parametrize("held", [False, True])
def test_the_number_of_statements_does_not_grow_with_the_batch(ada: Profile, held: bool) -> None:
    make_cap()
    version, counts = make_version(), []
    for size in (1, delivery.BATCH - 1):
        for number in range(size):
            person = make_profile(email=f"p{number}@example.com")
            if held:
                make_message(person, status=Status.SENT, sent_at=NOW - MINUTE, template_version=version)
            message_to(person, template_version=version)
        with CaptureQueriesContext(connection) as statements:
            deliver()
        counts.append(len(statements))
    assert counts[0] == counts[1]


def test_without_a_cap_it_costs_one_statement_a_batch(ada: Profile) -> None:
    message_to(ada)
    with CaptureQueriesContext(connection) as statements:
        deliver()
    asked = [one["sql"] for one in statements if 'FROM "messaging_frequencycap"' in one["sql"]]
    assert len(asked) == 1
    assert not any("NO KEY UPDATE" in one["sql"] for one in statements)


def test_pages_say_which_cap_holds_a_message_and_until_when(ada: Profile, admin_client: Client) -> None:
    make_cap(2)
    for _ in range(2):
        make_message(ada, status=Status.SENT, sent_at=NOW - MINUTE)
    message = message_to(ada)
    deliver()
    words = "Held by a frequency cap: “At most 2 a day” until 3 March, 12:59 in Europe/Vienna"
    for page in (f"/admin/messaging/message/{message.pk}/change/", f"/admin/events/profile/{ada.pk}/change/"):
        assert words in admin_client.get(page).content.decode()
