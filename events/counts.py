"""How many events of each name came in, by the hour: appended where events are claimed, folded by the beat.

Appending keeps claimers from waiting for each other at the row of a busy name. What test people do is not counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from django.db import connection
from django.db.models import Sum

from events.log import ClaimedEvent
from events.models import Event, EventCount, EventCountChange

FOLD_LIMIT = 10_000
# What the tracking plan left out of a name is counted beside it; it is none of the events that came in.
THROTTLED = "[throttled] "

# The key order of the insert is fixed, so that two folds at once cannot wait for each other in a circle.
FOLD = """
WITH taken AS (
    DELETE FROM events_eventcountchange WHERE id = ANY(ARRAY(
        SELECT id FROM events_eventcountchange ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED))
    RETURNING hour, name, count
), folded AS (
    INSERT INTO events_eventcount (hour, name, count)
    SELECT hour, name, sum(count) FROM taken GROUP BY hour, name ORDER BY hour, name
    ON CONFLICT (hour, name) DO UPDATE SET count = events_eventcount.count + excluded.count
)
SELECT count(*) FROM taken
"""


def label(event_type: str, name: str) -> str:
    """Return what an event is counted as: a track call's name; other calls by their kind, such as ``[page]``."""
    return name if event_type == Event.Type.TRACK else f"[{event_type}]"


def record(claimed: Sequence[ClaimedEvent]) -> None:
    """Count the claimed events, in the caller's transaction. One statement."""
    counts = Counter(
        (event.received_at.replace(minute=0, second=0, microsecond=0), label(event.type, event.name))
        for event in claimed
        if not event.is_test
    )
    EventCountChange.objects.bulk_create(
        EventCountChange(hour=hour, name=name, count=count) for (hour, name), count in counts.items()
    )


def record_throttled(names: Mapping[str, int], received_at: datetime) -> None:
    """Count events that were left out, in the caller's transaction. One statement."""
    hour = received_at.replace(minute=0, second=0, microsecond=0)
    EventCountChange.objects.bulk_create(
        EventCountChange(hour=hour, name=THROTTLED + name, count=count) for name, count in names.items() if count
    )


def fold() -> int:
    """Add appended changes to the hourly counts in one transaction. Returns how many changes were folded."""
    with connection.cursor() as cursor:
        cursor.execute(FOLD, [FOLD_LIMIT])
        return int(cursor.fetchone()[0])


def per_hour(names: Collection[str] | None, since: datetime) -> list[tuple[datetime, str, int]]:
    """Return (hour, name, count) from the hour of ``since`` on, of ``names`` or of all, oldest first."""
    start = since.replace(minute=0, second=0, microsecond=0)
    totals: Counter[tuple[datetime, str]] = Counter()
    # The changes first: one that is folded between the two looks is then counted twice for a moment, never missed.
    for model in (EventCountChange, EventCount):
        rows = model.objects.filter(hour__gte=start)
        rows = rows.exclude(name__startswith=THROTTLED) if names is None else rows.filter(name__in=names)
        for hour, name, count in rows.values_list("hour", "name").annotate(Sum("count")).order_by():
            totals[hour, name] += count
    return sorted((hour, name, count) for (hour, name), count in totals.items())
