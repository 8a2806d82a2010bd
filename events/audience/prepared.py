"""A statement about people, made once and then only filled in: making one takes longer than running it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from events.models import Profile

PEOPLE = ' WHERE "events_profile"."id" = ANY(%s)'


class Moment(datetime):
    """Stands for the moment asked about while SQL is made; what is reckoned from it is one as well."""


SOME = Moment(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Prepared:
    """SQL whose last parameter is missing: the people. ``parameters`` hold moments to be moved to the real one."""

    sql: str
    parameters: tuple[Any, ...]

    def filled(self, people: Collection[int], now: datetime) -> list[Any]:
        """Return all parameters: for these people, as of ``now``."""
        moved = [now + (each - SOME) if isinstance(each, Moment) else each for each in self.parameters]
        return [*moved, list(people)]

    def rows(self, people: Collection[int], now: datetime) -> list[tuple[Any, ...]]:
        """Return a row for each of the people, as of ``now``. One statement."""
        with connection.cursor() as cursor:
            cursor.execute(self.sql, self.filled(people, now))
            found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def prepare(asked: QuerySet[Profile, Any]) -> Prepared:
    """Return the statement of a queryset of all people, in no order, that was made as of ``SOME``."""
    sql, parameters = asked.order_by().query.sql_with_params()
    return Prepared(sql + PEOPLE, parameters)
