"""The statement that asks a segment's condition about people: made once a revision and process, then only filled in.

Making one from expressions takes longer than running it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection
from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef

from events.audience import compile_condition, profiles
from events.audience.lapsing import next_change
from events.conditions import Foreign, Node, walk
from events.models import Profile, SegmentMember
from events.segments.kind import KIND
from events.segments.live import Live

# Of other rooms' questions nobody knows what they look up while they are turned into SQL.
LASTING = frozenset({KIND.key})
PEOPLE = ' WHERE "events_profile"."id" = ANY(%s)'


class Moment(datetime):
    """Stands for the moment asked about while SQL is made; what is reckoned from it is one as well."""


SOME = Moment(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL whose last parameter is missing: the people. ``parameters`` hold moments to be moved to the real one."""

    node: Node
    sql: str
    parameters: tuple[Any, ...]

    def rows(self, people: Collection[int], now: datetime) -> list[tuple[Any, ...]]:
        moved = [now + (each - SOME) if isinstance(each, Moment) else each for each in self.parameters]
        with connection.cursor() as cursor:
            cursor.execute(self.sql, [*moved, list(people)])
            found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


_made: dict[int, Statement] = {}


def ask(segment: Live, people: Collection[int], now: datetime) -> list[tuple[Any, ...]]:
    """Return (id, was in, is in, next change or None, is test) of each person. One statement."""
    statement = _made.get(segment.pk)
    if statement is None or statement.node is not segment.node:
        statement = _make(segment)
        if all(not isinstance(part, Foreign) or part.key in LASTING for part in walk(segment.node)):
            _made[segment.pk] = statement
    return statement.rows(people, now)


def _make(segment: Live) -> Statement:
    scope = profiles(SOME)
    asked = Profile.objects.annotate(
        was_in=Exists(SegmentMember.objects.filter(segment_id=segment.pk, profile_id=OuterRef("pk"))),
        is_in=ExpressionWrapper(compile_condition(segment.node, scope), BooleanField()),
        look_at=next_change(segment.node, scope),
    ).values_list("pk", "was_in", "is_in", "look_at", "is_test")
    sql, parameters = asked.query.sql_with_params()
    return Statement(segment.node, sql + PEOPLE, parameters)
