"""Waits that an event may end: what each waits for, and the journeys that new events wake.

``Journey.wakes`` names it: a call's type and name (``track Order Completed``), or its type alone where any such call
may matter (``identify``). What is reckoned by the clock on the person's wall names first the zone it was reckoned in
(``zone Europe/Vienna``): whatever is heard of a person who lives in another one by now wakes it. A journey that is
woken is due at once; the runner then asks again whether its wait is over.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from campaigns.engine.steps import DelayUntilDate, DelayUntilDay, HoldUntilQuiet, Step, WaitUntil, Window
from events import nudges
from events.log import ClaimedEvent
from events.models import Event
from events.segments import live


def wakes(step: Step, own_zone: str) -> list[str] | None:
    """Return what may end the wait at a step, None where that is time alone. ``own_zone`` is the person's, or ""."""
    zone = f"zone {own_zone}"
    match step:
        case WaitUntil(heard=heard) | HoldUntilQuiet(heard=heard) if heard is not None:
            return [call(Event.Type.TRACK, heard.event)]
        case WaitUntil(condition=condition) if condition is not None:
            interest = live.interest(condition)
            calls = sorted({*interest.types, *(call(type_, name) for type_, name in interest.names)})
            return [zone, *calls] if interest.zone else calls
        case DelayUntilDate():
            return [zone, *sorted(live.BRINGS_TRAITS)]
        case Window() | DelayUntilDay():
            return [zone]
    return None


def call(type_: str, name: str) -> str:
    """Return how a call is named in ``wakes``."""
    return f"{type_} {name}"


# The runner may be looking at a journey at this moment, having seen less: then this waits for it, and wakes it again.
# So it does not matter what is due already. People are held, so that nobody else wakes theirs. The dates of whoever
# lives in another zone by now are looked at as well (``campaigns.dates``). Person by person (OFFSET 0): where few wait
# for anything, the planner would rather read all journeys that are under way.
WAKE = """
WITH dated AS (
    UPDATE campaigns_dateturn t SET look_at = %s FROM events_profile p
    WHERE t.profile_id = ANY(%s) AND t.look_at IS NOT NULL AND p.id = t.profile_id AND p.time_zone <> t.zone
)
UPDATE campaigns_journey SET due_at = %s
WHERE state = 'waiting' AND wakes IS NOT NULL AND id = ANY(ARRAY(
    SELECT j.id FROM (
        SELECT profile_id, array_agg(what) AS whats FROM unnest(%s::bigint[], %s::text[]) AS each(profile_id, what)
        GROUP BY profile_id) AS heard
    CROSS JOIN LATERAL (
        SELECT id, wakes FROM campaigns_journey
        WHERE profile_id = heard.profile_id AND state = 'waiting' AND wakes IS NOT NULL OFFSET 0) AS j
    WHERE j.wakes && heard.whats
       OR starts_with(j.wakes[1], 'zone ')
          AND j.wakes[1] <> 'zone ' || (SELECT p.time_zone FROM events_profile p WHERE p.id = heard.profile_id)))
"""
WAKE_PEOPLE = """
UPDATE campaigns_journey SET due_at = now()
WHERE state = 'waiting' AND wakes IS NOT NULL AND profile_id = ANY(%s)
"""


def wake(events: Sequence[ClaimedEvent], now: datetime, changed: Collection[int]) -> None:
    """Let the journeys whose waits these events may end be looked at, and those of whom computed traits ``changed``.

    One statement; the caller holds the people.
    """
    heard = {(event.profile_id, what) for event in events for what in (event.type, call(event.type, event.name))}
    heard |= {(profile_id, Event.Type.IDENTIFY) for profile_id in changed}
    people, whats = zip(*sorted(heard), strict=True)
    _run(WAKE, [now, list(people), now, list(people), list(whats)])


def wake_people(profile_ids: Collection[int]) -> None:
    """Let all waits of people who are others now be looked at. One statement; the caller holds the people."""
    _run(WAKE_PEOPLE, [list(profile_ids)])


def _run(statement: str, parameters: list[Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        if cursor.rowcount:
            nudges.nudge("journeys")
