"""Timers in bulk, while 1,000,000 other journeys wait: how late they are, and what waiting costs.

(a) A sweep that finds nobody due, before and after the others have moved: what the claim takes in the database, and
    what the whole sweep costs worker and database. Baseline: ``SELECT 1``.
(b) 1,000 journeys whose delay ends within one second, then a mail: how late after its own time each has moved, and how
    late the provider has accepted the mails. Baseline: the same for one journey at a time.
(c) 100,000 journeys that come due within one minute, and go on to another delay: when the last one has moved, and at
    what cost. Baseline: as many claimed and moved by bare statements, 500 at a time.

(b) and (c) run with real processes and a PostgreSQL that waits for the disk. By environment: ``BENCH_WAITING``,
``BENCH_MINUTE`` (how many come due within a minute), and that of ``engine``.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from campaigns import runner, turns
from campaigns.models import Campaign, Journey
from tests import stack
from tests.benchmarks import engine
from tests.benchmarks.engine import Engine
from tests.campaigns.flow import delay, make_campaign, send

WAITING = int(os.environ.get("BENCH_WAITING", "1000000"))
MINUTE = int(os.environ.get("BENCH_MINUTE", "100000"))
SECOND, ALONE = 1_000, 5
DAYS = 20
TICKS = 200

# People with one journey each at the first step, due evenly over a span.
FILL = """
WITH people AS (
    INSERT INTO events_profile (user_id, email)
    SELECT %(prefix)s || n, %(prefix)s || n || '@example.com' FROM generate_series(1, %(number)s) AS n
    RETURNING id
), due AS (
    SELECT id, %(first)s + (row_number() OVER () - 1) * %(spread)s::interval / %(number)s AS due_at FROM people
), journeys AS (
    INSERT INTO campaigns_journey (campaign_id, version_id, profile_id, entry_key, state, step_id, visit_number,
                                   step_entered_at, due_at, trigger, trigger_name, trigger_at, entered_at)
    SELECT %(campaign)s, %(version)s, id, 'once', 'waiting', 'wait', 1, due_at - %(delay)s, due_at, '{}', 'Signed Up',
           due_at - %(delay)s, due_at - %(delay)s
    FROM due RETURNING id, step_entered_at
)
INSERT INTO campaigns_visit (journey_id, number, step_id, entered_at, outcome, detail)
SELECT id, 1, 'wait', step_entered_at, '', '' FROM journeys
"""
# What moving takes at least: take 500 that are due, note that they left and came, set their timers.
BARE = """
WITH due AS MATERIALIZED (
    SELECT id FROM campaigns_journey WHERE state = 'waiting' AND due_at <= now()
    ORDER BY due_at, id LIMIT 500 FOR UPDATE SKIP LOCKED
), moved AS (
    UPDATE campaigns_journey j SET step_id = 'later', visit_number = 2, step_entered_at = now(),
        due_at = now() + interval '20 days' FROM due WHERE j.id = due.id RETURNING j.id
), gone AS (
    UPDATE campaigns_visit v SET left_at = now(), outcome = 'waited' FROM moved
    WHERE v.journey_id = moved.id AND v.number = 1 RETURNING v.journey_id
)
INSERT INTO campaigns_visit (journey_id, number, step_id, entered_at, outcome, detail)
SELECT journey_id, 2, 'later', now(), '', '' FROM gone
"""


@pytest.fixture
def measured(django_db_blocker: DjangoDbBlocker) -> Iterator[Engine]:
    with django_db_blocker.unblock(), engine.started() as started:
        yield started


def test_due_journeys(measured: Engine) -> None:
    wait = delay(DAYS * 24 * 3600)
    mails = make_campaign(wait, send(), event="Never")
    moves = make_campaign(wait, delay(DAYS * 24 * 3600, "later"), event="Never")
    fill(moves, "sleeper-", WAITING, timezone.now() + timedelta(days=1), timedelta(days=DAYS - 2))
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    print(f"\n{WAITING:,} journeys wait")
    idle_sweeps("nobody due")
    with measured.running() as running:
        time.sleep(3)
        for number in range(ALONE):
            moved, accepted = lateness(measured, mails, f"alone-{number}-", 1)
            print(f"one alone: moved {moved[0]:.2f} s late, mail accepted {accepted[0]:.2f} s late")
        moved, accepted = lateness(measured, mails, "second-", SECOND)
        print(f"{SECOND:,} within one second: moved {late(moved)}; mail accepted {late(accepted)}")
        minute(measured, running, moves)
    idle_sweeps(f"nobody due, right after {MINUTE:,} have moved")
    bare(moves)


def fill(campaign: Campaign, prefix: str, number: int, first: datetime, spread: timedelta) -> None:
    version = campaign.versions.get()
    parameters = {"campaign": campaign.pk, "version": version.pk, "delay": timedelta(days=DAYS)}
    with connection.cursor() as cursor:
        cursor.execute(FILL, {**parameters, "prefix": prefix, "number": number, "first": first, "spread": spread})


def idle_sweeps(title: str) -> None:
    """Tell what a sweep costs that finds nobody due."""
    claim = statistics.median(explained() for _ in range(20))
    sweep = cpu(lambda: [runner.run_due(time.monotonic() + 10) for _ in range(TICKS)]) / TICKS
    nothing = cpu(lambda: [select_one() for _ in range(TICKS)]) / TICKS
    print(
        f"{title}: the claim takes {claim:.2f} ms in the database; a whole sweep costs {sweep * 1000:.2f} ms of"
        f" processor time, {sweep / nothing:.0f} times that of SELECT 1"
    )


def explained() -> float:
    """Return the milliseconds that the claim is planned and executed for."""
    parameters = {"now": timezone.now(), "oldest": runner.BATCH // 5, "others": runner.BATCH - runner.BATCH // 5}
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {turns.TAKE}", parameters)
        (found,) = cursor.fetchone()
    plan = found if isinstance(found, list) else json.loads(found)
    return float(plan[0]["Planning Time"] + plan[0]["Execution Time"])


def select_one() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return int(cursor.fetchone()[0])


def cpu(work: Callable[[], object]) -> float:
    """Return the processor seconds of this process and of its PostgreSQL backend."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = int(cursor.fetchone()[0])
    before = time.process_time() + stack.cpu_seconds(pid)
    work()
    return time.process_time() + stack.cpu_seconds(pid) - before


def lateness(measured: Engine, campaign: Campaign, prefix: str, number: int) -> tuple[list[float], list[float]]:
    """Let journeys come due within one second; return how late they moved, and how late mails were accepted."""
    first, began = timezone.now() + timedelta(seconds=3), time.monotonic() + 3
    fill(campaign, prefix, number, first, timedelta(seconds=1))
    due = [began + place / number for place in range(number)]
    measured.taker.accepted()
    left, moved, accepted = Journey.objects.filter(campaign=campaign).exclude(state="ended"), [], []
    while len(accepted) < number:
        gone = number - left.count()
        moved += [time.monotonic()] * (gone - len(moved))
        accepted += measured.taker.accepted()
        time.sleep(0.01)
    return [at - by for at, by in zip(moved, due, strict=True)], [at - by for at, by in zip(accepted, due, strict=True)]


def late(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    middle, most = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.95)]
    return f"p50 {middle:.2f} s, p95 {most:.2f} s, worst {ordered[-1]:.2f} s late"


def minute(measured: Engine, running: stack.Stack, campaign: Campaign) -> None:
    """Let many come due within one minute, and tell when the last one has moved."""
    span = timedelta(minutes=1)
    # Filled before their time, so that the filling is over when it comes.
    first = timezone.now() + timedelta(seconds=20 + MINUTE / 4_000)
    fill(campaign, "minute-", MINUTE, first, span)
    assert timezone.now() < first, "the machine is too slow to fill in time"
    still = Journey.objects.filter(state="waiting", step_id="wait", due_at__lt=first + span)
    time.sleep((first - timezone.now()).total_seconds())
    before = measured.cpu_seconds(running)
    behind = 0
    while (left := still.count()) or timezone.now() < first + span:
        if timezone.now() < first + span:
            behind = max(behind, still.filter(due_at__lt=timezone.now()).count())
        assert left == 0 or timezone.now() < first + 10 * span, f"{left:,} have not moved"
        time.sleep(0.5)
    last = Journey.objects.filter(campaign=campaign, step_id="later").order_by("-step_entered_at")[0].step_entered_at
    assert last is not None
    over = (last - first - span).total_seconds()
    spent = engine.told(before, measured.cpu_seconds(running), MINUTE)
    print(f"{MINUTE:,} within one minute: the last moved {over:.1f} s after it; at most {behind:,} behind; {spent}")


def bare(campaign: Campaign) -> None:
    """Tell what claiming and moving cost at least."""
    fill(campaign, "bare-", MINUTE // 10, timezone.now() - timedelta(hours=2), timedelta(hours=1))
    with connection.cursor() as cursor:
        # By what it knew of the tables before they were filled, the planner would read all of them for each statement.
        cursor.execute("ANALYZE campaigns_journey, campaigns_visit")
    moved = 0

    def move() -> None:
        nonlocal moved
        with connection.cursor() as cursor:
            while cursor.execute(BARE) or cursor.rowcount:
                moved += cursor.rowcount

    spent = cpu(move)
    assert moved == MINUTE // 10
    print(f"bare statements, {moved:,} moved: {spent * 1000 / moved:.2f} CPU-s per 1,000")
