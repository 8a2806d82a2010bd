"""The events of the log that may start a campaign, and what its trigger says of each."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from campaigns import admission, quiet
from campaigns.engine.steps import Workflow
from campaigns.listening import REQUESTED, Hearing
from campaigns.quiet import Last
from campaigns.reasons import Entry
from campaigns.triggers import Candidate, judge
from events.log import ClaimedEvent

CHUNK = 2_000


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event that meets the trigger, ``at`` the moment at which it is decided whether a journey starts.

    ``key``, ``lane`` and ``same`` are as of ``Candidate``; ``gap``: see ``enrollment``. ``held``: enters the control
    group, for this reason.
    """

    event_id: int
    profile_id: int
    at: datetime
    happened_at: datetime
    timestamp: datetime
    key: str
    lane: str
    same: str
    gap: timedelta | None
    held: Entry | None


@dataclass(slots=True)
class Found:
    """Those that meet the trigger, and of the others how many what came of."""

    arrivals: list[Arrival] = field(default_factory=list)
    refused: Counter[Entry] = field(default_factory=Counter)


# Test people count in no figure. What lies further back than a trigger looks is too old whatever it says.
EVENTS = """
SELECT e.id, e.timestamp, e.received_at, e.profile_id, e.source_id, e.type, e.name, e.properties, p.is_test,
       e.source_id IS NULL AND e.context ? 'made_by'
FROM events_event e JOIN events_profile p ON p.id = e.profile_id AND NOT p.is_test
WHERE e.type = 'track' AND (e.name = %(name)s AND e.properties @> %(about)s AND (NOT %(own)s OR e.source_id IS NULL)
    OR e.name = %(requested)s AND e.source_id IS NULL AND e.properties ->> 'campaign' = %(slug)s)
  AND e.timestamp >= %(oldest)s AND e.received_at >= %(since)s AND e.received_at < %(until)s
ORDER BY e.id
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked about: a workflow that would have been live from ``since`` to ``until``."""

    campaign_id: int
    slug: str
    workflow: Workflow
    since: datetime
    until: datetime


def arrivals(asked: Asked, gap: Callable[[Candidate], timedelta | None], tell: Callable[[int], None]) -> Found:
    """Return what the trigger says of every event, in the log's order. ``tell`` hears how many were looked at."""
    found = Found()
    for number, chunk in enumerate(_chunks(asked)):
        _judge(asked, chunk, gap, found)
        tell((number + 1) * CHUNK)
    if asked.workflow.trigger.quiet_minutes:
        _quiet(found, asked)
    return found


def _chunks(asked: Asked) -> Iterator[list[ClaimedEvent]]:
    start = asked.workflow.trigger.start
    parameters: dict[str, Any] = {
        "name": start.event,
        "about": json.dumps(dict(start.about)),
        "own": start.is_own,
        "requested": REQUESTED,
        "slug": asked.slug,
        "oldest": asked.since - timedelta(hours=asked.workflow.trigger.max_age_hours),
        "since": asked.since,
        "until": asked.until,
    }
    with connection.chunked_cursor() as cursor:
        cursor.execute(EVENTS, parameters)
        while rows := cursor.fetchmany(CHUNK):
            yield [_event(row) for row in rows]


def _event(row: tuple[Any, ...]) -> ClaimedEvent:
    return ClaimedEvent(*(*row[:7], json.loads(row[7]), *row[8:]))


def _judge(
    asked: Asked, events: Sequence[ClaimedEvent], gap: Callable[[Candidate], timedelta | None], found: Found
) -> None:
    """Add what the trigger and control groups say of these events."""
    named: dict[str, list[ClaimedEvent]] = defaultdict(list)
    for event in events:
        named[event.name].append(event)
    hearings = [Hearing(asked.campaign_id, 0, asked.workflow, some) for some in named.values()]
    judgement = judge(hearings, asked.until, careful=True)
    if judgement.unmatched:
        found.refused[Entry.FILTERED] += len(judgement.unmatched)
    admitted = admission.apply(judgement.candidates)
    found.refused.update(each.entry for each in admitted if each.entry is not Entry.ENTERED)
    entering = [each for each in admitted if each.entry is Entry.ENTERED]
    found.arrivals += [_arrival(each, gap) for each in sorted(entering, key=lambda each: each.event.id)]


def _arrival(candidate: Candidate, gap: Callable[[Candidate], timedelta | None]) -> Arrival:
    event = candidate.event
    return Arrival(
        event_id=event.id,
        profile_id=event.profile_id,
        at=event.received_at,
        happened_at=event.happened_at,
        timestamp=event.timestamp,
        key=candidate.entry_key,
        lane=candidate.lane,
        same=candidate.sameness,
        gap=gap(candidate),
        held=candidate.held,
    )


def _quiet(found: Found, asked: Asked) -> None:
    """Keep of those that come in a row the last alone, and let it enter when it has been quiet."""
    trigger, speed = asked.workflow.trigger, asked.workflow.speed
    settled: list[Arrival] = []
    waiting: dict[tuple[int, str], tuple[Last, Arrival]] = {}
    for arrival in sorted(found.arrivals, key=lambda each: (each.at, each.event_id)):
        key = arrival.profile_id, arrival.same
        before = waiting.get(key)
        if before and before[0].look_at <= arrival.at:
            settled.append(replace(before[1], at=before[0].look_at))
            before = None
        new = Last(
            arrival.happened_at,
            arrival.event_id,
            arrival.timestamp,
            0,
            "",
            arrival.at + timedelta(minutes=trigger.quiet_minutes) / speed,
            arrival.at + timedelta(minutes=trigger.quiet_most_minutes) / speed,
        )
        last = quiet.joined(before[0] if before else None, new)
        found.refused[Entry.REPLACED] += before is not None
        waiting[key] = last, before[1] if before and last.event_id != arrival.event_id else arrival
    for last, arrival in waiting.values():
        if last.look_at < asked.until:
            settled.append(replace(arrival, at=last.look_at))
        else:
            found.refused[Entry.QUIET] += 1
    found.arrivals = sorted(settled, key=lambda each: (each.at, each.event_id))
