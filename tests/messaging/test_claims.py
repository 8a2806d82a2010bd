"""Who has which message, and what becomes of it when its worker dies."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from messaging import claims
from messaging.models import Message, Priority
from messaging.reasons import Reason
from messaging.retry import MAX_ATTEMPTS
from messaging.states import Status
from tests.factories import make_message

pytestmark = pytest.mark.django_db


def dead(**columns: Any) -> Message:
    """A message whose worker has not been heard of since its lease ended."""
    return make_message(status=Status.SENDING, lease_until=timezone.now() - timedelta(seconds=1), attempts=1, **columns)


def recovered(message: Message) -> Message:
    claims.recover(timezone.now())
    message.refresh_from_db()
    return message


def test_a_claim_is_a_lease_and_a_try() -> None:
    message = make_message()
    now = timezone.now()
    (claimed,) = claims.claim(now, 10)
    assert claimed == message
    assert (claimed.status, claimed.attempts, claimed.lease_until) == (Status.SENDING, 1, now + claims.LEASE)
    assert claims.claim(now, 10) == []


def test_claims_what_has_been_due_longest() -> None:
    now = timezone.now()
    late, later = make_message(due_at=now - timedelta(hours=1)), make_message(due_at=now - timedelta(hours=2))
    assert [message.pk for message in claims.claim(now, 1)] == [later.pk]
    assert [message.pk for message in claims.claim(now, 1)] == [late.pk]


def test_what_is_important_goes_before_what_fell_due_a_little_earlier() -> None:
    now = timezone.now()
    made = {
        name: make_message(priority=Priority[name], due_at=now - timedelta(minutes=minutes)).pk
        for name, minutes in (("LOW", 4), ("NORMAL", 3), ("HIGH", 2), ("URGENT", 1))
    }
    turns = [message.pk for _ in range(4) for message in claims.claim(now, 1)]
    assert turns == [made["URGENT"], made["HIGH"], made["NORMAL"], made["LOW"]]


def test_what_is_low_does_not_starve() -> None:
    now = timezone.now()
    low = make_message(priority=Priority.LOW, due_at=now - timedelta(hours=4, minutes=1))
    make_message(due_at=now)
    assert [message.pk for message in claims.claim(now, 1)] == [low.pk]


def test_what_is_important_but_not_due_yet_holds_nobody_up() -> None:
    now = timezone.now()
    make_message(priority=Priority.URGENT, due_at=now + timedelta(seconds=1))
    normal = make_message(due_at=now)
    assert [message.pk for message in claims.claim(now, 10)] == [normal.pk]


def test_a_turn_is_found_by_an_index_in_a_long_queue() -> None:
    first = make_message(priority=Priority.HIGH)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO messaging_message"
            " (public_id, key, profile_id, template_version_id, purpose, variables, due_at)"
            " SELECT gen_random_uuid(), 'many-' || n, %s, %s, 'marketing', '{}', now() - n * interval '1 second'"
            " FROM generate_series(1, 5000) n",
            [first.profile_id, first.template_version_id],
        )
        cursor.execute("ANALYZE messaging_message")
        now = timezone.now()
        parameters = {"now": now, "lease": now, "limit": 32, "gathered": now, "test_keys": "test:%"}
        cursor.execute("EXPLAIN " + claims.CLAIM, parameters)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "message_turn" in plan and "Sort" not in plan, plan


def test_what_was_put_back_was_not_tried() -> None:
    make_message()
    claims.release(claims.claim(timezone.now(), 1))
    (again,) = claims.claim(timezone.now(), 1)
    assert again.attempts == 1


def test_a_lease_that_still_runs_is_left_alone() -> None:
    message = make_message(status=Status.SENDING, lease_until=timezone.now() + timedelta(seconds=1))
    assert recovered(message).status == Status.SENDING


@pytest.mark.parametrize("purpose", ["marketing", "transactional"])
def test_what_was_only_claimed_cannot_be_out_and_is_queued_again(purpose: str) -> None:
    message = recovered(dead(purpose=purpose))
    assert (message.status, message.reason, message.lease_until) == (Status.QUEUED, "", None)


def test_marketing_that_may_be_out_is_unknown() -> None:
    message = recovered(dead(called_at=timezone.now()))
    assert (message.status, message.reason) == (Status.UNKNOWN, Reason.OUTCOME_UNKNOWN)
    assert message.detail
    assert claims.claim(timezone.now(), 10) == []


def test_a_receipt_that_may_be_out_is_queued_again() -> None:
    assert recovered(dead(called_at=timezone.now(), purpose="transactional")).status == Status.QUEUED


def test_what_kills_its_worker_again_and_again_has_failed() -> None:
    message = dead()
    Message.objects.update(attempts=MAX_ATTEMPTS)
    assert recovered(message).status == Status.FAILED
