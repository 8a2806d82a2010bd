"""Where a message is, in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from messaging.admin.whereabouts import describe, tone
from messaging.models import Message, Provider
from messaging.reasons import Reason
from messaging.states import Status

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def message(status: Status, **columns: object) -> Message:
    columns.setdefault("due_at", NOW)
    return Message(status=status, updated_at=NOW, created_at=NOW, **columns)


@pytest.mark.parametrize("status", list(Status))
def test_every_status_has_a_tone_and_words(status: Status) -> None:
    where = describe(message(status, sent_at=NOW), NOW)
    assert where.headline
    assert tone(status) in {"ok", "warn", "bad", "info", "muted"}


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_leads_to_advice(reason: Reason) -> None:
    where = describe(message(Status.SKIPPED, reason=reason), NOW)
    assert where.headline == reason.label
    assert where.explanation


def test_queued_message_names_the_moment_it_waits_for() -> None:
    later = NOW + timedelta(hours=2)
    where = describe(message(Status.QUEUED, due_at=later), NOW)
    assert (where.headline, where.moment) == ("Queued until its time has come", later)


def test_queued_message_that_failed_before_says_so() -> None:
    where = describe(message(Status.QUEUED, due_at=NOW + timedelta(minutes=1), attempts=2), NOW)
    assert where.explanation.startswith("Tried 2 times so far.")


def test_overdue_message_points_at_the_worker() -> None:
    where = describe(message(Status.QUEUED, due_at=NOW - timedelta(minutes=5)), NOW)
    assert where.tone == "warn"
    assert "worker" in where.explanation


def test_message_being_handed_over_shows_an_interruption() -> None:
    fresh = describe(message(Status.SENDING, lease_until=NOW + timedelta(seconds=30)), NOW)
    stale = describe(message(Status.SENDING, lease_until=NOW - timedelta(seconds=1)), NOW)
    assert (fresh.tone, stale.tone) == ("info", "warn")


def test_mail_servers_are_known_to_keep_silent() -> None:
    smtp = Provider(name="Relay", kind=Provider.Kind.SMTP)
    where = describe(message(Status.SENT, provider=smtp), NOW)
    assert where.headline == "Handed to Relay"
    assert "do not report" in where.explanation
