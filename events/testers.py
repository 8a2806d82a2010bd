"""Test people: for trying things out, members of segments and counted in none."""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection

# Sizes of segments leave test people out, so they follow.
SWITCH = """
WITH switched AS (
    UPDATE events_profile SET is_test = %(wanted)s, updated_at = now()
    WHERE id = ANY(%(ids)s) AND is_test <> %(wanted)s RETURNING id
)
INSERT INTO events_segmentchange (segment_id, hour, entered, gone, cause, at)
SELECT m.segment_id, date_trunc('hour', now()), CASE WHEN %(wanted)s THEN 0 ELSE count(*) END,
       CASE WHEN %(wanted)s THEN count(*) ELSE 0 END, 'test people', now()
FROM switched JOIN events_segmentmember m ON m.profile_id = switched.id GROUP BY m.segment_id ORDER BY 1
"""


def switch(profile_ids: Collection[int], wanted: bool) -> None:
    """Make people test people (``wanted``) or ordinary ones. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(SWITCH, {"ids": list(profile_ids), "wanted": wanted})
