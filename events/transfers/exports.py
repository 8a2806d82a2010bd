"""Write people and events as CSV or NDJSON, as a stream: rows are read in keyset batches, whatever the table's size.

What is written can be read in again by ``events.transfers.imports``. JSON values go through as the database holds
them; in CSV, texts that a spreadsheet would take for a formula stand behind an apostrophe.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection

from events.transfers.rows import FORMULA

BATCH = 2000
MAX_COLUMNS = 500

Row = dict[str, Any]

# Sandbox people are for trying things out; nobody wants them in a file.
PROFILES = """
SELECT p.id, p.user_id, p.traits::text, p.created_at, p.last_seen_at,
       ARRAY(SELECT value FROM events_identity i WHERE i.profile_id = p.id AND i.kind = 'anonymous' ORDER BY i.id)
FROM events_profile p WHERE p.id > %(after)s AND NOT p.is_sandbox ORDER BY p.id LIMIT %(limit)s
"""

# The same, of those in a segment.
MEMBERS = PROFILES.replace(
    "FROM events_profile p WHERE",
    "FROM events_segmentmember m JOIN events_profile p ON p.id = m.profile_id WHERE m.segment_id = %(segment)s AND",
)

EVENTS = """
SELECT e.id, e.timestamp, e.type, e.name, p.user_id, e.properties::text, e.message_id, e.received_at,
       (SELECT value FROM events_identity i WHERE i.profile_id = p.id AND i.kind = 'anonymous'
        AND p.user_id IS NULL ORDER BY i.id LIMIT 1),
       CASE WHEN p.user_id IS NULL THEN nullif(p.email, '') END
FROM events_event e JOIN events_profile p ON p.id = e.profile_id
WHERE e.timestamp >= %(since)s AND e.timestamp < %(until)s AND (e.timestamp, e.id) > (%(at)s, %(after)s)
  AND (%(name)s = '' OR e.name = %(name)s) AND NOT p.is_sandbox
ORDER BY e.timestamp, e.id LIMIT %(limit)s
"""

TRAIT_NAMES = "SELECT DISTINCT jsonb_object_keys(traits) FROM events_profile WHERE NOT is_sandbox ORDER BY 1 LIMIT %s"

PROPERTY_NAMES = """
SELECT DISTINCT jsonb_object_keys(properties) FROM events_event
WHERE timestamp >= %s AND timestamp < %s AND (%s = '' OR name = %s) AND jsonb_typeof(properties) = 'object'
ORDER BY 1 LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Period:
    """Which events: from ``since`` to before ``until``, of one ``name`` or of all."""

    since: datetime
    until: datetime
    name: str = ""


def profiles(segment_id: int | None = None) -> Iterator[Row]:
    """Yield everybody: user_id, anonymous_ids, the first of them, traits (JSON), first_seen_at, last_seen_at.

    Or everybody in a segment.
    """
    after = 0
    statement = PROFILES if segment_id is None else MEMBERS
    while found := _fetch(statement, {"after": after, "limit": BATCH, "segment": segment_id}):
        after = found[-1][0]
        for _, user_id, traits, created_at, last_seen_at, anonymous_ids in found:
            yield {
                "user_id": user_id,
                "anonymous_id": next(iter(anonymous_ids), None),
                "anonymous_ids": anonymous_ids,
                "traits": msgspec.Raw(traits),
                "first_seen_at": created_at,
                "last_seen_at": last_seen_at,
            }


def events(period: Period) -> Iterator[Row]:
    """Yield the events of a period, oldest first, in the words of the tracking API."""
    at, after = period.since, 0
    wanted = {"since": period.since, "until": period.until, "name": period.name, "limit": BATCH}
    while found := _fetch(EVENTS, {**wanted, "at": at, "after": after}):
        after, at = found[-1][0], found[-1][1]
        for _, timestamp, kind, name, user_id, properties, message_id, received_at, anonymous_id, email in found:
            yield {
                "type": kind,
                "event": name,
                "user_id": user_id,
                "anonymous_id": anonymous_id,
                "email": email if anonymous_id is None else None,
                "timestamp": timestamp,
                "received_at": received_at,
                "message_id": message_id,
                "properties": msgspec.Raw(properties),
            }


def ndjson(rows: Iterable[Row]) -> Iterator[bytes]:
    """Yield one JSON object a line."""
    return _in_pieces(msgspec.json.encode(row) + b"\n" for row in rows)


def csv_file(
    rows: Iterable[Row], columns: Sequence[str], words: str = "", names: Sequence[str] = ()
) -> Iterator[bytes]:
    """Yield a CSV of ``columns``, and of ``names`` out of the JSON object in ``words`` where there is one."""
    return _in_pieces(_csv_lines(rows, columns, words, names))


def trait_names() -> list[str]:
    return [name for (name,) in _fetch(TRAIT_NAMES, [MAX_COLUMNS])]


def property_names(period: Period) -> list[str]:
    wanted = [period.since, period.until, period.name, period.name, MAX_COLUMNS]
    return [name for (name,) in _fetch(PROPERTY_NAMES, wanted)]


def _csv_lines(rows: Iterable[Row], columns: Sequence[str], words: str, names: Sequence[str]) -> Iterator[bytes]:
    line = _line_writer()
    taken = set(columns)
    yield line([*columns, *(f"{words}.{name}" if name in taken else name for name in names)])
    for row in rows:
        said = msgspec.json.decode(row[words], type=dict[str, msgspec.Raw]) if words else {}
        yield line([*(_cell(row[name]) for name in columns), *(_raw_cell(said.get(name)) for name in names)])


def _line_writer() -> Callable[[Sequence[str]], bytes]:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)

    def line(cells: Sequence[str]) -> bytes:
        buffer.seek(0)
        buffer.truncate()
        writer.writerow(cells)
        return buffer.getvalue().encode()

    return line


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case datetime():
            return value.isoformat()
        case list():
            return " ".join(value)
        case _:
            return harmless(str(value))


def _raw_cell(value: msgspec.Raw | None) -> str:
    raw = bytes(value) if value is not None else b"null"
    if raw == b"null":
        return ""
    return harmless(msgspec.json.decode(raw, type=str)) if raw[:1] == b'"' else raw.decode()


def harmless(text: str) -> str:
    """Keep a spreadsheet from reading a formula; importing takes the apostrophe away again."""
    return f"'{text}" if text.startswith(FORMULA) else text


def _fetch(statement: str, parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def _in_pieces(lines: Iterable[bytes], size: int = 64 * 1024) -> Iterator[bytes]:
    """Join lines to pieces worth sending."""
    piece = bytearray()
    for line in lines:
        piece += line
        if len(piece) >= size:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)
