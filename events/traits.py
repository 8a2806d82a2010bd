"""What is known about a person: traits merge, null forgets, and the columns that sending needs keep up.

Traits win over what a device says of itself: its time zone and language count only while no trait names one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from zoneinfo import available_timezones

import msgspec
from django.db import connection

from events import watching
from events.identifying import Person

# The column serves "who has been away for days": keeping it to the minute spares most calls a write.
SEEN_GRAIN = timedelta(minutes=1)
MAX_ADDRESS = 320
MAX_LANGUAGE = 35
ZONE_TRAITS, LANGUAGE_TRAITS = ("timezone", "time_zone"), ("language", "locale")


@dataclass(eq=False, slots=True)
class News:
    """What one request says about one person. ``time_zone`` and ``language`` are the device's.

    What comes of traits that are only ``history`` is told to no campaign.
    """

    traits: dict[str, msgspec.Raw] = field(default_factory=dict)
    time_zone: str = ""
    language: str = ""
    seen_at: datetime | None = None
    history: bool = False

    def matters_to(self, person: Person) -> bool:
        """Say whether writing it could change anything. The database decides again, with the row locked."""
        known = person.last_seen
        return self.is_told_of(person) or bool(
            self.seen_at and (known is None or self.seen_at.timestamp() > known + SEEN_GRAIN.total_seconds())
        )

    def is_told_of(self, person: Person) -> bool:
        """Say whether it says more about somebody than that they were seen."""
        return bool(
            self.traits
            or (self.time_zone and self.time_zone != person.time_zone)
            or (self.language and self.language != person.language)
        )


# The profiles are locked first, by id, and read as the lock found them; then only what differs is written. What is
# computed (``events.computed``) is not for anybody to say.
APPLY = f"""
WITH {watching.WATCHED}, news AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%s) AS n(
        id bigint, traits jsonb, forgotten text[], email text, phone text, time_zone text, language text,
        device_zone text, device_language text, seen_at timestamptz, history boolean)
), computed AS MATERIALIZED (
    SELECT coalesce(array_agg(name::text), '{{}}') AS names FROM events_computedtrait
), person AS MATERIALIZED (
    SELECT * FROM events_profile WHERE id = ANY(ARRAY(SELECT id FROM news)) ORDER BY id FOR NO KEY UPDATE
), merged AS (
    SELECT p.id, (p.traits || (n.traits - computed.names))
               - ARRAY(SELECT unnest(n.forgotten) EXCEPT SELECT unnest(computed.names)) AS traits,
           coalesce(n.email, p.email) AS email, coalesce(n.phone, p.phone) AS phone,
           coalesce(n.time_zone, CASE WHEN p.time_zone = '' OR NOT p.traits ?| %s THEN n.device_zone END,
                    p.time_zone) AS time_zone,
           coalesce(n.language, CASE WHEN p.language = '' OR NOT p.traits ?| %s THEN n.device_language END,
                    p.language) AS language,
           CASE WHEN p.last_seen_at + %s * interval '1 second' >= n.seen_at THEN p.last_seen_at
                ELSE greatest(p.last_seen_at, n.seen_at) END AS last_seen_at,
           (p.traits, p.email, p.phone, p.time_zone, p.language) AS before, p.last_seen_at AS seen_before,
           p.time_zone AS zone_before, p.traits AS traits_before, n.history
    FROM person p JOIN news n USING (id) CROSS JOIN computed
)
UPDATE events_profile p SET
    traits = m.traits, email = m.email, phone = m.phone, time_zone = m.time_zone, language = m.language,
    last_seen_at = m.last_seen_at,
    updated_at = CASE WHEN (m.traits, m.email, m.phone, m.time_zone, m.language) IS DISTINCT FROM m.before
                 THEN statement_timestamp() ELSE p.updated_at END
FROM merged m
WHERE p.id = m.id
  AND ((m.traits, m.email, m.phone, m.time_zone, m.language) IS DISTINCT FROM m.before
       OR m.last_seen_at IS DISTINCT FROM m.seen_before)
RETURNING p.id, m.time_zone IS DISTINCT FROM m.zone_before,
          CASE WHEN NOT m.history THEN {watching.changes("m.traits_before", "m.traits")} END
"""

# Whoever is held just now was seen by what holds them, or will be by the next call: nobody waits for a column that is
# only looked at. Else requests would wait for a whole batch of evaluation, and the next batch for them.
SEE = """
WITH seen AS MATERIALIZED (
    SELECT p.id, said.at FROM unnest(%s::bigint[], %s::timestamptz[]) AS said(id, at) JOIN events_profile p USING (id)
    WHERE p.last_seen_at IS NULL OR p.last_seen_at + %s * interval '1 second' < said.at
    ORDER BY p.id FOR NO KEY UPDATE OF p SKIP LOCKED
)
UPDATE events_profile p SET last_seen_at = seen.at FROM seen WHERE p.id = seen.id
"""


def apply(news: Mapping[Person, News]) -> set[int]:
    """Write the news of each person, in the caller's transaction; return whose time zone has changed.

    One statement for what is told of people, one for who was only seen, and one more where a trait has changed that
    somebody watches.
    """
    told = {person: about for person, about in news.items() if about.is_told_of(person)}
    moved = _tell(told) if told else set()
    _see({person: about.seen_at for person, about in news.items() if about.seen_at and person not in told})
    return moved


def _see(seen: Mapping[Person, datetime]) -> None:
    if seen:
        people = [person.profile_id for person in seen]
        with connection.cursor() as cursor:
            cursor.execute(SEE, [people, list(seen.values()), SEEN_GRAIN.total_seconds()])


def _tell(news: Mapping[Person, News]) -> set[int]:
    records = msgspec.json.encode([_record(person, about) for person, about in news.items()]).decode()
    with connection.cursor() as cursor:
        cursor.execute(APPLY, [records, list(ZONE_TRAITS), list(LANGUAGE_TRAITS), SEEN_GRAIN.total_seconds()])
        written = cursor.fetchall()
    watching.tell((pk, changes) for pk, _, changes in written)
    return {pk for pk, has_moved, _ in written if has_moved}


def _record(person: Person, about: News) -> dict[str, object]:
    said = about.traits
    return {
        "id": person.profile_id,
        "traits": said,
        "forgotten": [name for name, value in said.items() if bytes(value) == b"null"],
        "email": _text(said["email"], MAX_ADDRESS) if "email" in said else None,
        "phone": _text(said["phone"], MAX_ADDRESS) if "phone" in said else None,
        "time_zone": _first([zone(_text(said[name])) for name in ZONE_TRAITS if name in said]),
        "language": _first([_text(said[name], MAX_LANGUAGE) for name in LANGUAGE_TRAITS if name in said]),
        "device_zone": about.time_zone or None,
        "device_language": about.language or None,
        "seen_at": about.seen_at,
        "history": about.history,
    }


def _text(value: msgspec.Raw, limit: int = 100) -> str:
    """Return a JSON text or number as text; nothing for other values, and for what is too long to be meant."""
    raw = bytes(value)
    if raw[:1] == b'"':
        text: str = msgspec.json.decode(raw, type=str).strip()
    else:
        text = raw.decode() if raw[:1] in b"-0123456789" else ""
    return text if len(text) <= limit else ""


def _first(values: list[str]) -> str | None:
    """Return the first that says something; "" when all of them are empty, None when there are none."""
    return next((value for value in values if value), "") if values else None


def zone(name: str) -> str:
    """Return the IANA name of a time zone in its proper spelling; nothing when there is no such zone."""
    return _zones().get(name.lower(), "")


def language(name: str) -> str:
    return name if len(name) <= MAX_LANGUAGE else ""


@cache
def _zones() -> dict[str, str]:
    return {name.lower(): name for name in available_timezones()}
