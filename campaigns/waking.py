"""Waits that an event may end: what each waits for, and the journeys that new events wake.

``Journey.wakes`` names it: a call's type and name (``track Order Completed``), or its type alone where any such call
may matter (``identify``). A journey that is woken is due at once; the runner then asks again whether its wait is over.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from campaigns.engine.steps import DelayUntilDate, HoldUntilQuiet, Step, WaitUntil
from events import nudges
from events.log import ClaimedEvent
from events.models import Event
from events.segments import live


def wakes(step: Step) -> list[str] | None:
    """Return what may end the wait at a step, None where that is time alone."""
    match step:
        case WaitUntil(heard=heard) | HoldUntilQuiet(heard=heard) if heard is not None:
            return [_call(Event.Type.TRACK, heard.event)]
        case WaitUntil(condition=condition) if condition is not None:
            interest = live.interest(condition)
            return sorted({*interest.types, *(_call(type_, name) for type_, name in interest.names)})
        case DelayUntilDate():
            return sorted(live.BRINGS_TRAITS)
    return None


def _call(type_: str, name: str) -> str:
    return f"{type_} {name}"


# The runner may be looking at a journey at this moment, having seen less: then this waits for it, and wakes it again.
# So it does not matter what is due already. People are held, so that nobody else wakes theirs.
WAKE = """
UPDATE campaigns_journey SET due_at = %s
WHERE state = 'waiting' AND wakes IS NOT NULL AND id = ANY(ARRAY(
    SELECT j.id FROM unnest(%s::bigint[], %s::text[]) AS heard(profile_id, what)
    JOIN campaigns_journey j ON j.profile_id = heard.profile_id
    WHERE j.state = 'waiting' AND j.wakes IS NOT NULL AND heard.what = ANY(j.wakes)))
"""
WAKE_PEOPLE = """
UPDATE campaigns_journey SET due_at = now()
WHERE state = 'waiting' AND wakes IS NOT NULL AND profile_id = ANY(%s)
"""


def wake(events: Sequence[ClaimedEvent], now: datetime, changed: Collection[int]) -> None:
    """Let the journeys whose waits these events may end be looked at, and those of whom computed traits ``changed``.

    One statement; the caller holds the people.
    """
    heard = {(event.profile_id, what) for event in events for what in (event.type, _call(event.type, event.name))}
    heard |= {(profile_id, Event.Type.IDENTIFY) for profile_id in changed}
    people, whats = zip(*sorted(heard), strict=True)
    _run(WAKE, [now, list(people), list(whats)])


def wake_people(profile_ids: Collection[int]) -> None:
    """Let all waits of people who are others now be looked at. One statement; the caller holds the people."""
    _run(WAKE_PEOPLE, [list(profile_ids)])


def _run(statement: str, parameters: list[Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        if cursor.rowcount:
            nudges.nudge("journeys")
