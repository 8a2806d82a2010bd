"""Ask about people whose time has come: who is inactive for thirty days now is so at that minute."""

from __future__ import annotations

import time
from collections import defaultdict
from datetime import datetime

from django.db import connection, transaction
from django.utils import timezone

from events.models import SegmentTurn
from events.segments import live, membership

BATCH = 500
# People whom others hold are left for the next sweep.
HOLD_DUE = """
SELECT id FROM events_profile WHERE id = ANY(ARRAY(
    SELECT profile_id FROM events_segmentturn WHERE look_at <= %s ORDER BY look_at LIMIT %s))
ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
"""


def turn_due(deadline: float) -> int:
    """Ask until nobody is due or ``time.monotonic()`` passes ``deadline``; return about how many were asked."""
    done = 0
    while time.monotonic() < deadline:
        asked = turn_batch(timezone.now())
        if not asked:
            break
        done += asked
    return done


@transaction.atomic
def turn_batch(now: datetime) -> int:
    """Ask about up to ``BATCH`` people who are due, each by the segments that wait for it."""
    with connection.cursor() as cursor:
        cursor.execute(HOLD_DUE, [now, BATCH])
        held = [pk for (pk,) in cursor.fetchall()]
    if not held:
        return 0
    waiting: dict[int, set[int]] = defaultdict(set)
    rows = SegmentTurn.objects.filter(profile_id__in=held, look_at__lte=now).values_list("segment_id", "profile_id")
    for segment_id, profile_id in rows:
        waiting[segment_id].add(profile_id)
    segments = {segment: waiting[segment.pk] for segment in live.current(waiting)}
    membership.ask(segments, now, "time")
    # What belongs to segments without a condition waits for nothing.
    gone = set(waiting) - {segment.pk for segment in segments}
    SegmentTurn.objects.filter(segment_id__in=gone, profile_id__in=held).delete()
    return len(held)
