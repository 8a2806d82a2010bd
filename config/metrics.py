"""``/metrics`` for Prometheus: how much waits, since when, and how long Cuebird takes.

Every figure is read from the database at the moment of asking, so that any web process gives the same answer and
nothing has to be added up among processes. Locked by ``METRICS_TOKEN``; without one only this machine may ask.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from campaigns import latency
from config import health

THIS_MACHINE = ("127.0.0.1", "::1", "")
# Counting stops here: beyond, the exact number matters less than the time it takes.
CAP = 100_000

# What waits by name, and the rows that do, each with the time since when.
QUEUES = {
    "pending_events": "SELECT NULL::timestamptz AS since FROM events_pending WHERE parked_at IS NULL",
    "parked_events": "SELECT parked_at AS since FROM events_pending WHERE parked_at IS NOT NULL",
    "parked_by_campaigns": "SELECT parked_at AS since FROM campaigns_parked",
    "overdue_journeys": "SELECT due_at AS since FROM campaigns_journey WHERE state = 'waiting' AND due_at <= now()",
    "overdue_messages": "SELECT due_at AS since FROM messaging_message WHERE status = 'queued' AND due_at <= now()"
    # What is held by somebody's choice is not late.
    " AND NOT EXISTS (SELECT FROM messaging_sendinglimits"
    " WHERE mode = 'hold' AND (hold_until IS NULL OR hold_until > now()))",
    "draft_messages": "SELECT created_at AS since FROM messaging_message WHERE status = 'draft'",
    "sending_messages": "SELECT called_at AS since FROM messaging_message WHERE status = 'sending'",
    "unknown_messages": "SELECT called_at AS since FROM messaging_message WHERE status = 'unknown'",
    "active_imports": "SELECT created_at AS since FROM events_import WHERE state IN ('checking', 'running')",
}
# Sequences: how many were ever made, without counting any.
TOTALS = (
    ("events_stored", "Events stored", "events_event_id_seq"),
    ("profiles_made", "People made", "events_profile_id_seq"),
    ("messages_made", "Messages made", "messaging_message_id_seq"),
)


def metrics(request: HttpRequest) -> HttpResponse:
    """Answer a scrape; 403 for who may not ask."""
    if not _may_ask(request):
        return HttpResponse("Set METRICS_TOKEN, and send it as “Authorization: Bearer …”.\n", status=403)
    registry = CollectorRegistry()
    registry.register(_Collector(timezone.now()))
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _may_ask(request: HttpRequest) -> bool:
    if not settings.METRICS_TOKEN:
        return request.META.get("REMOTE_ADDR", "") in THIS_MACHINE and "HTTP_X_FORWARDED_FOR" not in request.META
    shown = request.headers.get("Authorization", "").removeprefix("Bearer ")
    return hmac.compare_digest(shown.encode(), settings.METRICS_TOKEN.encode())


class _Collector:
    """Reads everything once. What the database cannot say now is left out; ``cuebird_up`` says why."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def collect(self) -> Iterator[Metric]:
        yield self._up()
        try:
            yield from self._queues()
            yield from self._totals()
            yield from self._latencies()
        except DatabaseError:
            return

    def _up(self) -> Metric:
        state = health.check()
        family = GaugeMetricFamily("cuebird_up", "1 where a part answers", labels=["part"])
        for part in ("database", "broker", "worker"):
            family.add_metric([part], float(getattr(state, part)))
        return family

    def _queues(self) -> Iterator[Metric]:
        waiting = GaugeMetricFamily("cuebird_waiting", f"How many wait, counted up to {CAP}", labels=["what"])
        oldest = GaugeMetricFamily("cuebird_oldest_seconds", "How long the first of them has waited", labels=["what"])
        for name, query in QUEUES.items():
            count, since = _row(f"SELECT count(*), min(since) FROM ({query} LIMIT {CAP}) AS queue")
            waiting.add_metric([name], count)
            if since is not None:
                oldest.add_metric([name], (self.now - since).total_seconds())
        yield waiting
        yield oldest

    def _totals(self) -> Iterator[Metric]:
        for name, text, sequence in TOTALS:
            (value,) = _row(f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence}")
            yield CounterMetricFamily(f"cuebird_{name}", text, value=value)

    def _latencies(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(
            "cuebird_latency_seconds",
            "From arrival to evaluation, and from due to handed over, within the last hour",
            labels=["stage", "quantile"],
        )
        for stage, measured in (("evaluate", latency.evaluation(self.now)), ("send", latency.sending(self.now))):
            for quantile, seconds in zip(latency.QUANTILES, measured.seconds, strict=False):
                family.add_metric([stage, str(quantile)], seconds)
        yield family


def _row(statement: str) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        found: tuple[Any, ...] = cursor.fetchone()
    return found
