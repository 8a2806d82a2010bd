"""Ask about people whose time has come: who is inactive for thirty days now is so at that minute."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from events import present, turns
from events.models import SegmentTurn
from events.segments import live, membership


def turn_due(deadline: float) -> int:
    """Ask until nobody is due or ``time.monotonic()`` passes ``deadline``; return about how many were asked."""
    return turns.work(lambda: turn_batch(present.now()), deadline)


@transaction.atomic
def turn_batch(now: datetime) -> int:
    """Ask about up to ``turns.BATCH`` people who are due, each by the segments that wait for it."""
    held = turns.hold_due(SegmentTurn, now)
    if not held:
        return 0
    waiting = _waiting(held, now)
    segments = {segment.pk: segment for segment in live.current({pk for by_id in waiting.values() for pk in by_id})}
    for (cause, quiet), by_id in waiting.items():
        wanted = {segments[pk]: people for pk, people in by_id.items() if pk in segments}
        membership.ask(wanted, now, dict.fromkeys(by_id, (cause or "time", None)), quiet=quiet)
        # What belongs to segments without a condition waits for nothing.
        gone = by_id.keys() - segments.keys()
        SegmentTurn.objects.filter(segment_id__in=gone, profile_id__in=held).delete()
    return len(held)


def _waiting(held: Sequence[int], now: datetime) -> dict[tuple[str, bool], dict[int, set[int]]]:
    """Return who is due by segment, apart for each cause, and for whether campaigns are to hear of it."""
    waiting: dict[tuple[str, bool], dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    rows = SegmentTurn.objects.filter(profile_id__in=held, look_at__lte=now)
    for segment_id, profile_id, cause, quiet in rows.values_list("segment_id", "profile_id", "cause", "quiet"):
        waiting[cause, quiet][segment_id].add(profile_id)
    return waiting
