"""What workers run for campaigns: each claims rows until nothing is due or its slice of time is over."""

from __future__ import annotations

import time

from celery import shared_task

from campaigns import calling, enrollment, metrics, runner
from campaigns.pace import Pace
from events import nudges

SLICE_SECONDS = 10.0
# Until a batch may begin its nudge stays marked, so that nobody sends another.
GATHERING = Pace(seconds=0.2)


@shared_task
def enroll() -> None:
    GATHERING.wait()
    nudges.begin("pending")
    deadline = time.monotonic() + SLICE_SECONDS
    if not enrollment.enroll_pending(deadline, to_the_last=False):
        GATHERING.forget()
    enrollment.enroll_waiting(deadline)


@shared_task
def run_journeys() -> None:
    nudges.begin("journeys")
    runner.run_due(time.monotonic() + SLICE_SECONDS)


@shared_task
def make_calls() -> None:
    nudges.begin("calls")
    calling.run_due(time.monotonic() + SLICE_SECONDS)


@shared_task
def fold_counts() -> None:
    metrics.fold()
