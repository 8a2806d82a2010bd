"""Hourly counts of events by name: what the home page draws without touching the log.

Workers append changes, the beat folds them; readers add what is not folded yet, so the figures are always current.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Q, Sum

from events.log import ClaimedEvent
from events.models import EventCount, EventCountChange

RECORD = """
INSERT INTO events_eventcountchange (hour, name, count)
SELECT r.hour, r.name, r.count FROM jsonb_to_recordset(%s) AS r(hour timestamptz, name text, count int)
"""

FOLD = """
WITH changes AS (
    DELETE FROM events_eventcountchange WHERE id IN (
        SELECT id FROM events_eventcountchange ORDER BY id LIMIT 20000 FOR UPDATE SKIP LOCKED
    ) RETURNING hour, name, count
)
INSERT INTO events_eventcount AS total (hour, name, count)
SELECT hour, name, sum(count) FROM changes GROUP BY hour, name ORDER BY hour, name
ON CONFLICT (hour, name) DO UPDATE SET count = total.count + excluded.count
"""


def record(events: Sequence[ClaimedEvent]) -> None:
    """Count claimed events by name and hour of receipt, in the caller's transaction. One statement."""
    numbers = Counter(
        (event.received_at.replace(minute=0, second=0, microsecond=0), event.name or event.type) for event in events
    )
    rows = [{"hour": hour.isoformat(), "name": name, "count": number} for (hour, name), number in numbers.items()]
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(RECORD, [json.dumps(rows)])


def fold() -> None:
    """Add waiting changes to the hourly counts, in one statement and so exactly once."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(FOLD)


def per_hour(names: Collection[str] | None, since: datetime) -> list[tuple[datetime, str, int]]:
    """Return (hour, name, count) from ``since`` on, of the given names or of all, by hour. Two statements."""
    wanted = Q(hour__gte=since) & (Q() if names is None else Q(name__in=names))
    result: dict[tuple[datetime, str], int] = defaultdict(int)
    for table in (EventCount.objects.filter(wanted), EventCountChange.objects.filter(wanted)):
        for hour, name, number in (
            table.values("hour", "name").annotate(n=Sum("count")).values_list("hour", "name", "n")
        ):
            result[hour, name] += number
    return [(hour, name, number) for (hour, name), number in sorted(result.items())]
