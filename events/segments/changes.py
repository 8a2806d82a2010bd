"""Write who has entered and who has left: members, turns, figures, and the news in the log."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from events import log
from events.log import ClaimedEvent
from events.models import SegmentChange
from events.segments import asking

ENTERED, LEFT = "Segment Entered", "Segment Left"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a segment's condition says of one person now. ``look_at`` is when time may change it.

    ``quiet`` answers are not told to campaigns: it had been so before anybody asked. ``turn_at`` is when to look again
    by what had been known before: another turn, come meanwhile, stays.
    """

    segment_id: int
    slug: str
    name: str
    profile_id: int
    was_in: bool
    is_in: bool
    look_at: datetime | None
    is_test: bool
    quiet: bool = False
    turn_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """One look at a segment: about whom, why, and what it took.

    ``cause`` says in words why, ``of_person`` whose event it was. How many were ``asked``, in how many ``seconds``, is
    nothing where no condition was.
    """

    segment_id: int
    cause: str
    of_person: int | None = None
    asked: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Moved:
    """How many people entered or left, and the news of it where the caller is to act on them."""

    people: int = 0
    news: Sequence[ClaimedEvent] = ()


ENTER = """
INSERT INTO events_segmentmember (segment_id, profile_id, since)
SELECT segment_id, profile_id, %s FROM jsonb_to_recordset(%s) AS r(segment_id bigint, profile_id bigint)
ORDER BY 1, 2 ON CONFLICT DO NOTHING
"""
LEAVE = """
DELETE FROM events_segmentmember m USING jsonb_to_recordset(%s) AS r(segment_id bigint, profile_id bigint)
WHERE m.segment_id = r.segment_id AND m.profile_id = r.profile_id
"""
# Another turn may have come meanwhile, of what those who ask have not seen yet, and without the person being held: it
# is left for the next sweep. So is the one that was known when it has been moved.
TURN = """
INSERT INTO events_segmentturn (segment_id, profile_id, look_at)
SELECT segment_id, profile_id, look_at
FROM jsonb_to_recordset(%s) AS r(segment_id bigint, profile_id bigint, look_at timestamptz)
ORDER BY 1, 2 ON CONFLICT DO NOTHING
"""
TURN_ANEW = """
UPDATE events_segmentturn t SET look_at = r.look_at, cause = '', quiet = false
FROM jsonb_to_recordset(%s) AS r(segment_id bigint, profile_id bigint, look_at timestamptz, turn_at timestamptz)
WHERE t.segment_id = r.segment_id AND t.profile_id = r.profile_id AND t.look_at = r.turn_at
"""
STAY = """
DELETE FROM events_segmentturn t
USING jsonb_to_recordset(%s) AS r(segment_id bigint, profile_id bigint, turn_at timestamptz)
WHERE t.segment_id = r.segment_id AND t.profile_id = r.profile_id AND t.look_at = r.turn_at
"""


def write(answers: Sequence[Answer], at: datetime, asks: Sequence[Ask], *, claim: bool = False) -> Moved:
    """Store the answers in the caller's transaction and tell the log. Seven statements at most.

    ``asks`` tell of each segment in ``answers`` how they were come by. Where nobody is told, segments that ask for
    these are asked again by themselves. With ``claim`` the caller, who has claimed events, acts on the news as well.
    """
    entered = [answer for answer in answers if answer.is_in and not answer.was_in]
    left = [answer for answer in answers if answer.was_in and not answer.is_in]
    _execute(ENTER, entered, at)
    _execute(LEAVE, left)
    # Who is looked at earlier than need be is asked in vain once; to move the turn with every event costs more.
    over = [answer for answer in answers if answer.turn_at is not None and answer.turn_at <= at]
    _execute(STAY, [answer for answer in over if answer.look_at is None])
    earlier = [answer for answer in answers if _comes_earlier(answer, at)]
    _execute(TURN, [answer for answer in earlier if answer.turn_at is None])
    _execute(TURN_ANEW, [answer for answer in earlier if answer.turn_at is not None])
    _record(entered, left, at, asks)
    told = [answer for answer in (*entered, *left) if not answer.quiet]
    news = _tell(told, at, claim=claim)
    for name, moved in ((ENTERED, entered), (LEFT, left)):
        asking.hear(asking.unheard(name, {answer.profile_id for answer in moved if answer.quiet}), "another segment")
    return Moved(len(entered) + len(left), news)


def _tell(told: Sequence[Answer], at: datetime, *, claim: bool) -> Sequence[ClaimedEvent]:
    entries = [_news(answer, at) for answer in told]
    if claim:
        return log.append_claimed(entries, {answer.profile_id for answer in told if answer.is_test})
    log.append(entries)
    return ()


def _comes_earlier(answer: Answer, at: datetime) -> bool:
    """Say whether no turn that is still to come serves."""
    look_at, turn_at = answer.look_at, answer.turn_at
    return look_at is not None and (turn_at is None or turn_at <= at or look_at < turn_at)


def _record(entered: Sequence[Answer], left: Sequence[Answer], at: datetime, asks: Sequence[Ask]) -> None:
    """Append to the figures. One statement."""
    hour = at.replace(minute=0, second=0, microsecond=0)
    came, went = (Counter(answer.segment_id for answer in moved if not answer.is_test) for moved in (entered, left))
    SegmentChange.objects.bulk_create(
        SegmentChange(
            segment_id=ask.segment_id,
            hour=hour,
            entered=came[ask.segment_id],
            gone=went[ask.segment_id],
            cause=ask.cause,
            asks=1 if ask.asked else 0,
            asked=ask.asked,
            seconds=ask.seconds,
            of_person=ask.of_person,
            at=at,
        )
        for ask in asks
    )


def _news(answer: Answer, at: datetime) -> log.Entry:
    name = ENTERED if answer.is_in else LEFT
    return log.Entry(answer.profile_id, name, {"segment": answer.slug, "name": answer.name}, at)


def _execute(statement: str, answers: Iterable[Answer], *before: datetime) -> None:
    rows = [
        {
            "segment_id": answer.segment_id,
            "profile_id": answer.profile_id,
            "look_at": answer.look_at and answer.look_at.isoformat(),
            "turn_at": answer.turn_at and answer.turn_at.isoformat(),
        }
        for answer in answers
    ]
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(statement, [*before, json.dumps(rows)])


# Of the looks that were taken the newest is remembered, and of those that moved anybody the newest as well.
FOLD = """
WITH taken AS (
    DELETE FROM events_segmentchange WHERE id = ANY(ARRAY(
        SELECT id FROM events_segmentchange ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED))
    RETURNING segment_id, hour, entered, gone, cause, asks, asked, seconds, of_person, at
), news AS (
    SELECT segment_id, sum(entered) AS entered, sum(gone) AS gone,
           max(at) FILTER (WHERE entered + gone > 0) AS moved_at,
           (array_agg(cause ORDER BY at DESC) FILTER (WHERE entered + gone > 0))[1] AS moved_by,
           max(at) FILTER (WHERE asks > 0) AS asked_at,
           (array_agg(cause ORDER BY at DESC) FILTER (WHERE asks > 0))[1] AS asked_by,
           (array_agg(of_person ORDER BY at DESC) FILTER (WHERE asks > 0))[1] AS asked_of
    FROM taken GROUP BY segment_id
), grown AS (
    UPDATE events_segment s SET size = s.size + n.entered - n.gone,
        changed_at = greatest(s.changed_at, n.moved_at),
        changed_by = CASE WHEN n.moved_at >= coalesce(s.changed_at, n.moved_at) THEN n.moved_by ELSE s.changed_by END,
        asked_at = greatest(s.asked_at, n.asked_at),
        asked_by = CASE WHEN n.asked_at >= coalesce(s.asked_at, n.asked_at) THEN n.asked_by ELSE s.asked_by END,
        asked_of = CASE WHEN n.asked_at >= coalesce(s.asked_at, n.asked_at) THEN n.asked_of ELSE s.asked_of END
    FROM news n WHERE s.id = n.segment_id RETURNING s.id, s.size
), folded AS (
    INSERT INTO events_segmenthour AS h (segment_id, hour, entered, gone, size, asks, asked, seconds)
    SELECT t.segment_id, t.hour, sum(t.entered), sum(t.gone), grown.size, sum(t.asks), sum(t.asked), sum(t.seconds)
    FROM taken t JOIN grown ON grown.id = t.segment_id
    GROUP BY t.segment_id, t.hour, grown.size ORDER BY 1, 2
    ON CONFLICT (segment_id, hour) DO UPDATE SET
        entered = h.entered + excluded.entered, gone = h.gone + excluded.gone, size = excluded.size,
        asks = h.asks + excluded.asks, asked = h.asked + excluded.asked, seconds = h.seconds + excluded.seconds
)
SELECT count(*) FROM taken
"""
FOLD_LIMIT = 10_000
FOLDER = 0x0CA7A5E6


def fold() -> int:
    """Add what was appended to sizes and hourly figures; one process at a time does. Returns how many were folded."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [FOLDER])
        if not cursor.fetchone()[0]:
            return 0
        try:
            cursor.execute(FOLD, [FOLD_LIMIT])
            return int(cursor.fetchone()[0])
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [FOLDER])
