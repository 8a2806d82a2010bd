"""What workers run for campaigns: each claims rows until nothing is due or its slice of time is over."""

from __future__ import annotations

import time
from typing import Any

from celery import Task, shared_task
from django.utils import timezone

from campaigns import (
    alerts,
    calling,
    dates,
    enrollment,
    guards,
    intakes,
    metrics,
    moving,
    rollouts,
    runner,
    timetables,
    watch,
)
from campaigns.backtest import keeping
from campaigns.pace import Alone, Pace
from events import nudges

SLICE_SECONDS = 10.0
# Until a batch may begin its nudge stays marked, so that nobody sends another.
GATHERING = Pace(seconds=0.2)


def evaluate() -> None:
    GATHERING.wait()
    nudges.begin("pending")
    deadline = time.monotonic() + SLICE_SECONDS
    if not enrollment.enroll_pending(deadline, to_the_last=False):
        GATHERING.forget()
    enrollment.enroll_waiting(deadline)


EVALUATION = Alone(evaluate)


@shared_task(bind=True)
def enroll(self: Task[Any, Any]) -> None:
    if self.request.called_directly:
        evaluate()
    elif EVALUATION.ask(SLICE_SECONDS):
        nudges.nudge("pending")


@shared_task
def run_journeys() -> None:
    nudges.begin("journeys")
    runner.run_due(time.monotonic() + SLICE_SECONDS)


@shared_task
def let_in() -> None:
    deadline = time.monotonic() + SLICE_SECONDS
    timetables.open_due(timezone.now())
    dates.turn_due(deadline)
    dates.build(deadline)
    intakes.run_due(deadline)


@shared_task
def change_versions() -> None:
    nudges.begin("moves")
    moving.run_due(time.monotonic() + SLICE_SECONDS)


@shared_task
def run_backtests() -> None:
    nudges.begin("backtests")
    keeping.run_due()


@shared_task
def make_calls() -> None:
    nudges.begin("calls")
    calling.run_due(time.monotonic() + SLICE_SECONDS)


@shared_task
def fold_counts() -> None:
    """Fold figures and, while they are fresh, stop whose messages go wrong; let roll-outs that go well go on."""
    metrics.fold()
    now = timezone.now()
    guards.check(now)
    guards.check_carriers(now)
    rollouts.advance_due(now)


@shared_task
def watch_campaigns() -> None:
    now = timezone.now()
    watch.look(now)
    metrics.forget_recent(now)
    alerts.tell(now)
