"""Events that come late: what happened after them, and was turned away before they came, is asked again.

A trigger's condition reads the log by timestamp, so an event that is claimed now may be one that it would have counted
for another event, whose decision is made. Where it turned that away it is asked again, before the same version; who has
entered stays in. People are held while their events are evaluated, so of two events in two batches whichever comes
second sees the other one in the log, or what was decided about it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from campaigns import workflows
from campaigns.engine.steps import Workflow
from campaigns.listening import REQUESTED
from campaigns.triggers import Candidate
from campaigns.waking import call
from events import log
from events.conditions import AllOf, AnyOf, Count, Node, Not, Performed, What
from events.conditions import Sequence as InOrder
from events.conditions.nodes import Moment
from events.log import ClaimedEvent
from events.models import Event

# Of the events of one name that a person did after a late one, so many are asked again: those that came next.
NEAREST = 100
# So many at most in a batch, each before each version that turned it away: a flood must not fill the memory.
MOST = 20_000
# What conditions can look back at.
CALLS = (Event.Type.TRACK, Event.Type.PAGE, Event.Type.SCREEN)


@dataclass(frozen=True, slots=True)
class Refused:
    """An event that a version turned away and that happened after one of the ``call`` that is claimed now."""

    call: str
    profile_id: int
    event_id: int
    timestamp: datetime
    received_at: datetime
    version_id: int
    campaign_id: int


Heard = dict[tuple[int, str], list[ClaimedEvent]]
# By call (``track Order Completed``); None is without end.
Reach = dict[str, timedelta | None]


def looks_back(where: Node | None) -> Reach:
    """Return the calls that may make a condition true by coming late, and how far it looks back at each."""
    found: Reach = {}
    for what, since in _turned(where, to=True) if where is not None else ():
        reach = -since if isinstance(since, timedelta) else None
        name = call(what.type, what.event)
        before = found.get(name, timedelta())
        found[name] = None if reach is None or before is None else max(before, reach)
    return found


def _turned(node: Node, *, to: bool) -> Iterator[tuple[What, Moment | None]]:
    """Yield the events of the past, one more of which may turn ``node`` true (or false), and since when they count."""
    match node:
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from _turned(part, to=to)
        case Not(part):
            yield from _turned(part, to=not to)
        case Performed(what, since, measure, then_not):
            more = measure is None or (isinstance(measure, Count) and measure.operator in ("gt", "gte"))
            fewer = isinstance(measure, Count) and measure.operator in ("lt", "lte")
            if not (fewer if to else more):
                yield what, since
            if then_not is not None and not to:
                yield then_not.what, since
        case InOrder(steps, since=since) if to:
            for what in steps:
                yield what, since


def overtaken(events: Sequence[ClaimedEvent]) -> list[Candidate]:
    """Return what is to be asked again because of ``events``, which the transaction has claimed with their people.

    One statement, one more where a campaign looks back at such events, and two more where any came late.
    """
    heard: Heard = {}
    for event in events:
        if event.type in CALLS:
            heard.setdefault((event.profile_id, call(event.type, event.name)), []).append(event)
    asked_for = _asked_for({name for _, name in heard})
    heard = {key: found for key, found in heard.items() if key[1] in asked_for}
    rows = _refused(heard, [event.id for event in events]) if heard else []
    if not rows:
        return []
    parsed = workflows.of_versions({row.version_id for row in rows})
    reaches = {version_id: looks_back(workflow.trigger.where) for version_id, workflow in parsed.items()}
    asked = {
        (row.event_id, row.version_id): row
        for row in rows
        if _matters(row, heard[row.profile_id, row.call], reaches[row.version_id], parsed[row.version_id])
    }
    read = {event.id: event for event in log.read({row.event_id: row.timestamp for row in asked.values()})}
    return [
        Candidate(read[event_id], row.campaign_id, version_id, parsed[version_id])
        for (event_id, version_id), row in asked.items()
        if event_id in read
    ]


ASKED_FOR = """
SELECT DISTINCT asks.call FROM campaigns_liveperiod p CROSS JOIN LATERAL unnest(p.asks) AS asks(call)
WHERE p.asks && %s
"""


def _asked_for(calls: Collection[str]) -> set[str]:
    """Return which of ``calls`` a campaign looks back at, or did."""
    if not calls:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(ASKED_FOR, [list(calls)])
        return {found for (found,) in cursor.fetchall()}


# One look into the index of the log for each person, call and name that starts a campaign which looks back at it: as
# good as always it finds nothing but what is claimed just now. Decisions are looked up one by one (OFFSET 0): the
# planner cannot know how few there are. A campaign that is paused lets nobody in.
REFUSED = """
WITH asking AS MATERIALIZED (
    SELECT asks.call, start.name, array_agg(p.version_id) AS versions
    FROM campaigns_liveperiod p JOIN campaigns_campaign c ON c.id = p.campaign_id AND c.status = 'live'
    CROSS JOIN LATERAL unnest(p.asks) AS asks(call)
    CROSS JOIN LATERAL (VALUES (p.event), (%(requested)s)) AS start(name)
    WHERE p.asks && %(names)s AND start.name <> '' AND (p.ended_at IS NULL OR p.ended_at > %(earliest)s)
    GROUP BY asks.call, start.name
)
SELECT heard.call, heard.profile_id, later.id, later.timestamp, later.received_at, d.version_id, d.campaign_id
FROM unnest(%(people)s::bigint[], %(calls)s::text[], %(times)s::timestamptz[]) AS heard(profile_id, call, at)
JOIN asking ON asking.call = heard.call
CROSS JOIN LATERAL (
    SELECT e.id, e.timestamp, e.received_at FROM events_event e
    WHERE e.profile_id = heard.profile_id AND e.name = asking.name AND e.timestamp >= heard.at AND e.type = 'track'
      AND e.id <> ALL(%(claimed)s)
    ORDER BY e.timestamp LIMIT %(nearest)s) AS later
CROSS JOIN LATERAL (
    SELECT version_id, campaign_id FROM campaigns_decision
    WHERE event_id = later.id AND version_id = ANY(asking.versions) AND entry = 'filtered' OFFSET 0) AS d
LIMIT %(most)s
"""


def _refused(heard: Heard, claimed: list[int]) -> list[Refused]:
    """Return what was turned away and happened after the first claimed event of the same person and call."""
    earliest = {key: min(event.happened_at for event in events) for key, events in heard.items()}
    people, calls = zip(*earliest, strict=True)
    parameters: dict[str, Any] = {
        "people": list(people),
        "calls": list(calls),
        "names": sorted(set(calls)),
        "times": list(earliest.values()),
        "earliest": min(earliest.values()),
        "claimed": claimed,
        "nearest": NEAREST,
        "most": MOST,
        "requested": REQUESTED,
    }
    with connection.cursor() as cursor:
        cursor.execute(REFUSED, parameters)
        return [Refused(*row) for row in cursor.fetchall()]


def _matters(row: Refused, claimed: Sequence[ClaimedEvent], reach: Reach, workflow: Workflow) -> bool:
    """Say whether the version looks back from the refused event as far as one that is claimed, and takes it still."""
    far = reach.get(row.call, timedelta())
    age = timedelta(hours=workflow.trigger.max_age_hours)
    happened_at = min(row.timestamp, row.received_at)
    return any(
        event.happened_at <= row.timestamp
        and (far is None or happened_at < event.happened_at + far)
        and event.received_at - row.timestamp <= age
        for event in claimed
    )
