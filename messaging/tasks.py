"""What workers run for messages: each claims rows until nothing is due or its slice of time is over."""

from __future__ import annotations

import time

from celery import shared_task
from django.utils import timezone

from events import nudges
from messaging import approval, delivery, pacing, reconciling

SLICE_SECONDS = 10.0


@shared_task
def deliver() -> None:
    nudges.begin("messages")
    deadline = time.monotonic() + SLICE_SECONDS
    delivery.deliver_due(deadline)
    if time.monotonic() >= deadline:
        nudges.nudge("messages")


@shared_task
def recover() -> None:
    now = timezone.now()
    delivery.recover(now)
    approval.expire(now)


@shared_task
def reconcile() -> None:
    now = timezone.now()
    reconciling.search(now)
    pacing.forget(now)
