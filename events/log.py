"""The event log and the rows that wait for campaigns: append, claim, park.

Whatever is written here is pending from the same transaction on, unless it was sent not to reach campaigns, or is news
that the claimer of other events makes of them and acts on itself. Writing
holds a shared lock on the people's rows (ids ascending), so that nobody is merged away or erased under their events.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection

from events import nudges, present
from events.models import Event, Pending
from events.raw_json import storable

# In the context of events that a campaign has made: by which.
MADE_BY = "made_by"


class ProfileGone(LookupError):
    """Raised when a person was merged or erased since the caller read their id. Read it again and retry."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An event of our own making, such as ``Email Opened``.

    Of several with the same ``key`` the first alone is stored, also when they are appended at the same moment or weeks
    apart: keys are kept as long as message ids, which is 30 days at least. "" for those that nobody appends twice.
    """

    profile_id: int
    name: str
    properties: Mapping[str, Any]
    timestamp: datetime
    context: Mapping[str, Any] = field(default_factory=dict)
    type: str = Event.Type.TRACK
    key: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """An event on its way into the log; ``properties``, ``context`` and ``extra`` are JSON objects as bytes."""

    profile_id: int
    type: str
    name: str
    properties: bytes
    context: bytes
    timestamp: datetime
    received_at: datetime
    source_id: int | None = None
    request_id: int | None = None
    extra: bytes = b"{}"
    message_id: str = ""
    pending: bool = True


@dataclass(frozen=True, slots=True)
class ClaimedEvent:
    """An event that the current transaction has claimed, as it stands in the log.

    ``is_made``: a campaign has made it, and not somebody who did something.
    """

    id: int
    timestamp: datetime
    received_at: datetime
    profile_id: int
    source_id: int | None
    type: str
    name: str
    properties: dict[str, Any]
    is_test: bool
    is_made: bool = False

    @property
    def is_own(self) -> bool:
        """Say whether it is of our own making: what a source reports never is."""
        return self.source_id is None

    @property
    def happened_at(self) -> datetime:
        """Return when it happened by our reckoning: not later than it arrived."""
        return min(self.timestamp, self.received_at)


# One JSON parameter instead of arrays: those cost the driver several times as much. People are found by an array made
# on the spot: the planner knows not how few rows the JSON holds, and for a join would read all people.
WRITE = """
WITH input AS MATERIALIZED (
    SELECT nextval('events_event_id_seq') AS id, r.*
    FROM jsonb_to_recordset(%s) AS r(
        profile_id bigint, source_id bigint, request_id bigint, type text, name text, properties jsonb, context jsonb,
        extra jsonb, timestamp timestamptz, received_at timestamptz, message_id text, pending boolean)
), living AS MATERIALIZED (
    SELECT id FROM events_profile WHERE id = ANY(ARRAY(SELECT profile_id FROM input)) ORDER BY id FOR KEY SHARE
), logged AS (
    INSERT INTO events_event (id, timestamp, received_at, type, name, properties, context, extra,
                              message_id, request_id, profile_id, source_id)
    SELECT r.id, r.timestamp, r.received_at, r.type, r.name, r.properties, r.context, r.extra,
           r.message_id, r.request_id, r.profile_id, r.source_id
    FROM input r JOIN living ON living.id = r.profile_id
    RETURNING id
), waiting AS (
    INSERT INTO events_pending (event_id, event_timestamp, profile_id, name)
    SELECT r.id, r.timestamp, r.profile_id, r.name
    FROM input r JOIN living ON living.id = r.profile_id
    WHERE r.pending
)
SELECT coalesce(array_agg(id ORDER BY id), '{}') FROM logged
"""


def write(rows: Sequence[Row]) -> list[int]:
    """Store events, and make them pending, in the caller's transaction; return their ids in the order of ``rows``.

    One statement. Raises ProfileGone.
    """
    with connection.cursor() as cursor:
        cursor.execute(WRITE, [msgspec.json.encode([_record(row) for row in rows]).decode()])
        stored: list[int] = cursor.fetchone()[0]
    if len(stored) != len(rows):
        raise ProfileGone(f"{len(rows) - len(stored)} of {len(rows)} events belong to people who are gone")
    if any(row.pending for row in rows):
        nudges.nudge("pending")
    return stored


def _record(row: Row) -> dict[str, object]:
    return {
        "profile_id": row.profile_id,
        "source_id": row.source_id,
        "request_id": row.request_id,
        "type": row.type,
        "name": row.name,
        "properties": msgspec.Raw(row.properties),
        "context": msgspec.Raw(row.context),
        "extra": msgspec.Raw(row.extra),
        "timestamp": row.timestamp,
        "received_at": row.received_at,
        "message_id": row.message_id,
        "pending": row.pending,
    }


# Keys of our own stand beside the message ids of sources, under a number that no source has. Sorted, so that two
# writers wait for each other at the first of their keys and not in a circle.
OWN = 0
NOTE_KEYS = """
INSERT INTO events_acceptedmessage (source_id, message_id, received_at)
SELECT %s, key, %s FROM unnest(%s::text[]) AS key ORDER BY key
ON CONFLICT DO NOTHING RETURNING message_id
"""


def append(entries: Sequence[Entry]) -> list[Entry]:
    """Store events of our own making in the caller's transaction; return those whose key is new, or who have none.

    One statement, one more where any has a key. Raises ProfileGone.
    """
    now = present.now()
    fresh = _without_repeated(entries, now)
    if fresh:
        write([_own(entry, now) for entry in fresh])
    return fresh


def _without_repeated(entries: Sequence[Entry], now: datetime) -> list[Entry]:
    first: dict[str, Entry] = {}
    for entry in entries:
        if entry.key:
            first.setdefault(entry.key, entry)
    if not first:
        return list(entries)
    with connection.cursor() as cursor:
        cursor.execute(NOTE_KEYS, [OWN, now, list(first)])
        new = {key for (key,) in cursor.fetchall()}
    return [entry for entry in entries if not entry.key or (entry.key in new and first[entry.key] is entry)]


def append_claimed(entries: Sequence[Entry], test_people: Collection[int]) -> list[ClaimedEvent]:
    """Store events of our own making and return them as claimed: the caller, who holds their people, acts on them.

    They never are pending, which would cost as much again. ``test_people`` are those of them who are no customers. One
    statement. Raises ProfileGone.
    """
    if not entries:
        return []
    now = present.now()
    ids = write([_own(entry, now, pending=False) for entry in entries])
    return [
        ClaimedEvent(
            id=event_id,
            timestamp=entry.timestamp,
            received_at=now,
            profile_id=entry.profile_id,
            source_id=None,
            type=entry.type,
            name=entry.name,
            properties=dict(entry.properties),
            is_test=entry.profile_id in test_people,
            is_made=MADE_BY in entry.context,
        )
        for event_id, entry in zip(ids, entries, strict=True)
    ]


def _own(entry: Entry, received_at: datetime, *, pending: bool = True) -> Row:
    return Row(
        profile_id=entry.profile_id,
        type=entry.type,
        name=entry.name,
        properties=_encode(entry.properties),
        context=_encode(entry.context),
        timestamp=entry.timestamp,
        received_at=received_at,
        message_id=entry.key,
        pending=pending,
    )


def _encode(value: Mapping[str, Any]) -> bytes:
    return storable(json.dumps(value, cls=DjangoJSONEncoder, allow_nan=False).encode())


# An array is made once and looked up by index, however long the queue; a join would read all of it.
TAKE = """
DELETE FROM events_pending WHERE event_id = ANY(ARRAY(
    SELECT event_id FROM events_pending
    WHERE parked_at IS NULL AND (%(only)s::bigint IS NULL OR event_id = %(only)s)
    ORDER BY event_id LIMIT %(limit)s FOR UPDATE SKIP LOCKED))
RETURNING event_id, event_timestamp
"""

# Locked here because a merge may be moving the very events that were just taken: whoever comes second sees the
# outcome of the first.
READ = """
SELECT e.id, e.timestamp, e.received_at, e.profile_id, e.source_id, e.type, e.name, e.properties, p.is_test,
       e.source_id IS NULL AND e.context ? 'made_by'
FROM unnest(%s::bigint[], %s::timestamptz[]) AS taken(id, timestamp)
JOIN events_event e ON e.id = taken.id AND e.timestamp = taken.timestamp
JOIN events_profile p ON p.id = e.profile_id
ORDER BY p.id, e.id
FOR NO KEY UPDATE OF p
"""
# A person can be merged again while we wait for the lock; more often than this in a row means a broken row.
READ_TRIES = 3


def claim_pending(limit: int, only: int | None = None) -> list[ClaimedEvent]:
    """Take up to ``limit`` pending events (or the one with the id ``only``) in the caller's transaction, by id.

    Rows that others are working on are passed over. Their people stay locked, ids ascending, until the transaction
    ends. An event that is no longer in the log is dropped. Two statements.
    """
    with connection.cursor() as cursor:
        cursor.execute(TAKE, {"limit": limit, "only": only})
        left = dict(cursor.fetchall())
    found: list[ClaimedEvent] = []
    for _ in range(READ_TRIES):
        found += read(left)
        for event in found:
            left.pop(event.id, None)
        if not left:
            break
    return sorted(found, key=lambda event: event.id)


def read(taken: Mapping[int, datetime]) -> list[ClaimedEvent]:
    """Return events by id and timestamp, and hold their people as a claim does. One statement."""
    if not taken:
        return []
    with connection.cursor() as cursor:
        cursor.execute(READ, [list(taken), list(taken.values())])
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return [ClaimedEvent(*(*row[:7], json.loads(row[7]), *row[8:])) for row in rows]


def park(event_id: int, error: str) -> None:
    """Set a pending event aside with the error; nothing claims it until it is retried."""
    Pending.objects.filter(pk=event_id).update(parked_at=present.now(), error=error.replace("\0", ""))


def retry_parked(event_ids: Collection[int]) -> int:
    """Let parked events be claimed again. Returns how many."""
    count = Pending.objects.filter(pk__in=event_ids).exclude(parked_at=None).update(parked_at=None, error="")
    if count:
        nudges.nudge("pending")
    return count
