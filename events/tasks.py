"""Housekeeping of this room, run by the beat; each task may run at any time, twice, or on two workers at once."""

from __future__ import annotations

import time

from celery import shared_task
from django.utils import timezone

from events import counts, partitions, retention

FORGET_SECONDS = 120


@shared_task
def fold_counts() -> None:
    """Add what was appended to the hourly counts."""
    while counts.fold() == counts.FOLD_LIMIT:
        pass


@shared_task
def make_partitions() -> None:
    """Have the months around now ready."""
    partitions.ensure(timezone.now().date(), back=1, ahead=2)


@shared_task
def forget() -> None:
    """Delete message ids and kept calls that have had their time; the rest is for the next run."""
    retention.forget(timezone.now(), time.monotonic() + FORGET_SECONDS)
