"""What workers run for messages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from events import nudges
from messaging import tasks
from messaging.states import Status
from tests.factories import make_message, make_profile, make_provider

pytestmark = pytest.mark.django_db


@pytest.fixture
def nudged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    sent: list[str] = []
    monkeypatch.setattr(nudges, "_send", sent.append)
    return sent


def test_deliver_sends_what_is_due() -> None:
    make_provider(is_default=True)
    message = make_message(make_profile(email="ada@example.com"))
    tasks.deliver()
    message.refresh_from_db()
    assert message.status == Status.DELIVERED


def test_deliver_asks_for_another_turn_when_its_time_is_over(
    nudged: list[str], monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    make_message()
    monkeypatch.setattr(tasks, "SLICE_SECONDS", 0.0)
    with django_capture_on_commit_callbacks(execute=True):
        tasks.deliver()
    assert nudged == ["messages"]


def test_deliver_rests_when_nothing_is_due(nudged: list[str], django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        tasks.deliver()
    assert nudged == []


def test_recover_settles_what_a_dead_worker_held() -> None:
    message = make_message(status=Status.SENDING, lease_until=timezone.now() - timedelta(seconds=1))
    tasks.recover()
    message.refresh_from_db()
    assert message.status == Status.QUEUED


def test_a_nudge_for_messages_starts_the_delivery() -> None:
    assert nudges._tasks["messages"] is tasks.deliver
