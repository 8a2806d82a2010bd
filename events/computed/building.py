"""Reckon a new computed trait for everybody and take one that goes from everybody, a slice of people at a time."""

from __future__ import annotations

import time
from datetime import datetime

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from events import older
from events.computed import definitions, writing
from events.conditions import Performed, What
from events.giving_way import lost_a_deadlock
from events.models import ComputedTrait, ComputedValue
from events.segments import membership
from events.segments.building import NEXT, PAUSE_SECONDS, SLICE

State = ComputedTrait.State
# What ``start`` sets.
STARTED = ("state", "built_to", "build_started_at", "build_seconds", "reckoned_in")
NEXT_WITH_VALUE = """
SELECT id FROM events_profile WHERE id = ANY(ARRAY(
    SELECT profile_id FROM events_computedvalue WHERE computed_id = %s ORDER BY profile_id LIMIT %s))
ORDER BY id FOR NO KEY UPDATE
"""


def start(row: ComputedTrait) -> None:
    """Have it reckoned for everybody, from the first on; the caller saves it and nudges ``computed``."""
    row.state, row.built_to = State.BUILDING, older.NOT_BEGUN
    row.build_started_at, row.build_seconds = timezone.now(), None
    row.reckoned_in = settings.FALLBACK_TIME_ZONE


def build(deadline: float) -> bool:
    """Go on until all is done or ``time.monotonic()`` passes ``deadline``. Returns whether more is left."""
    begin_in_zone()
    while time.monotonic() < deadline:
        try:
            done = build_slice()
            if done is None:
                time.sleep(PAUSE_SECONDS)
            elif not done:
                return False
        except OperationalError as error:
            if not lost_a_deadlock(error):
                raise
    return True


@transaction.atomic
def begin_in_zone() -> None:
    """Have those reckoned anew that compare days, once the installation reckons in another time zone.

    One statement as long as it does not.
    """
    rows = ComputedTrait.objects.select_for_update(no_key=True).exclude(state=State.GOING)
    others = {row.pk: row for row in rows.exclude(reckoned_in=settings.FALLBACK_TIME_ZONE).order_by("pk")}
    for definition in definitions.current(others) if others else ():
        row = others[definition.pk]
        if row.reckoned_in and definitions.compares_days(definition):
            start(row)
            row.save(update_fields=STARTED)
    ComputedTrait.objects.filter(pk__in=others).update(reckoned_in=settings.FALLBACK_TIME_ZONE)


@transaction.atomic
def build_slice() -> bool | None:
    """Do the next people of a computed trait that is new or goes. Returns False when there is none.

    Returns None when ``older`` transactions have to end first: then there is nothing to do but that.
    Segments hear of it quietly: what a new definition finds had been so before.
    """
    waiting = ComputedTrait.objects.select_for_update(skip_locked=True, no_key=True)
    row = waiting.filter(state__in=[State.BUILDING, State.GOING]).order_by("build_started_at", "pk").first()
    if row is None:
        return False
    if older.are_under_way(row):
        return None
    now = timezone.now()
    if row.state == State.GOING:
        _remove_slice(row, now)
    else:
        _reckon_slice(row, now)
    return True


def _reckon_slice(row: ComputedTrait, now: datetime) -> None:
    people = _hold(NEXT, row.built_to)
    found = definitions.current([row.pk])
    if people and found:
        changed = writing.reckon({found[0]: people}, now, quiet=True)
        membership.follow_traits(changed, now, f"{row.name} is computed anew", quiet=True)
        row.built_to = people[-1]
        row.save(update_fields=["built_to"])
        return
    row.state = State.LIVE
    row.build_seconds = (now - row.build_started_at).total_seconds()
    row.save(update_fields=["state", "build_seconds"])


def _remove_slice(row: ComputedTrait, now: datetime) -> None:
    """Take the value from the next people; the row itself goes with the last of them."""
    people = _hold(NEXT_WITH_VALUE, row.pk)
    if not people:
        row.delete()
        return
    gone = definitions.Definition(row.pk, row.name, row.function, Performed(What(row.event)), (), (), row.number)
    writing.give([writing.Answer(gone, person, None, None, None) for person in people])
    ComputedValue.objects.filter(computed=row, profile_id__in=people).delete()
    membership.follow_traits({row.name: set(people)}, now, f"{row.name} is computed no more", quiet=True)


def _hold(statement: str, after: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [after, SLICE])
        return [pk for (pk,) in cursor.fetchall()]
