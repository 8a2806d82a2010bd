"""What to do after a failed try: again later, or no more. Pure: the clock and the chance are arguments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from messaging.errors import SendError
from messaging.policy import MARKETING
from messaging.reasons import Reason
from messaging.states import Status

# 5 s, 10 s, 20 s … up to an hour apart: the last of them about three and a half hours after the first.
FIRST = timedelta(seconds=5)
LONGEST = timedelta(hours=1)
MAX_ATTEMPTS = 13


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again, not before ``at``."""

    at: datetime


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Leave it: the message gets ``status`` and ``reason``."""

    status: Status
    reason: Reason


def decide(
    error: SendError, *, purpose: str, attempts: int, now: datetime, jitter: float, takes_once: bool = False
) -> Retry | GiveUp:
    """Say what follows from ``error`` after ``attempts`` tries (this one counts); ``jitter`` is within 0 and 1.

    A marketing message that may have gone out is not sent again, unless its provider ``takes_once`` what it is given
    twice; a transactional one rather twice than never.
    """
    if error.outcome_unknown and purpose == MARKETING and not takes_once:
        return GiveUp(Status.UNKNOWN, Reason.OUTCOME_UNKNOWN)
    if error.permanent:
        return GiveUp(Status.FAILED, Reason.PROVIDER_REFUSED)
    if attempts >= MAX_ATTEMPTS:
        return GiveUp(Status.FAILED, Reason.PROVIDER_UNREACHABLE)
    return Retry(now + max(wait(attempts, jitter), timedelta(seconds=error.after)))


def wait(attempts: int, jitter: float) -> timedelta:
    """Return how long to wait after ``attempts`` tries: doubling, spread over 75 % to 125 %."""
    doubled: timedelta = FIRST * 2 ** min(max(attempts, 1) - 1, 20)
    return min(doubled, LONGEST) * (0.75 + jitter / 2)
