"""Pace, limits of domains, warm-up, rests and stand-ins."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from messaging import delivery, reconciling
from messaging.carriers import allowed_today
from messaging.models import Message, Pace, Priority, Provider, Purpose
from tests.factories import make_message, make_profile, make_provider, make_version
from tests.fakes import FakePostmark, FakeSendGrid, Mishap
from tests.messaging.services import postmark_provider, sendgrid_provider

pytestmark = pytest.mark.django_db
NOON = datetime(2030, 5, 6, 12, 0, tzinfo=UTC)


@pytest.fixture
def sendgrid() -> Iterator[FakeSendGrid]:
    with FakeSendGrid() as running:
        yield running


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(NOON, tick=False) as moved:
        yield moved


def queue(count: int, *, domain: str = "example.com", **columns: Any) -> list[Message]:
    version = make_version()
    return [
        make_message(
            make_profile(email=f"p{number}@{domain}"), template_version=version, due_at=timezone.now(), **columns
        )
        for number in range(count)
    ]


def deliver() -> None:
    delivery.deliver_due(float("inf"))


def statuses() -> dict[str, int]:
    found: dict[str, int] = {}
    for status in Message.objects.values_list("status", flat=True):
        found[status] = found.get(status, 0) + 1
    return found


def test_a_provider_takes_so_many_a_second_and_the_others_have_a_place_in_the_line(
    sendgrid: FakeSendGrid, clock: Any
) -> None:
    sendgrid_provider(sendgrid, is_default=True, per_second=5)
    queue(30)
    sent = []
    for second in range(8):
        clock.move_to(NOON + timedelta(seconds=second))
        deliver()
        sent.append(len(sendgrid.taken))
    # A second's worth ahead at once, and from then on the pace.
    assert sent[0] <= 6
    assert all(later - earlier <= 6 for earlier, later in zip(sent, sent[1:], strict=False))
    assert sent[-1] == 30
    assert Message.objects.filter(attempts__gt=1).count() == 0


def test_what_is_urgent_does_not_wait_behind_a_broadcast(sendgrid: FakeSendGrid, clock: Any) -> None:
    sendgrid_provider(sendgrid, is_default=True, per_second=2)
    queue(50)
    deliver()
    (urgent,) = queue(1, domain="urgent.example", purpose=Purpose.TRANSACTIONAL, priority=Priority.URGENT)
    deliver()
    urgent.refresh_from_db()
    assert urgent.status == "sent"


def test_a_domain_has_a_limit_of_its_own(sendgrid: FakeSendGrid, clock: Any) -> None:
    sendgrid_provider(sendgrid, is_default=True, domain_limits={"slow.example": 60})
    queue(20, domain="slow.example")
    queue(20)
    deliver()
    taken = [call.body["personalizations"][0]["to"][0]["email"] for call in sendgrid.taken]
    assert sum(address.endswith("@example.com") for address in taken) == 20
    assert sum(address.endswith("@slow.example") for address in taken) <= 2
    waiting = Message.objects.filter(status="queued").order_by("due_at")
    assert {message.reason for message in waiting} == {"paced"}
    assert waiting.last().due_at - NOON < timedelta(seconds=25)  # type: ignore[union-attr]


def test_a_new_sender_sends_a_little_more_each_day(sendgrid: FakeSendGrid, clock: Any) -> None:
    provider = sendgrid_provider(sendgrid, is_default=True, warm_up_from=NOON.date(), warm_up_first=10)
    assert [allowed_today(provider, NOON.date() + timedelta(days=day)) for day in (-1, 0, 1, 2, 40)] == [
        None,
        10,
        15,
        22,
        None,
    ]
    queue(40)
    (urgent,) = queue(1, domain="urgent.example", purpose=Purpose.TRANSACTIONAL, priority=Priority.URGENT)
    deliver()
    assert len(sendgrid.taken) == 11
    held = Message.objects.filter(status="queued")
    assert set(held.values_list("reason", "due_at")) == {("warming_up", datetime(2030, 5, 7, tzinfo=UTC))}
    clock.move_to(datetime(2030, 5, 7, 0, 0, 1, tzinfo=UTC))
    deliver()
    assert len(sendgrid.taken) == 11 + 15


def test_a_stand_in_carries_what_a_warming_sender_may_not(clock: Any) -> None:
    with FakeSendGrid() as cold, FakeSendGrid() as warm:
        stand_in = sendgrid_provider(warm)
        sendgrid_provider(cold, is_default=True, fallback=stand_in, warm_up_from=NOON.date(), warm_up_first=10)
        queue(40)
        deliver()
        assert (len(cold.taken), len(warm.taken)) == (10, 30)


def test_a_provider_that_fails_again_and_again_rests_and_comes_back(sendgrid: FakeSendGrid, clock: Any) -> None:
    provider = sendgrid_provider(sendgrid, is_default=True)
    sendgrid.mishaps.extend(Mishap(status=503) for _ in range(6))
    queue(6)
    deliver()
    row = Pace.objects.get(key=f"rest:{provider.pk}")
    assert (row.used, row.next_at) == (6, NOON + timedelta(seconds=6))
    queue(1, domain="late.example")
    calls = len(sendgrid.calls)
    deliver()
    assert len(sendgrid.calls) == calls
    assert Message.objects.filter(reason="provider_rests").count() == 1
    clock.move_to(NOON + timedelta(seconds=30))
    deliver()
    assert statuses() == {"sent": 7}
    assert Pace.objects.get(key=row.key).used == 0


def test_retry_after_is_heeded(sendgrid: FakeSendGrid, clock: Any) -> None:
    sendgrid_provider(sendgrid, is_default=True)
    answer = sendgrid.answer
    sendgrid.answer = lambda call: (429, {"errors": []}, {"Retry-After": "120"})  # type: ignore[method-assign]
    (message,) = queue(1)
    deliver()
    message.refresh_from_db()
    assert message.due_at >= NOON + timedelta(seconds=120)
    sendgrid.answer = answer  # type: ignore[method-assign]


def test_a_stand_in_takes_over_at_once_and_gives_back(clock: Any) -> None:
    with FakeSendGrid() as down, FakeSendGrid() as up:
        stand_in = sendgrid_provider(up)
        sendgrid_provider(down, is_default=True, fallback=stand_in)
        down.mishaps.extend(Mishap(status=500) for _ in range(5))
        queue(5)
        deliver()
        queue(10, domain="later.example")
        deliver()
        assert (len(down.taken), len(up.taken)) == (0, 10)
        clock.move_to(NOON + timedelta(minutes=6))
        queue(3, domain="back.example")
        deliver()
        assert len(down.taken) == 8


def test_a_provider_that_is_switched_off_has_its_stand_in(sendgrid: FakeSendGrid) -> None:
    make_provider(is_default=True, enabled=False, fallback=sendgrid_provider(sendgrid))
    queue(2)
    deliver()
    assert len(sendgrid.taken) == 2


# --- Doubt -----------------------------------------------------------------------------------------------------------


def test_postmark_is_asked_about_what_is_in_doubt() -> None:
    with FakePostmark() as postmark:
        provider = postmark_provider(postmark, is_default=True)
        called = timezone.now() - timedelta(minutes=2)
        known = make_message(status="unknown", reason="outcome_unknown", provider=provider, called_at=called)
        lost = make_message(status="unknown", reason="outcome_unknown", called_at=called)
        postmark.found[str(known.public_id)] = "pm-1"
        assert reconciling.search(timezone.now()) == 1
        known.refresh_from_db()
        lost.refresh_from_db()
        assert (known.status, known.provider_message_id, lost.status) == ("sent", "", "unknown")
        assert reconciling.search(timezone.now()) == 0


@pytest.mark.parametrize(("kind", "status"), [("resend", "queued"), ("sendgrid", "unknown")])
def test_after_a_crash_only_who_takes_a_message_once_is_given_it_again(kind: str, status: str) -> None:
    provider = make_provider(kind=kind)
    past = timezone.now() - timedelta(minutes=5)
    message = make_message(status="sending", provider=provider, called_at=past, lease_until=past, attempts=1)
    delivery.recover(timezone.now())
    message.refresh_from_db()
    assert message.status == status
    assert Provider.objects.get().kind == kind
