"""What workers run for messages: each claims rows until nothing is due or its slice of time is over."""

from __future__ import annotations

import threading
import time

from celery import shared_task
from django.utils import timezone

from events import nudges
from messaging import approval, carrier_counts, delivery, domains, pacing, reconciling, reporting

SLICE_SECONDS = 10.0


# Two at a time use a process to the full: one waits for providers while the other writes. More would only be in each
# other's way.
_seats = threading.BoundedSemaphore(2)
_came_late = threading.Event()


@shared_task
def deliver() -> None:
    nudges.begin("messages")
    if not _seats.acquire(blocking=False):
        # Whoever sits there looks once more before leaving, as what this one was woken for may have come too late.
        _came_late.set()
        return
    try:
        deadline = time.monotonic() + SLICE_SECONDS
        delivery.deliver_due(deadline)
        while _came_late.is_set() and time.monotonic() < deadline:
            _came_late.clear()
            delivery.deliver_due(deadline)
    finally:
        _seats.release()
    if time.monotonic() >= deadline:
        nudges.nudge("messages")


@shared_task
def recover() -> None:
    now = timezone.now()
    delivery.recover(now)
    approval.expire(now)


@shared_task
def check_domains() -> None:
    nudges.begin("domains")
    domains.discover()
    domains.check_due(timezone.now())


@shared_task
def fold_carrier_counts() -> None:
    carrier_counts.fold(timezone.now())


@shared_task
def report() -> None:
    reporting.post_due(timezone.now(), time.monotonic() + SLICE_SECONDS)


@shared_task
def reconcile() -> None:
    now = timezone.now()
    reconciling.search(now)
    pacing.forget(now)
