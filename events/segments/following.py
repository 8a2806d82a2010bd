"""What becomes of memberships when two people are merged, somebody is erased, or exported."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.db import connection
from django.db.models import F

from events.models import SegmentMember
from events.portrait import Section, rows

GONE = """
WITH gone AS (DELETE FROM events_segmentmember WHERE profile_id = ANY(%(ids)s) RETURNING segment_id, profile_id),
turns AS (DELETE FROM events_segmentturn WHERE profile_id = ANY(%(ids)s))
INSERT INTO events_segmentchange (segment_id, hour, entered, gone, cause, at)
SELECT gone.segment_id, date_trunc('hour', now()), 0, count(*), %(cause)s, now()
FROM gone JOIN events_profile p ON p.id = gone.profile_id AND NOT p.is_test GROUP BY gone.segment_id ORDER BY 1
"""

PAIRS = "unnest(%(ids)s::bigint[], %(winners)s::bigint[]) AS pair(loser, winner)"
# Whom a file for a list has named, and whose event a segment was last asked by.
NAMED = f"""
WITH moved AS (
    INSERT INTO events_importperson (upload_id, profile_id, row)
    SELECT n.upload_id, pair.winner, min(n.row) FROM {PAIRS} JOIN events_importperson n ON n.profile_id = pair.loser
    GROUP BY n.upload_id, pair.winner ORDER BY 1, 2 ON CONFLICT DO NOTHING
)
DELETE FROM events_importperson WHERE profile_id = ANY(%(ids)s)
"""
FORGET = """
WITH named AS (DELETE FROM events_importperson WHERE profile_id = ANY(%(ids)s)),
waiting AS (UPDATE events_segmentchange SET of_person = NULL WHERE of_person = ANY(%(ids)s))
UPDATE events_segment SET asked_of = NULL WHERE asked_of = ANY(%(ids)s)
"""
# Into lists kept by hand the winner comes in the loser's place; of what conditions say, the winner is asked again.
JOIN = f"""
WITH joined AS (
    INSERT INTO events_segmentmember (segment_id, profile_id, since)
    SELECT l.segment_id, pair.winner, min(l.since)
    FROM {PAIRS} JOIN events_segmentmember l ON l.profile_id = pair.loser
    JOIN events_segment s ON s.id = l.segment_id AND s.kind = 'manual'
    GROUP BY l.segment_id, pair.winner ORDER BY 1, 2
    ON CONFLICT DO NOTHING RETURNING segment_id, profile_id
)
INSERT INTO events_segmentchange (segment_id, hour, entered, gone, cause, at)
SELECT joined.segment_id, date_trunc('hour', now()), count(*), 0, 'two people became one', now()
FROM joined JOIN events_profile p ON p.id = joined.profile_id AND NOT p.is_test GROUP BY joined.segment_id ORDER BY 1
"""
ASK_AGAIN = """
INSERT INTO events_segmentturn (segment_id, profile_id, look_at, cause)
SELECT s.id, winner, now(), %(cause)s FROM (SELECT DISTINCT unnest(%(winners)s::bigint[]) AS winner) AS w
CROSS JOIN events_segment s WHERE s.kind = 'dynamic' AND s.condition IS NOT NULL ORDER BY 1, 2
ON CONFLICT (segment_id, profile_id) DO UPDATE SET
    look_at = excluded.look_at, cause = excluded.cause, quiet = false
"""


def follow_merge(sender: object, pairs: Sequence[tuple[int, int]], **kwargs: Any) -> None:
    """Bring the winners into the losers' lists, and have them asked by every condition. Four statements."""
    parameters: dict[str, Any] = {
        "ids": [loser for loser, _ in pairs],
        "winners": [winner for _, winner in pairs],
        "cause": "two people became one",
    }
    with connection.cursor() as cursor:
        for statement in (JOIN, GONE, NAMED, ASK_AGAIN):
            cursor.execute(statement, parameters)


def follow_erasure(sender: object, profile_ids: Sequence[int], **kwargs: Any) -> None:
    """Take erased people out of every segment. Two statements."""
    with connection.cursor() as cursor:
        cursor.execute(FORGET, {"ids": list(profile_ids)})
        cursor.execute(GONE, {"ids": list(profile_ids), "cause": "somebody was erased"})


def sections(sender: object, profile_id: int, **kwargs: Any) -> Iterator[Section]:
    """Yield what a copy of a person's data says of segments."""
    found = SegmentMember.objects.filter(profile=profile_id).order_by("since")
    yield "segments", rows(found, "since", segment_slug=F("segment__slug"), segment_name=F("segment__name"))
