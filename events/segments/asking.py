"""Have people asked again at once, where something about them changed that no claimed event will tell of.

Events that are not for campaigns, what is said of a group beside its members' events, a time zone that came with
whatever call, segments that are filled without a word: each leaves turns that are due now, and the sweep takes them
within a second. It does not ask by itself: whoever
asks holds the people, and who is in the middle of other locks must not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec
from django.db import connection

from events import nudges
from events.models import Event
from events.segments import live

Heard = Mapping[tuple[str, str], Collection[int]]

# People are held first, in their order, so that nobody is merged away or erased under a turn. A turn that is due and
# to be told stays so; it moves a little, so that whoever is asking at this moment sees that it is a new one.
TURN_NOW = """
INSERT INTO events_segmentturn AS t (segment_id, profile_id, look_at, cause, quiet)
SELECT s.id, held.id, clock_timestamp(), %(cause)s, %(quiet)s
FROM held CROSS JOIN unnest(%(segments)s::bigint[]) AS s(id) ORDER BY 1, 2
ON CONFLICT (segment_id, profile_id) DO UPDATE SET
    look_at = least(t.look_at + interval '1 microsecond', excluded.look_at), cause = excluded.cause,
    quiet = excluded.quiet AND (t.quiet OR t.look_at > excluded.look_at)
"""
ASK = f"""
WITH held AS MATERIALIZED (
    SELECT id FROM events_profile WHERE id = ANY(%(people)s) ORDER BY id FOR KEY SHARE
) {TURN_NOW}
"""
# A group that has stayed as it was is news of nobody.
MEMBERS = f"""
WITH told AS MATERIALIZED (
    SELECT m.profile_id FROM events_membership m JOIN events_group g ON g.id = m.group_id
    WHERE g.updated_at >= now() AND (
        (g.type, g.key) IN (SELECT type, key FROM jsonb_to_recordset(%(groups)s) AS k(type text, key text))
        OR g.id IN (SELECT own.group_id FROM events_membership own WHERE own.profile_id = ANY(%(people)s)))
    UNION SELECT unnest(%(people)s::bigint[])
), held AS MATERIALIZED (
    SELECT id FROM events_profile WHERE id = ANY(ARRAY(SELECT profile_id FROM told)) ORDER BY id FOR KEY SHARE
) {TURN_NOW}
"""


def unheard(name: str, people: Collection[int]) -> Heard:
    """Return tracked events of a name as ``hear`` takes them; nothing where there are no people."""
    return {(Event.Type.TRACK, name): people} if people else {}


def hear(heard: Heard, cause: str, *, quiet: bool = True) -> None:
    """Have the people of events that nobody will claim asked by the segments that these may change.

    ``heard`` holds profile ids by type and name. Runs in the caller's transaction: one statement and one more for each
    distinct set of people; none where nothing was heard.
    """
    if not heard:
        return
    waiting: dict[frozenset[int], list[int]] = {}
    for segment in live.current():
        people = frozenset(one for what, ids in heard.items() if segment.interest.includes(*what) for one in ids)
        if people:
            waiting.setdefault(people, []).append(segment.pk)
    for people, segments in waiting.items():
        _turn(ASK, {"people": sorted(people)}, segments, cause, quiet=quiet)


def groups_changed(
    keys: Iterable[tuple[str, str]], people: Collection[int], cause: str, *, quiet: bool = False
) -> None:
    """Have ``people`` asked, and all members of groups that have changed: those with ``keys``, and theirs.

    In the transaction that changed them. Two statements.
    """
    watching = live.watching_groups(live.current())
    if watching:
        groups = msgspec.json.encode([{"type": type_, "key": key} for type_, key in keys]).decode()
        _turn(MEMBERS, {"groups": groups, "people": sorted(people)}, watching, cause, quiet=quiet)


def zones_changed(people: Collection[int], *, quiet: bool = False) -> None:
    """Have ``people``, whose time zone is another now, asked where days and times of day count.

    Their minute has moved as well: it is reckoned anew. In the transaction that changed them. Two statements at most.
    """
    watching = live.watching_zones(live.current()) if people else ()
    if watching:
        _turn(ASK, {"people": sorted(people)}, watching, "their time zone", quiet=quiet)


def _turn(statement: str, parameters: dict[str, Any], segments: Collection[int], cause: str, *, quiet: bool) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, {**parameters, "segments": sorted(segments), "cause": cause, "quiet": quiet})
    nudges.nudge("turns")
