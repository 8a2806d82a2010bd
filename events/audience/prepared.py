"""A statement about people, made once and then only filled in: making one takes longer than running it.

So does planning one, where it asks about few: PostgreSQL is told it once a connection, by PREPARE, and keeps the plan.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from django.db import connection
from django.db.models import QuerySet
from psycopg.adapt import Dumper

from events.models import Profile

# So many statements are kept in each connection; the one that was not used for the longest time goes first.
KEPT = 1_000
PEOPLE = ' WHERE "events_profile"."id" = ANY(%s)'


class Moment(datetime):
    """Stands for the moment asked about while SQL is made; what is reckoned from it is one as well."""


SOME = Moment(2026, 1, 1, tzinfo=UTC)


_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Prepared:
    """SQL whose last parameter is missing: the people. ``parameters`` hold moments to be moved to the real one."""

    sql: str
    parameters: tuple[Any, ...]
    name: str = field(default_factory=lambda: f"cuebird_{next(_numbers)}")

    def filled(self, people: Collection[int], now: datetime) -> list[Any]:
        """Return all parameters: for these people, as of ``now``."""
        moved = [now + (each - SOME) if isinstance(each, Moment) else each for each in self.parameters]
        return [*moved, list(people)]

    def rows(self, people: Collection[int], now: datetime) -> list[tuple[Any, ...]]:
        """Return a row for each of the people, as of ``now``. One statement."""
        with connection.cursor() as cursor:
            _tell(self)
            cursor.execute(f"EXECUTE {self.name} (%s, %s)", [now, list(people)])
            found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def prepare(asked: QuerySet[Profile, Any]) -> Prepared:
    """Return the statement of a queryset of all people, in no order, that was made as of ``SOME``."""
    sql, parameters = asked.order_by().query.sql_with_params()
    return Prepared(sql + PEOPLE, parameters)


class _People:
    """Stands for the people where a statement is told."""


class _MomentDumper(Dumper):
    def dump(self, obj: Moment) -> bytes:
        return b"($1 + '%d microseconds'::interval)" % ((obj - SOME) // timedelta(microseconds=1))

    quote = dump


class _PeopleDumper(Dumper):
    def dump(self, obj: _People) -> bytes:
        return b"$2"

    quote = dump


_told: WeakKeyDictionary[psycopg.Connection[Any], OrderedDict[str, None]] = WeakKeyDictionary()


def forget() -> None:
    """Have the current connection know no statement any more: the tables that they were told about are others now."""
    server = connection.connection
    if server is not None and _told.pop(server, None) is not None:
        with connection.cursor() as cursor:
            cursor.execute("DEALLOCATE ALL")


def _tell(statement: Prepared) -> None:
    """Have the current connection know the statement.

    One plan serves for any moment and any people: nothing in it hangs on how many they are. They are few, so that it is
    not worth while to compile it.
    """
    server: psycopg.Connection[Any] = connection.connection
    told = _told.setdefault(server, OrderedDict())
    if statement.name in told:
        told.move_to_end(statement.name)
        return
    with psycopg.ClientCursor(server) as cursor:
        cursor.adapters.register_dumper(Moment, _MomentDumper)
        cursor.adapters.register_dumper(_People, _PeopleDumper)
        cursor.execute("SET plan_cache_mode = force_generic_plan; SET jit = off")
        text = f"PREPARE {statement.name} (timestamptz, bigint[]) AS {statement.sql}"
        cursor.execute(text, [*statement.parameters, _People()])
        # The plan is made now and kept until statistics change: what is empty today must not be read whole tomorrow.
        cursor.execute(
            f"SET enable_seqscan = off; EXPLAIN EXECUTE {statement.name} (now(), '{{}}'); RESET enable_seqscan"
        )
        told[statement.name] = None
        if len(told) > KEPT:
            cursor.execute(f"DEALLOCATE {told.popitem(last=False)[0]}")
