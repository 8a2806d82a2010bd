"""What follows from a failed try."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from messaging.errors import SendError
from messaging.reasons import Reason
from messaging.retry import FIRST, LONGEST, MAX_ATTEMPTS, GiveUp, Retry, decide, wait
from messaging.states import Status

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
LATER = SendError("busy", permanent=False)
NEVER = SendError("no", permanent=True)
DOUBT = SendError("cut off", permanent=False, outcome_unknown=True)


def after(error: SendError, *, purpose: str = "marketing", attempts: int = 1) -> Retry | GiveUp:
    return decide(error, purpose=purpose, attempts=attempts, now=NOW, jitter=0.5)


def test_a_refusal_is_final() -> None:
    assert after(NEVER) == GiveUp(Status.FAILED, Reason.PROVIDER_REFUSED)


def test_trouble_that_may_pass_is_tried_again() -> None:
    assert after(LATER) == Retry(NOW + FIRST)


def test_waits_double_and_stay_within_an_hour() -> None:
    waits = [wait(attempts, 0.5) for attempts in range(1, MAX_ATTEMPTS)]
    assert waits[:4] == [FIRST, FIRST * 2, FIRST * 4, FIRST * 8]
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST
    assert timedelta(hours=3) < sum(waits, timedelta()) < timedelta(hours=4)


@pytest.mark.parametrize(("jitter", "share"), [(0.0, 0.75), (1.0, 1.25)])
def test_chance_spreads_the_waits(jitter: float, share: float) -> None:
    assert wait(3, jitter) == FIRST * 4 * share


def test_gives_up_at_last() -> None:
    assert isinstance(after(LATER, attempts=MAX_ATTEMPTS - 1), Retry)
    assert after(LATER, attempts=MAX_ATTEMPTS) == GiveUp(Status.FAILED, Reason.PROVIDER_UNREACHABLE)


def test_in_doubt_marketing_is_not_sent_again() -> None:
    assert after(DOUBT) == GiveUp(Status.UNKNOWN, Reason.OUTCOME_UNKNOWN)


def test_in_doubt_a_receipt_is_rather_sent_twice_than_never() -> None:
    assert isinstance(after(DOUBT, purpose="transactional"), Retry)
