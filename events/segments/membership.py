"""Ask the segments' conditions about people: those an event is about, in the transaction that has claimed it."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef

from events.audience import compile_condition, profiles
from events.audience.lapsing import next_change
from events.log import ClaimedEvent
from events.models import Event, Profile, SegmentMember
from events.segments import changes, live
from events.segments.changes import Answer
from events.segments.live import Live

# What is new of a group may be news of everybody in it: they are asked with the next sweep.
ASK_COLLEAGUES = """
INSERT INTO events_segmentturn (segment_id, profile_id, look_at)
SELECT DISTINCT s.id, other.profile_id, %(at)s
FROM events_membership own JOIN events_membership other USING (group_id), unnest(%(segments)s::bigint[]) AS s(id)
WHERE own.profile_id = ANY(%(people)s) ORDER BY 1, 2
ON CONFLICT (segment_id, profile_id) DO UPDATE SET look_at = least(events_segmentturn.look_at, excluded.look_at)
"""


def follow(events: Sequence[ClaimedEvent], now: datetime) -> None:
    """See who enters and leaves segments by these events, which the caller has claimed.

    One statement, and one more for each segment that any of them may change.
    """
    segments = live.current()
    heard = _heard(events)
    touched = {segment: _touched(segment, heard) for segment in segments}
    # The senders' clocks and ours may differ: what has been stored has happened.
    now = max([now, *(event.received_at for event in events)])
    ask({segment: people for segment, people in touched.items() if people}, now, _cause(events))
    told = {event.profile_id for event in events if event.type == Event.Type.GROUP}
    watching = [segment.pk for segment in segments if Event.Type.GROUP in segment.interest.types]
    if told and watching:
        with connection.cursor() as cursor:
            cursor.execute(ASK_COLLEAGUES, {"at": now, "segments": watching, "people": list(told)})


def ask(wanted: Mapping[Live, Collection[int]], now: datetime, cause: str) -> int:
    """Ask each segment about its people, whom the caller holds, and write what has changed. Returns how much."""
    answers: list[Answer] = []
    for segment, people in wanted.items():
        answers += _answers(segment, people, now)
    return changes.write(answers, now, cause) if answers else 0


def _heard(events: Sequence[ClaimedEvent]) -> dict[tuple[str, str], set[int]]:
    """Return the people by type and name of their events: segments are many, names in a batch are few."""
    heard: dict[tuple[str, str], set[int]] = defaultdict(set)
    for event in events:
        heard[event.type, event.name].add(event.profile_id)
    return heard


def _touched(segment: Live, heard: Mapping[tuple[str, str], set[int]]) -> set[int]:
    return set().union(*(people for what, people in heard.items() if segment.interest.includes(*what)))


def _answers(segment: Live, people: Collection[int], now: datetime) -> list[Answer]:
    scope = profiles(now)
    member = SegmentMember.objects.filter(segment_id=segment.pk, profile_id=OuterRef("pk"))
    rows: Any = (
        Profile.objects.filter(pk__in=list(people))
        .annotate(
            was_in=Exists(member),
            is_in=ExpressionWrapper(compile_condition(segment.node, scope), BooleanField()),
            look_at=next_change(segment.node, scope),
        )
        .values_list("pk", "was_in", "is_in", "look_at", "is_test")
    )
    # Who had not been asked before may have been in it all along.
    new_above = sys.maxsize if segment.built_to is None else segment.built_to
    return [
        Answer(segment.pk, segment.slug, segment.name, pk, was_in, is_in, look_at, is_test, pk > new_above)
        for pk, was_in, is_in, look_at, is_test in rows
    ]


def _cause(events: Sequence[ClaimedEvent]) -> str:
    names = Counter(event.name if event.type == Event.Type.TRACK else event.type for event in events)
    return names.most_common(1)[0][0] if names else ""
