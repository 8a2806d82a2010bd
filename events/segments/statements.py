"""The statement that asks segments' conditions about people, made once for the same segments in a process.

Segments that hear of the same events are asked together: to send, start and end a statement takes longer than to ask
about a few people. What would change nothing stays in the database.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from django.db.models import BooleanField, ExpressionWrapper

from events.audience import compile_condition, profiles
from events.audience.lapsing import next_change
from events.audience.prepared import PEOPLE, SOME, Prepared
from events.conditions import Foreign, Node, walk
from events.models import Profile
from events.segments.kind import KIND
from events.segments.live import Live

# Of other rooms' questions nobody knows what they look up while they are turned into SQL.
LASTING = frozenset({KIND.key})
# Few enough that planning one statement stays quick.
TOGETHER = 20
KEPT = 1_000

# Each person's answers become rows of their own, of which those are returned that are to be written: who enters or
# leaves, whose turn is over, whose next turn comes earlier. OFFSET 0 keeps a question from being asked twice. Members
# and turns are looked up once a person, not once a segment. The people's place is the last, as ``Prepared`` wants it.
CHANGING = """
SELECT a.place, q.id, a.was_in, a.is_in, a.look_at, q.is_test, a.turn_at
FROM (VALUES (%s::timestamptz, %s::bigint[])) AS t(now, segments)
CROSS JOIN ({asked} OFFSET 0) AS q({columns})
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(segment_id), '{{}}') AS segments FROM events_segmentmember
    WHERE profile_id = q.id AND segment_id = ANY(t.segments)) AS own
CROSS JOIN LATERAL (
    SELECT array_agg(segment_id) AS segments, array_agg(look_at) AS times FROM events_segmentturn
    WHERE profile_id = q.id AND segment_id = ANY(t.segments)) AS turn
CROSS JOIN LATERAL (VALUES {answers}) AS a(place, was_in, is_in, look_at, turn_at)
WHERE a.was_in <> a.is_in OR a.turn_at <= t.now OR a.look_at < coalesce(a.turn_at, 'infinity')
"""
ANSWER = """(
    {0}, t.segments[{1}] = ANY(own.segments), coalesce(q.is_in_{0}, false), q.look_at_{0}::timestamptz,
    turn.times[array_position(turn.segments, t.segments[{1}])])"""

_made: dict[tuple[int, ...], tuple[Sequence[Node], Prepared]] = {}


def may_share(segment: Live) -> bool:
    """Say whether the segment's statement lasts, and so may be one with those of others."""
    return all(not isinstance(part, Foreign) or part.key in LASTING for part in walk(segment.node))


def ask(segments: Sequence[Live], people: Collection[int], now: datetime) -> list[tuple[Any, ...]]:
    """Return (place of the segment, id, was in, is in, next change or None, is test, turn or None) where it matters.

    That is for whoever is to enter or leave, or to have another turn. One statement.
    """
    key, nodes = tuple(segment.pk for segment in segments), [segment.node for segment in segments]
    known, statement = _made.get(key, ((), None))
    if statement is None or any(node is not other for node, other in zip(nodes, known, strict=True)):
        statement = _make(segments)
        if all(map(may_share, segments)):
            if len(_made) >= KEPT:
                _made.clear()
            _made[key] = nodes, statement
    return statement.rows(people, now)


def text(segment: Live, people: Collection[int], now: datetime) -> tuple[str, list[Any]]:
    """Return the statement by which ``ask`` asks a segment by itself, and its parameters."""
    statement = _make([segment])
    return statement.sql, statement.filled(people, now)


def _make(segments: Sequence[Live]) -> Prepared:
    asked: dict[str, Any] = {}
    for place, segment in enumerate(segments):
        asked |= {f"{name}_{place}": question for name, question in _questions(segment).items()}
    query = Profile.objects.order_by().annotate(**asked).values_list("pk", "is_test", *asked).query
    sql, parameters = query.sql_with_params()
    answers = ", ".join(ANSWER.format(place, place + 1) for place in range(len(segments)))
    text = CHANGING.format(asked=sql + PEOPLE, columns=", ".join(("id", "is_test", *asked)), answers=answers)
    return Prepared(text, (SOME, [segment.pk for segment in segments], *parameters))


def _questions(segment: Live) -> dict[str, Any]:
    scope = profiles(SOME)
    return {
        "is_in": ExpressionWrapper(compile_condition(segment.node, scope), BooleanField()),
        "look_at": next_change(segment.node, scope),
    }
