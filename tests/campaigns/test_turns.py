"""Whose turn it is when more journeys are due than a batch takes."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from campaigns import runner, turns
from campaigns.models import Journey
from messaging.models import Message, Priority
from tests.campaigns.flow import delay, happens, make_campaign, send, settle
from tests.factories import make_profile

pytestmark = pytest.mark.django_db
MANY = """
WITH people AS (
    INSERT INTO events_profile (user_id) SELECT %(prefix)s || n FROM generate_series(1, %(number)s) AS n RETURNING id
)
INSERT INTO campaigns_journey (campaign_id, version_id, profile_id, entry_key, state, due_at, priority, trigger,
                               trigger_at)
SELECT %(campaign)s, %(version)s, id, 'once', 'waiting', %(due)s + row_number() OVER () * interval '1 ms', %(priority)s,
       '{}', now()
FROM people
"""


def make_due(priority: str, number: int = 1, due: datetime | None = None) -> list[int]:
    """Let so many journeys of a new campaign be due; return their ids in the order of their timers."""
    campaign = make_campaign(delay(), priority=priority)
    parameters = {
        "prefix": f"{campaign.slug}-",
        "number": number,
        "campaign": campaign.pk,
        "version": campaign.versions.get().pk,
        "due": due or timezone.now() - timedelta(hours=1),
        "priority": Priority[priority.upper()],
    }
    with connection.cursor() as cursor:
        cursor.execute(MANY, parameters)
    return list(Journey.objects.filter(campaign=campaign).order_by("due_at").values_list("pk", flat=True))


def test_a_journey_has_the_priority_of_the_version_it_entered() -> None:
    for name in ("urgent", "low"):
        make_campaign(send(), delay(), event=f"Start {name}", priority=name)
        happens(make_profile(traits={"email": "ada@example.com"}), f"Start {name}")
    settle()
    assert set(Journey.objects.values_list("priority", flat=True)) == {Priority.URGENT, Priority.LOW}
    assert set(Message.objects.values_list("priority", flat=True)) == {Priority.URGENT, Priority.LOW}


def test_in_a_backlog_the_important_ones_move_first() -> None:
    earlier = timezone.now() - timedelta(hours=2)
    made = {
        name: make_due(name, 3, None if name == "urgent" else earlier) for name in ("low", "normal", "high", "urgent")
    }
    assert turns.take(timezone.now(), 4) == [*made["urgent"], made["high"][0]]


def test_within_a_priority_it_goes_by_the_time_that_has_come() -> None:
    later = make_due("high", 2)
    earlier = make_due("high", 2, timezone.now() - timedelta(days=1))
    assert turns.take(timezone.now(), 4) == [*earlier, *later]


def test_whoever_has_been_due_longest_moves_next_however_many_urgent_ones_come() -> None:
    low = make_due("low", 3, timezone.now() - timedelta(hours=3))
    make_due("urgent", 30)
    moved = []
    for _ in range(3):
        runner.run_batch(5)
        moved.append(Journey.objects.filter(pk__in=low, step_id="wait").count())
    assert moved == [1, 2, 3]


def test_what_is_urgent_gets_four_fifths_of_a_batch_at_least() -> None:
    make_due("low", 30, timezone.now() - timedelta(days=9))
    urgent = make_due("urgent", 30)
    runner.run_batch(10)
    assert Journey.objects.filter(pk__in=urgent, step_id="wait").count() == 8


def test_who_is_not_due_yet_has_no_turn() -> None:
    make_due("urgent", 1, timezone.now() + timedelta(minutes=1))
    normal = make_due("normal")
    assert turns.take(timezone.now(), 10) == normal


def test_a_batch_is_found_by_indexes_and_locks_no_more_than_it_takes() -> None:
    for name in ("low", "normal", "high", "urgent"):
        make_due(name, 1500)
    make_due("urgent", 3000, timezone.now() + timedelta(hours=1))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE campaigns_journey")
        parameters = {"now": timezone.now(), "oldest": 100, "others": 400}
        cursor.execute("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) " + turns.TAKE, parameters)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "journey_turn" in plan and "journey_due" in plan and "Sort" not in plan and "Seq Scan" not in plan, plan
    locked = [line for line in plan.splitlines() if "LockRows" in line]
    assert len(locked) == 2 and "rows=100" in locked[0] and "rows=400" in locked[1] and "loops=1" in locked[1], plan
