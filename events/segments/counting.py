"""How many people meet a condition now, and who? Asked only when somebody wants to know, and never for long.

Where an exact answer takes too long, people chosen at random stand for all: asking one person is quick whatever
the condition.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from events import patience, people
from events.audience import EVENTS, compile_condition, profiles
from events.conditions import Node
from events.conditions.nodes import What
from events.models import Event, Profile
from events.patience import TooLong

# What the builder waits for: an exact count, then one of a sample, and names of a few.
EXACT_SECONDS = 5
SAMPLE_SECONDS = 3
# Sets of people are held in memory, so that each event is read once; and what is asked for is mostly in memory as well,
# where an index costs less than the server thinks by default.
SETTINGS = {"work_mem": "256MB", "random_page_cost": "1.1"}
# People asked for an estimate, and shown.
ASKED = 2_000
SHOWN = 10
# From so many people on nobody minds that their number is a little old.
MANY = 100_000
# An event at hand is each person's last one of this time.
LATELY = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Found:
    """``people`` of ``of`` meet the condition; when not ``exact``, that is estimated. ``some`` are ids of a few."""

    people: int
    of: int
    exact: bool
    some: Sequence[int]


def count(node: Node, seconds: float = EXACT_SECONDS) -> int:
    """Return how many people meet ``node`` now, test people left out. Raises TooLong after ``seconds``."""
    with patience.at_most(seconds, SETTINGS):
        return _people(node, timezone.now(), everyone=True).count()


def text(node: Node, now: datetime) -> tuple[str, Sequence[Any]]:
    """Return the statement that finds everybody who meets ``node``, as ``count`` does, and its parameters."""
    sql, parameters = _people(node, now, everyone=True).order_by().values("pk").query.sql_with_params()
    return sql, parameters


def find(node: Node, at_hand: What | None = None) -> Found:
    """Return how many people meet ``node`` now, and a few of them, test people left out.

    With ``at_hand`` the condition is asked of each person's last such event, of those within ``LATELY``. Raises TooLong
    when neither an exact count nor an estimate comes to an end in time. Five statements, each bounded.
    """
    now = timezone.now()
    with patience.at_most(EXACT_SECONDS):
        of = everybody()
    try:
        number = count(node) if at_hand is None else _count_events(node, at_hand, now)
    except TooLong:
        with patience.at_most(EXACT_SECONDS, SETTINGS):
            return _estimate(node, at_hand, now, of)
    return Found(number, of, True, _some(node, at_hand, now) if number else ())


def everybody() -> int:
    """Return how many people there are, test people left out; of many what the database last counted of all."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE oid = 'events_profile'::regclass")
        known = int(cursor.fetchone()[0])
    return known if known >= MANY else Profile.objects.filter(is_test=False).count()


def _people(node: Node, now: datetime, *, everyone: bool) -> QuerySet[Profile]:
    return Profile.objects.filter(compile_condition(node, profiles(now, everyone=everyone)), is_test=False)


def _events(what: What, now: datetime, asked: Sequence[int] | None = None) -> QuerySet[Event]:
    """Return each person's last event of the kind, of those within ``LATELY``."""
    lately = Event.objects.filter(type=what.type, name=what.event, timestamp__gt=now - LATELY)
    later = lately.filter(profile_id=OuterRef("profile_id")).filter(
        Q(timestamp__gt=OuterRef("timestamp")) | Q(timestamp=OuterRef("timestamp"), pk__gt=OuterRef("pk"))
    )
    if asked is not None:
        lately = lately.filter(profile_id__in=asked)
    return lately.filter(~Exists(later), profile__is_test=False)


def _count_events(node: Node, what: What, now: datetime) -> int:
    with patience.at_most(EXACT_SECONDS, SETTINGS):
        return _events(what, now).filter(_meets(node)).count()


def _meets(node: Node) -> Q:
    return compile_condition(node, EVENTS)


def _estimate(node: Node, at_hand: What | None, now: datetime, of: int) -> Found:
    asked = list(Profile.objects.filter(pk__in=people.ids_at_random(ASKED), is_test=False).values_list("pk", flat=True))
    if not asked and of:
        raise TooLong  # of ids chosen at random none is anybody's: nobody can stand for all
    if at_hand is None:
        meets = list(_people(node, now, everyone=False).filter(pk__in=asked).values_list("pk", flat=True))
    else:
        events = _events(at_hand, now, asked).filter(_meets(node))
        meets = list(events.values_list("profile_id", flat=True))
    return Found(round(of * len(meets) / max(1, len(asked))), of, False, meets[:SHOWN])


def _some(node: Node, at_hand: What | None, now: datetime) -> Sequence[int]:
    """Return the ids of a few, the newest first: looked for one by one, or, where few fit, among all."""
    tries: list[Any] = [_people(node, now, everyone=everyone).order_by("-pk") for everyone in (False, True)]
    column = "pk"
    if at_hand is not None:
        tries, column = [_events(at_hand, now).filter(_meets(node)).order_by("-timestamp")], "profile_id"
    for some in tries:
        try:
            with patience.at_most(SAMPLE_SECONDS, SETTINGS):
                return list(some.values_list(column, flat=True)[:SHOWN])
        except TooLong:
            continue
    return ()
