"""Housekeeping of this room, run by the beat; each task may run at any time, twice, or on two workers at once."""

from __future__ import annotations

import time

from celery import shared_task
from django.utils import timezone

from events import catalog, counts, nudges, partitions, retention, traces
from events.computed import building as computed_building
from events.computed import reach
from events.computed import turning as computed_turning
from events.segments import building, changes, turning
from events.transfers import imports

FORGET_SECONDS = 120
IMPORT_SECONDS = 10
SEGMENT_SECONDS = 10


@shared_task
def fold_counts() -> None:
    """Add what was appended to the hourly counts and to the sizes of segments."""
    while counts.fold() == counts.FOLD_LIMIT:
        pass
    while changes.fold() == changes.FOLD_LIMIT:
        pass


@shared_task
def learn_catalog() -> None:
    """Note which events, properties and traits the newest traffic has."""
    catalog.learn()


@shared_task
def make_partitions() -> None:
    """Have the months around now ready."""
    partitions.ensure(timezone.now().date(), back=1, ahead=2)


@shared_task
def forget() -> None:
    """Delete what has had its time; the rest is for the next run. Computed traits look no further back first."""
    reach.follow()
    retention.forget(timezone.now(), time.monotonic() + FORGET_SECONDS)
    imports.forget_files(timezone.now() - imports.KEEP_FILES)


@shared_task
def search_traces() -> None:
    """Search what is kept as text for people who have been erased."""
    nudges.begin("traces")
    while traces.search():
        pass


@shared_task
def run_imports() -> None:
    """Check and store rows of waiting imports for a slice of time."""
    nudges.begin("imports")
    if imports.work(time.monotonic() + IMPORT_SECONDS):
        nudges.nudge("imports")


@shared_task
def turn_segments() -> None:
    """Let people enter and leave segments whose time has come."""
    nudges.begin("turns")
    turning.turn_due(time.monotonic() + SEGMENT_SECONDS)


@shared_task
def build_segments() -> None:
    """Ask everybody about segments whose condition is new, for a slice of time."""
    nudges.begin("segments")
    if building.build(time.monotonic() + SEGMENT_SECONDS):
        nudges.nudge("segments")


@shared_task
def turn_computed() -> None:
    """Reckon computed traits anew whose time has come."""
    nudges.begin("computed-turns")
    computed_turning.turn_due(time.monotonic() + SEGMENT_SECONDS)


@shared_task
def build_computed() -> None:
    """Reckon computed traits that are new for everybody, and remove those that go, for a slice of time."""
    nudges.begin("computed")
    if computed_building.build(time.monotonic() + SEGMENT_SECONDS):
        nudges.nudge("computed")
