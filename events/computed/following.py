"""Keep computed traits current by what comes in, and through merges and erasures."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from events import nudges
from events.computed import definitions, writing
from events.computed.definitions import Definition
from events.computed.writing import Changed
from events.log import ClaimedEvent
from events.models import ComputedTrait, ComputedValue


def follow(events: Sequence[ClaimedEvent], now: datetime) -> Changed:
    """Reckon anew what these events may change, which the caller has claimed; return whose traits have changed.

    One statement where nothing is computed; else two, one for each computed trait that may change, and three to write.
    What time alone has changed of these people, and no sweep has come to yet, is reckoned with it: so whatever reads
    traits in this transaction reads them as they are now.
    """
    current = definitions.current()
    if not current:
        return {}
    heard: dict[tuple[str, str], set[int]] = defaultdict(set)
    for event in events:
        heard[event.type, event.name].add(event.profile_id)
    now = max([now, *(event.received_at for event in events)])
    due = due_of({event.profile_id for event in events}, now)
    wanted: dict[Definition, set[int]] = {}
    for definition in current:
        what = definition.past.what
        wanted[definition] = heard.get((what.type, what.event), set()) | due.get(definition.pk, set())
    return writing.reckon(wanted, now)


def due_of(people: Collection[int], now: datetime, quiet: bool | None = None) -> dict[int, set[int]]:
    """Return by computed trait whom of these to look at again, ``quiet`` or not where said. One statement."""
    due: dict[int, set[int]] = defaultdict(set)
    rows = ComputedValue.objects.filter(profile_id__in=list(people), look_at__lte=now)
    if quiet is not None:
        rows = rows.filter(quiet=quiet)
    for computed_id, profile_id in rows.values_list("computed_id", "profile_id"):
        due[computed_id].add(profile_id)
    return due


# The winner's past has grown: what comes of it is reckoned with the next sweep, or with their next event.
RECKON_AGAIN = """
INSERT INTO events_computedvalue (computed_id, profile_id, look_at)
SELECT c.id, w.winner, now() FROM (SELECT DISTINCT unnest(%s::bigint[]) AS winner) AS w
CROSS JOIN events_computedtrait c WHERE c.state <> 'going' ORDER BY 1, 2
ON CONFLICT (computed_id, profile_id) DO UPDATE SET look_at = excluded.look_at, quiet = false
"""
# As segments do it: people are held first, and a look that is due and to be told stays so. It moves a little, so that
# whoever is looking at this moment sees that it is a new one.
LOOK_NOW = """
WITH held AS MATERIALIZED (
    SELECT id FROM events_profile WHERE id = ANY(%s) ORDER BY id FOR KEY SHARE
)
INSERT INTO events_computedvalue AS v (computed_id, profile_id, look_at, quiet)
SELECT r.computed_id, held.id, clock_timestamp(), true
FROM jsonb_to_recordset(%s) AS r(computed_id bigint, profile_id bigint) JOIN held ON held.id = r.profile_id
ORDER BY 1, 2 ON CONFLICT (computed_id, profile_id) DO UPDATE SET
    look_at = least(v.look_at + interval '1 microsecond', excluded.look_at),
    quiet = v.quiet OR coalesce(v.look_at > excluded.look_at, true)
"""


def hear(heard: Mapping[tuple[str, str], Collection[int]], moved: Collection[int] = ()) -> None:
    """Have the people of events that nobody will claim reckoned anew, and no campaign told of what comes of it.

    ``heard`` holds profile ids by type and name; who has ``moved`` to another time zone is reckoned anew where days are
    compared. In the transaction that stores the events; two statements at most.
    """
    if not heard and not moved:
        return
    wanted = [
        (each.pk, person)
        for each in definitions.current()
        for person in {
            *heard.get((each.past.what.type, each.past.what.event), ()),
            *(moved if definitions.compares_days(each) else ()),
        }
    ]
    if wanted:
        rows = [{"computed_id": pk, "profile_id": person} for pk, person in wanted]
        with connection.cursor() as cursor:
            cursor.execute(LOOK_NOW, [sorted({person for _, person in wanted}), json.dumps(rows)])
        nudges.nudge("computed-turns")


def follow_merge(sender: object, pairs: Sequence[tuple[int, int]], **kwargs: Any) -> None:
    """Have the winners' values reckoned from what is now their past. One statement, two where anything is computed."""
    if not ComputedTrait.objects.exists():
        return
    _forget([loser for loser, _ in pairs])
    with connection.cursor() as cursor:
        cursor.execute(RECKON_AGAIN, [[winner for _, winner in pairs]])
    nudges.nudge("computed-turns")


def follow_erasure(sender: object, profile_ids: Sequence[int], **kwargs: Any) -> None:
    """Forget that erased people had values; the values go with their traits. One statement."""
    _forget(profile_ids)


def _forget(profile_ids: Sequence[int]) -> None:
    ComputedValue.objects.filter(profile_id__in=list(profile_ids)).delete()
