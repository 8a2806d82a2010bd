"""A backtest of a three-step campaign over a log of 1,000,000 events of 100,000 people, a third of which may start it.

How long it takes, and what of it. Baseline: reading as many events as may start it, with their people, by one bare
statement. By environment: ``BENCH_EVENTS``, ``BENCH_PROFILES``.
"""

from __future__ import annotations

import os
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from campaigns.backtest import Plan, run
from tests.campaigns.flow import WINDOW, delay, send
from tests.campaigns.test_simulate import drafted

EVENTS = int(os.environ.get("BENCH_EVENTS", "1000000"))
PROFILES = int(os.environ.get("BENCH_PROFILES", "100000"))
DAYS = 30
FILL = """
WITH people AS (
    INSERT INTO events_profile (user_id, email, traits, is_test)
    SELECT 'p' || n, 'p' || n || '@example.com', '{"plan": "free"}', false
    FROM generate_series(1, %(profiles)s) AS n RETURNING id
), first AS (SELECT min(id) AS id FROM people)
INSERT INTO events_event (id, timestamp, received_at, type, name, properties, context, extra, message_id, profile_id)
SELECT n, at, at, 'track',
       (ARRAY['Page Visited', 'Cart Updated', 'Order Completed'])[1 + abs(hashint8(n + 7)::bigint) %% 3],
       jsonb_build_object('total', n %% 100), '{}', '{}', '', first.id + abs(hashint8(n)::bigint) %% %(profiles)s
FROM generate_series(1, %(events)s) AS n, first,
     LATERAL (SELECT %(since)s + n * (%(span)s::interval / %(events)s) AS at) AS moment
"""
BARE = """
SELECT e.id, e.timestamp, e.received_at, e.properties, p.time_zone FROM events_event e
JOIN events_profile p ON p.id = e.profile_id
WHERE e.type = 'track' AND e.name = 'Cart Updated' AND e.received_at >= %s ORDER BY e.id
"""


@pytest.mark.django_db
def test_a_backtest_over_a_million_events() -> None:
    until = timezone.now()
    since = until - timedelta(days=DAYS)
    parameters = {"profiles": PROFILES, "events": EVENTS, "since": since, "span": timedelta(days=DAYS)}
    with connection.cursor() as cursor:
        cursor.execute(FILL, parameters)
        cursor.execute("ANALYZE events_event, events_profile")
        began = time.monotonic()
        cursor.execute(BARE, [since])
        number = len(cursor.fetchall())
    bare = time.monotonic() - began
    often = {"all": [{"property": "total", "gt": 20}, {"event": "Page Visited", "count": {"gte": 2}, "within": "14d"}]}
    campaign = drafted(
        delay(86_400),
        WINDOW,
        send(),
        trigger={"event": "Cart Updated", "where": often},
        reentry={"rule": "period", "hours": 168},
        goal={"event": "Order Completed", "hours": 72},
    )
    parts: list[tuple[int, float]] = []
    began = time.monotonic()
    found = run(
        Plan(campaign.pk, campaign.slug, campaign.draft, since, until),
        lambda percent: parts.append((percent, time.monotonic() - began)),
    )
    took = time.monotonic() - began
    arrived = next(at for percent, at in parts if percent >= 60)
    print(f"\n{EVENTS:,} events, {number:,} may start it; {found.entries}")
    print(f"backtest {took:.1f} s: triggers {arrived:.1f} s, the rest {took - arrived:.1f} s")
    print(f"baseline {bare:.1f} s for reading the same events: {took / bare:.1f} times as long")
    # One that came in at the very end is not of them.
    assert number - 1 <= found.events <= number
