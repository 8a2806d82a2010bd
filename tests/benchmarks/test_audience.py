"""What conditions cost over many people: counting all, checking one, and moving those whose time has come.

Asked is a three-part condition (a trait, "at least 3 times X within 7 days", "no Y within 30 days") in fifteen
variants, over the people of ``loaded``. Baseline of the same run: the same question in SQL written by hand. No time is
asserted, but all answers are.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from campaigns.load_log import NAMES
from events import patience
from events.admin.conditions.look import EXPLAIN_SECONDS
from events.audience import explaining
from events.conditions import parse
from events.models import Event, Profile, Segment, SegmentMember, SegmentTurn
from events.segments import counting, turning
from tests import stack
from tests.benchmarks import loaded
from tests.durable import DurablePostgres

VARIANTS, ROUNDS = 15, 2
CHECKED = 300
PATIENCE = 60.0
MOVERS = [min(number, loaded.PROFILES // 20) for number in (1_000, 10_000, 50_000)]
SLUG = "bench"

COUNT_BY_HAND = """
SELECT count(*) FROM events_profile p WHERE NOT is_test AND traits ->> 'plan' = %(plan)s
AND id IN (SELECT profile_id FROM events_event WHERE type = 'track' AND name = %(often)s
           AND timestamp > now() - interval '7 days' AND timestamp <= now() AND id > 0
           GROUP BY 1 HAVING count(*) >= %(number)s)
AND NOT EXISTS (SELECT FROM events_event e WHERE type = 'track' AND name = %(never)s
                AND timestamp > now() - interval '30 days' AND timestamp <= now() AND id > 0 AND e.profile_id = p.id)
"""
CHECK_BY_HAND = """
SELECT traits ->> 'plan' = %(plan)s AND (
    SELECT count(*) FROM events_event e WHERE e.profile_id = p.id AND type = 'track' AND name = %(often)s
    AND timestamp > now() - interval '7 days' AND timestamp <= now()) >= %(number)s
AND NOT EXISTS (SELECT FROM events_event e WHERE e.profile_id = p.id AND type = 'track' AND name = %(never)s
                AND timestamp > now() - interval '30 days' AND timestamp <= now())
FROM events_profile p WHERE id = %(person)s
"""
# Nobody meets the condition, yet half of everybody is in the segment, and leaves it when next looked at.
FILL = """
WITH half AS (SELECT id FROM events_profile WHERE id %% 2 = 0),
members AS (INSERT INTO events_segmentmember (segment_id, profile_id) SELECT %(segment)s, id FROM half)
INSERT INTO events_segmentturn (segment_id, profile_id, look_at)
SELECT %(segment)s, id, now() + interval '1 day' + random() * interval '30 days' FROM events_profile
"""
LET_COME = """
UPDATE events_segmentturn SET look_at = now() - interval '1 second' WHERE segment_id = %s AND profile_id = ANY(
    ARRAY(SELECT profile_id FROM events_segmentmember WHERE segment_id = %s ORDER BY profile_id LIMIT %s))
"""


@pytest.fixture(scope="module")
def database(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[DurablePostgres]:
    with django_db_blocker.unblock(), loaded.database() as database:
        yield database


def variants() -> list[dict[str, Any]]:
    """Return parameters of the questions by hand; what people do often is asked with what they do seldom."""
    plans = ("starter", "pro", "team")
    return [
        {"plan": plans[n % 3], "often": NAMES[n], "number": 2 + n % 3, "never": NAMES[(n * 7 + 3) % len(NAMES)]}
        for n in range(VARIANTS)
    ]


def condition(of: dict[str, Any]) -> dict[str, Any]:
    return {
        "all": [
            {"trait": "plan", "is": of["plan"]},
            {"event": of["often"], "count": {"gte": of["number"]}, "within": "7d"},
            {"not": {"event": of["never"], "within": "30d"}},
        ]
    }


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    found = work()
    return found, time.perf_counter() - began


def by_hand(sql: str, parameters: dict[str, Any]) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchone()[0]


def share(values: Sequence[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def line(title: str, seconds: Sequence[float], unit: float = 1000) -> str:
    p50, p95, worst = (share(seconds, part) * unit for part in (0.5, 0.95, 1))
    return f"{title:<34} p50 {p50:>7.1f} ms   p95 {p95:>7.1f} ms   worst {worst:>7.1f} ms"


@pytest.mark.usefixtures("database")
def test_count() -> None:
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(ROUNDS):
        for of in variants():
            found, seconds = timed(lambda of=of: counting.count(parse(condition(of)), PATIENCE))
            ours.append(seconds)
            with patience.at_most(PATIENCE, counting.SETTINGS):
                expected, seconds = timed(lambda of=of: by_hand(COUNT_BY_HAND, of))
            theirs.append(seconds)
            assert found == expected, of
    print(f"\ncounting all of {Profile.objects.count():,} people with {Event.objects.count():,} events")
    print(line("ours", ours))
    print(line("SQL by hand", theirs))


@pytest.mark.usefixtures("database")
def test_check() -> None:
    """Check people as the page of a condition does, with what was seen beside each part."""
    chance = random.Random(5)
    people = chance.sample(list(Profile.objects.order_by("pk").values_list("pk", flat=True)), CHECKED)
    ours: list[float] = []
    theirs: list[float] = []
    for number, person in enumerate(people):
        of = variants()[number % VARIANTS]
        found, seconds = timed(lambda of=of, person=person: check(condition(of), person))
        ours.append(seconds)
        expected, seconds = timed(lambda of=of, person=person: by_hand(CHECK_BY_HAND, {**of, "person": person}))
        theirs.append(seconds)
        assert found == expected, (person, of)
    print(f"\nchecking one person, {CHECKED} times")
    print(line("ours, with what was seen", ours))
    print(line("SQL by hand, verdict alone", theirs))


def check(tree: Any, person: int) -> bool:
    with patience.at_most(EXPLAIN_SECONDS):
        found = explaining.of_person(tree, person, timezone.now())
    assert found is not None
    return found.matches


def test_time_movers(database: DurablePostgres) -> None:
    """Let nobody, and then more and more people, be due among the turns of all people."""
    Segment.objects.filter(slug=SLUG).delete()
    segment = Segment.objects.create(
        slug=SLUG, name="Bench", condition={"event": NAMES[0], "count": {"gte": 5_000}, "within": "30d"}
    )
    try:
        with connection.cursor() as cursor:
            cursor.execute(FILL, {"segment": segment.pk})
            cursor.execute("VACUUM ANALYZE events_segmentturn, events_segmentmember")
        turns = SegmentTurn.objects.count()
        idle = [cost(database, turn)[1] for _ in range(20)]
        print(f"\ntime among {turns:,} turns\n{line('a sweep with nobody due', idle)}")
        for number in MOVERS:
            with connection.cursor() as cursor:
                cursor.execute(LET_COME, [segment.pk, segment.pk, number])
            before = SegmentMember.objects.filter(segment=segment).count()
            cpu, seconds = cost(database, turn)
            assert before - SegmentMember.objects.filter(segment=segment).count() == number
            print(f"{number:>7,} people moved: {seconds:.2f} s, {cpu:.2f} CPU-s, {cpu / number * 1000:.3f} ms each")
    finally:
        segment.delete()


def turn() -> None:
    turning.turn_due(time.monotonic() + 300)


def cost(database: DurablePostgres, work: Callable[[], object]) -> tuple[float, float]:
    """Return the processor seconds of this process and PostgreSQL together, and the time it took."""
    ours, theirs = time.process_time(), stack.cpu_seconds(database.pid)
    _, seconds = timed(work)
    return time.process_time() - ours + stack.cpu_seconds(database.pid) - theirs, seconds
