"""What workers run for campaigns: each claims rows until nothing is due or its slice of time is over."""

from __future__ import annotations

import time

from celery import shared_task

from campaigns import calling, enrollment, metrics, runner
from events import nudges

SLICE_SECONDS = 10.0


@shared_task
def enroll() -> None:
    nudges.begin("pending")
    deadline = time.monotonic() + SLICE_SECONDS
    enrollment.enroll_pending(deadline)
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
