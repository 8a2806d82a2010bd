"""How long Cuebird itself takes: from an event's arrival to its evaluation, from a message's due time to the provider.

Read off the newest rows, so that the answer costs the same however much there is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

NEWEST = 1_000
WINDOW = timedelta(hours=1)
QUANTILES = (0.5, 0.95, 0.99)

# A decision is noted when its event is evaluated for the first time, also where the event then waits for traits.
# Events of the past are let in as well: what counts is when they came.
EVALUATION = """
SELECT percentile_cont(%(quantiles)s) WITHIN GROUP (ORDER BY extract(epoch FROM d.created_at - e.received_at)), count(*)
FROM (SELECT event_id, created_at FROM campaigns_decision ORDER BY id DESC LIMIT %(newest)s) d
JOIN events_event e ON e.id = d.event_id
WHERE d.created_at > %(since)s
"""

# The first attempt: a second one waits on purpose.
SENDING = """
SELECT percentile_cont(%(quantiles)s) WITHIN GROUP (ORDER BY extract(epoch FROM sent_at - ready_at)), count(*)
FROM (SELECT sent_at, due_at, attempts, greatest(created_at, due_at) AS ready_at
      FROM messaging_message ORDER BY id DESC LIMIT %(newest)s) m
WHERE sent_at > %(since)s AND attempts = 1 AND sent_at >= due_at
"""


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds at each of ``QUANTILES``, and how many rows they rest on; no seconds where there are none."""

    seconds: tuple[float, ...]
    count: int

    @property
    def p95(self) -> float | None:
        return self.seconds[QUANTILES.index(0.95)] if self.seconds else None


def evaluation(now: datetime) -> Latency:
    """Return how long events waited to be evaluated, of those that campaigns listen for, within the last hour."""
    return _measure(EVALUATION, now)


def sending(now: datetime) -> Latency:
    """Return how long due messages waited until the provider had them, of those sent within the last hour."""
    return _measure(SENDING, now)


def _measure(statement: str, now: datetime) -> Latency:
    parameters: dict[str, Any] = {"quantiles": list(QUANTILES), "newest": NEWEST, "since": now - WINDOW}
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        seconds, count = cursor.fetchone()
    return Latency(tuple(float(value) for value in seconds or ()), count)
