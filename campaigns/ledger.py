"""Write what a batch of journeys did: visits, timers and figures, each in one statement however large the batch.

Rows travel as one JSON parameter: unpacking it is several times faster than text arrays and as fast as the rest.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection

from campaigns.models import Metric
from campaigns.reasons import Ending, Outcome


@dataclass(frozen=True, slots=True)
class VisitEntry:
    journey_id: int
    number: int
    step_id: str
    entered_at: datetime


@dataclass(frozen=True, slots=True)
class VisitExit:
    journey_id: int
    number: int
    left_at: datetime
    outcome: Outcome
    detail: str
    message_id: int | None


@dataclass(frozen=True, slots=True)
class JourneyState:
    """A journey's new place; ``ended_at`` and ``ending`` when it is over, else ``due_at``."""

    journey_id: int
    state: str
    step_id: str
    visit_number: int
    step_entered_at: datetime | None
    due_at: datetime | None
    ended_at: datetime | None
    ending: Ending | None
    wakes: list[str] | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """One thing to count; ``step_id`` "" counts for the campaign as a whole.

    With ``at``, the beginning of an hour or minute, it counts among the recent figures as well.
    """

    campaign_id: int
    version_id: int
    step_id: str
    day: date
    metric: Metric
    at: datetime | None = None


ENTER_VISITS = """
INSERT INTO campaigns_visit (journey_id, number, step_id, entered_at, outcome, detail)
SELECT r.journey_id, r.number, r.step_id, r.entered_at, '', ''
FROM jsonb_to_recordset(%s) AS r(journey_id bigint, number int, step_id text, entered_at timestamptz)
"""

LEAVE_VISITS = """
UPDATE campaigns_visit v
SET left_at = r.left_at, outcome = r.outcome, detail = r.detail, message_id = coalesce(r.message_id, v.message_id)
FROM jsonb_to_recordset(%s)
    AS r(journey_id bigint, number int, left_at timestamptz, outcome text, detail text, message_id bigint)
WHERE v.journey_id = r.journey_id AND v.number = r.number
"""

MOVE_JOURNEYS = """
UPDATE campaigns_journey j
SET state = r.state, step_id = r.step_id, visit_number = r.visit_number, step_entered_at = r.step_entered_at,
    due_at = r.due_at, ended_at = r.ended_at, ending = coalesce(r.ending, ''), error = '', wakes = r.wakes
FROM jsonb_to_recordset(%s)
    AS r(journey_id bigint, state text, step_id text, visit_number int, step_entered_at timestamptz,
         due_at timestamptz, ended_at timestamptz, ending text, wakes text[])
WHERE j.id = r.journey_id
"""

COUNT = """
INSERT INTO campaigns_stepcountchange (campaign_id, version_id, step_id, day, metric, at, count)
SELECT r.campaign_id, r.version_id, r.step_id, r.day, r.metric, r.at, r.count
FROM jsonb_to_recordset(%s)
    AS r(campaign_id bigint, version_id bigint, step_id text, day date, metric text, at timestamptz, count int)
"""


def enter_visits(entries: Sequence[VisitEntry]) -> None:
    write(ENTER_VISITS, [_row(entry) for entry in entries])


def leave_visits(exits: Sequence[VisitExit]) -> None:
    write(LEAVE_VISITS, [_row(exit_) for exit_ in exits])


def move_journeys(states: Sequence[JourneyState]) -> None:
    write(MOVE_JOURNEYS, [_row(state) for state in states])


def count(things: Iterable[Count]) -> None:
    """Append changes of figures, added up: as many rows as there are different figures."""
    write(COUNT, [{**_row(thing), "count": number} for thing, number in Counter(things).items()])


def _row(value: Any) -> Mapping[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}


def write(statement: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Run a statement with rows as its one parameter, JSON; nothing where there are none."""
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(statement, [json.dumps(rows, default=str)])
