"""Who has which message, and what becomes of it when its worker dies."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from messaging import claims
from messaging.models import Message
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
