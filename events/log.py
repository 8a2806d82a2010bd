"""The event log's two ends: append what the system itself has to say, and claim what nobody has looked at yet."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils import timezone

from events import nudges
from events.models import Pending


@dataclass(frozen=True, slots=True)
class Entry:
    """Something the system itself saw happen, such as an opened message."""

    profile_id: int
    name: str
    properties: Mapping[str, Any]
    timestamp: datetime
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClaimedEvent:
    """An event whose pending row this transaction has deleted. ``source_id`` None is the system itself."""

    id: int
    timestamp: datetime
    received_at: datetime
    profile_id: int
    source_id: int | None
    type: str
    name: str
    properties: dict[str, Any]
    is_test: bool


# One statement: the log rows and their pending rows. Ids come from the log's sequence.
APPEND = """
WITH stored AS (
    INSERT INTO events_event (timestamp, received_at, profile_id, type, name, properties, context)
    SELECT r.timestamp, %s, r.profile_id, 'track', r.name, r.properties, r.context
    FROM jsonb_to_recordset(%s)
        AS r(timestamp timestamptz, profile_id bigint, name text, properties jsonb, context jsonb)
    RETURNING id, timestamp, profile_id, name
)
INSERT INTO events_pending (event_id, event_timestamp, profile_id, name)
SELECT id, timestamp, profile_id, name FROM stored
"""

# The claim is the delete: whoever deletes the row acts on the event, in the same transaction. The log is joined by
# its whole primary key, so that only the partitions at hand are looked at.
CLAIM = """
WITH claimed AS (
    DELETE FROM events_pending WHERE event_id IN (
        SELECT event_id FROM events_pending WHERE parked_at IS NULL {only} ORDER BY event_id
        LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    ) RETURNING event_id, event_timestamp, profile_id
)
SELECT e.id, e.timestamp, e.received_at, c.profile_id, e.source_id, e.type, e.name, e.properties::text, p.is_test
FROM claimed c
JOIN events_event e ON e.id = c.event_id AND e.timestamp = c.event_timestamp
JOIN events_profile p ON p.id = c.profile_id
ORDER BY e.id
"""


def append(entries: Sequence[Entry]) -> None:
    """Store ``entries`` and make them pending, in the caller's transaction. One statement."""
    if not entries:
        return
    rows = [
        {
            "timestamp": entry.timestamp.isoformat(),
            "profile_id": entry.profile_id,
            "name": entry.name,
            "properties": entry.properties,
            "context": entry.context,
        }
        for entry in entries
    ]
    with connection.cursor() as cursor:
        cursor.execute(APPEND, [timezone.now(), json.dumps(rows)])
    nudges.nudge("pending")


def claim_pending(limit: int, only: int | None = None) -> list[ClaimedEvent]:
    """Take up to ``limit`` pending events (or just the event ``only``) for the caller's transaction to act on."""
    statement = CLAIM.format(only="" if only is None else "AND event_id = %(only)s")
    with connection.cursor() as cursor:
        cursor.execute(statement, {"limit": limit, "only": only})
        return [ClaimedEvent(*row[:7], properties=json.loads(row[7]), is_test=row[8]) for row in cursor.fetchall()]


def park(event_id: int, error: str) -> None:
    """Set an event aside whose evaluation failed; it waits there for a person."""
    Pending.objects.filter(pk=event_id).update(parked_at=timezone.now(), error=error)


def retry_parked(event_ids: Sequence[int]) -> int:
    """Let parked events be evaluated again. Returns how many were parked."""
    freed = Pending.objects.filter(pk__in=event_ids).exclude(parked_at=None).update(parked_at=None, error="")
    nudges.nudge("pending")
    return freed
