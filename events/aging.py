"""Delete events that are older than their age: whole months where everything is, else in small portions.

Names with an age of their own (``EventDefinition.retention_days``) are swept one by one, all others together. Each
sweep notes how far it has come: what happened before ``swept_to`` and had come in by ``swept_at`` is gone. So a run
looks at the little that has come of age since, and at what came in late.

The order of the log is that of arrival, and its times have block indexes only; therefore a sweep walks in windows of
days. It never waits long for a lock, since a merge may hold the same rows: it lets go and tries again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import OperationalError, connection, transaction
from django.db.models import Q
from psycopg import errors, sql

from events import partitions
from events.giving_way import insist
from events.models import EventDefinition, KeepFor

CHUNK = 5000
DAY = timedelta(days=1)
LONGEST_STEP = timedelta(days=32)
# So long a transaction may take to commit what it received.
LATENESS = timedelta(hours=1)
# Dropping a month stops everybody who reads or writes the log while it waits: not longer than this.
DROP_WAIT = "SET LOCAL lock_timeout = '500ms'"
DEFAULT_KIND = "events"

LABEL = "CASE e.type WHEN 'track' THEN e.name ELSE '[' || e.type || ']' END"
DELETE = """
WITH old AS MATERIALIZED (
    SELECT e.id, e.timestamp FROM events_event e
    WHERE e.timestamp >= %(start)s AND e.timestamp < %(end)s AND {which} {late} LIMIT %(limit)s
)
DELETE FROM events_event e USING old
WHERE e.id = old.id AND e.timestamp = old.timestamp AND e.timestamp >= %(start)s AND e.timestamp < %(end)s
"""
ONE, OTHERS = f"{LABEL} = %(name)s", f"{LABEL} <> ALL(%(names)s)"
LATE = "AND e.received_at >= %(received)s"


@dataclass(slots=True)
class Sweep:
    """Events of one name, or all that no other sweep is about: delete what happened before ``cutoff``."""

    row: KeepFor | EventDefinition
    which: str
    parameters: Mapping[str, Any]
    cutoff: datetime


def sweep(now: datetime, default_days: int | None, deadline: float) -> int:
    """Delete what is of age, until that is all or ``time.monotonic()`` passes ``deadline``. Returns how many rows.

    ``default_days`` counts for names without an age of their own; None keeps them for ever. Rows of months that are
    dropped whole are not counted.
    """
    own = list(EventDefinition.objects.filter(Q(retention_days__isnull=False) | Q(swept_to__isnull=False)))
    if default_days is not None:
        longest = max([default_days, *(definition.retention_days or 0 for definition in own)])
        drop_months(now - timedelta(days=longest))
    elif all(definition.retention_days is None for definition in own):
        return 0
    begin = _beginning()
    return sum(_run(each, begin or each.cutoff, now, deadline) for each in _sweeps(own, now, default_days))


def drop_months(before: datetime) -> list[str]:
    """Drop the partitions of months that ended before ``before``; return their names. What is locked is left."""
    dropped = []
    for name, month in sorted(partitions.months().items()):
        following = partitions.month_of(month, 1)
        if datetime(following.year, following.month, 1, tzinfo=UTC) <= before and _drop(name):
            dropped.append(name)
    return dropped


def _drop(name: str) -> bool:
    """Drop a month, unless another worker has just done so; say whether it is gone."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(DROP_WAIT)
            cursor.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(name)))
    except OperationalError as error:
        if isinstance(error.__cause__, errors.LockNotAvailable):
            return False
        raise
    return True


def _sweeps(own: list[EventDefinition], now: datetime, default_days: int | None) -> Iterator[Sweep]:
    for definition in own:
        days = definition.retention_days or default_days
        if days is not None:
            yield Sweep(definition, ONE, {"name": definition.name}, now - timedelta(days=days))
    if default_days is not None:
        row, _ = KeepFor.objects.get_or_create(kind=DEFAULT_KIND, defaults={"days": default_days})
        yield Sweep(row, OTHERS, {"names": [each.name for each in own]}, now - timedelta(days=default_days))


def _beginning() -> datetime | None:
    """Return a time before which there is no event; None where there is none at all."""
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT min(timestamp) FROM {}").format(sql.Identifier(partitions.DEFAULT)))
        strays: datetime | None = cursor.fetchone()[0]
    first = min(partitions.months().values(), default=None)
    months = [datetime(first.year, first.month, 1, tzinfo=UTC)] if first else []
    return min([*months, *([strays] if strays else [])], default=None)


def _run(each: Sweep, begin: datetime, now: datetime, deadline: float) -> int:
    row = each.row
    # Where the age has grown, what came in meanwhile is of age later.
    reached = min(row.swept_to or begin, each.cutoff)
    deleted, whole = (0, True) if row.swept_at is None else _delete(each, begin, reached, deadline, row.swept_at)
    if not whole:
        return deleted
    _note(row, reached, now)
    step = DAY
    while reached < each.cutoff and time.monotonic() < deadline:
        end = min(reached + step, each.cutoff)
        count, whole = _delete(each, reached, end, deadline)
        deleted += count
        if not whole:
            break
        reached = end
        _note(row, reached, now)
        step = DAY if count else min(step * 2, LONGEST_STEP)
    return deleted


def _delete(
    each: Sweep, start: datetime, end: datetime, deadline: float, since: datetime | None = None
) -> tuple[int, bool]:
    """Delete what happened in a window and, with ``since``, came in after that. Return how much, and if it was all."""
    parameters = {**each.parameters, "start": start, "end": end, "limit": CHUNK}
    if since is not None:
        parameters["received"] = since - LATENESS
    statement = DELETE.format(which=each.which, late=LATE if since else "")

    def act() -> int:
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return int(cursor.rowcount)

    deleted = 0
    while (count := insist(act)) == CHUNK:
        deleted += count
        if time.monotonic() >= deadline:
            return deleted, False
    return deleted + count, True


def _note(row: KeepFor | EventDefinition, swept_to: datetime, swept_at: datetime) -> None:
    """Remember how far it came; what somebody changes in the admin meanwhile is another column."""
    row.swept_to, row.swept_at = swept_to, swept_at
    row.save(update_fields=["swept_to", "swept_at"])
