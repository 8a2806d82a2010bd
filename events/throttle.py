"""Of events of one name and person that follow close upon each other, keep the first: for noisy senders.

Close means by the time at which they happened: a device that was offline for a day is throttled like any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from django.db import connection

from events import people

if TYPE_CHECKING:
    from events.identifying import Person
    from events.ingest import Item

    Pair = tuple[Item, Person]

# LIMIT keeps the look-up by index, row for row; as a join the planner might read the log.
NEAR = """
SELECT r.position
FROM jsonb_to_recordset(%s) AS r(position int, profile_id bigint, name text, timestamp timestamptz, seconds int)
CROSS JOIN LATERAL (
    SELECT FROM events_event e
    WHERE e.profile_id = r.profile_id AND e.name = r.name AND e.type = 'track'
      AND e.timestamp > r.timestamp - make_interval(secs => r.seconds)
      AND e.timestamp < r.timestamp + make_interval(secs => r.seconds)
    LIMIT 1) AS near
"""


def timely(stored: Sequence[Sequence[Pair]], windows: Mapping[str, int]) -> list[list[Pair]]:
    """Return the groups of (item, person) without what comes too soon, in the caller's transaction.

    ``windows`` says for names in how many seconds only one is kept. Locks the people. Two statements, however many.
    """
    pairs = [pair for group in stored for pair in group]
    watched = [place for place, (item, _) in enumerate(pairs) if item.type == "track" and item.name in windows]
    late = _late(pairs, watched, windows) if watched else set()
    places = iter(range(len(pairs)))
    return [[pair for pair in group if next(places) not in late] for group in stored]


def _late(pairs: Sequence[Pair], watched: Sequence[int], windows: Mapping[str, int]) -> set[int]:
    late = _near_stored(pairs, watched, windows)
    last: dict[tuple[int | None, str], datetime] = {}
    for place in sorted(watched, key=lambda place: pairs[place][0].timestamp):
        item, person = pairs[place]
        before = last.get((person.profile_id, item.name))
        if before is not None and item.timestamp - before < timedelta(seconds=windows[item.name]):
            late.add(place)
        if place not in late:
            last[person.profile_id, item.name] = item.timestamp
    return late


def _near_stored(pairs: Sequence[Pair], watched: Sequence[int], windows: Mapping[str, int]) -> set[int]:
    """Return which of the watched places have an event in the log that is too near."""
    records = [
        {
            "position": place,
            "profile_id": person.profile_id,
            "name": item.name,
            "timestamp": item.timestamp,
            "seconds": windows[item.name],
        }
        for place in watched
        for item, person in [pairs[place]]
    ]
    # All of the transaction: who comes later with the same event waits until ours is in the log.
    people.hold(person.profile_id for _, person in pairs if person.profile_id)
    with connection.cursor() as cursor:
        cursor.execute(NEAR, [msgspec.json.encode(records).decode()])
        return {place for (place,) in cursor.fetchall()}
