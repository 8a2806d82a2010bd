"""The statement that asks a segment's condition about people, made once a revision and process."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, Subquery

from events.audience import compile_condition, profiles
from events.audience.lapsing import next_change
from events.audience.prepared import SOME, Prepared, prepare
from events.conditions import Foreign, Node, walk
from events.models import Profile, SegmentMember, SegmentTurn
from events.segments.kind import KIND
from events.segments.live import Live

# Of other rooms' questions nobody knows what they look up while they are turned into SQL.
LASTING = frozenset({KIND.key})

_made: dict[int, tuple[Node, Prepared]] = {}


def ask(segment: Live, people: Collection[int], now: datetime) -> list[tuple[Any, ...]]:
    """Return (id, was in, is in, next change or None, is test, turn or None) of each person. One statement."""
    node, statement = _made.get(segment.pk, (None, None))
    if statement is None or node is not segment.node:
        statement = _make(segment)
        if all(not isinstance(part, Foreign) or part.key in LASTING for part in walk(segment.node)):
            _made[segment.pk] = segment.node, statement
    return statement.rows(people, now)


def text(segment: Live, people: Collection[int], now: datetime) -> tuple[str, list[Any]]:
    """Return the statement that ``ask`` runs, and its parameters."""
    statement = _make(segment)
    return statement.sql, statement.filled(people, now)


def _make(segment: Live) -> Prepared:
    scope = profiles(SOME)
    asked = Profile.objects.annotate(
        was_in=Exists(SegmentMember.objects.filter(segment_id=segment.pk, profile_id=OuterRef("pk"))),
        is_in=ExpressionWrapper(compile_condition(segment.node, scope), BooleanField()),
        look_at=next_change(segment.node, scope),
        turn_at=Subquery(
            SegmentTurn.objects.filter(segment_id=segment.pk, profile_id=OuterRef("pk")).values("look_at")
        ),
    )
    return prepare(asked.values_list("pk", "was_in", "is_in", "look_at", "is_test", "turn_at"))
