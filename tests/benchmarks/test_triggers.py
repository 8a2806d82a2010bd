"""What 100 published campaigns on one event name cost a batch of 500 events, and how that compares with bare SQL.

The campaigns ask for mixed things, each with its own numbers: traits, properties, counts within a window, sequences,
segments, and what was not done. Everybody has a history, and most events start nothing, as in life. Counted is the
processor time of the worker, which is this process, and of PostgreSQL. Baseline of the same run: the same conditions
asked by one bare SELECT each, whose text is ready, and 50,000 reasons written by one COPY.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from campaigns import enrollment
from campaigns.engine.definition import parse
from campaigns.models import Campaign, Journey
from events.audience import EVENTS, compile_condition
from events.models import Event, Pending, Profile, Segment, SegmentMember
from tests import stack
from tests.campaigns.flow import delay, make_campaign, statements
from tests.factories import make_profile

pytestmark = pytest.mark.django_db(transaction=True)
CAMPAIGNS, BATCH, PEOPLE, HISTORY, ROUNDS = 100, 500, 1_000, 60, 5
NAMES = ["Product Viewed", "Product Added", "Order Completed", "Pricing Viewed", "Search Made", "Support Asked"]
EVENT = "Product Added"


def condition(number: int) -> dict[str, Any]:
    """Return one of six kinds of conditions, with numbers of its own."""
    minutes = f"{10 + number}m"
    conditions: list[dict[str, Any]] = [
        {"all": [{"trait": "plan", "is": "pro"}, {"trait": "age", "gt": 20 + number % 60}]},
        {"all": [{"property": "price", "gt": 30 + number}, {"trait": "country", "in": ["AT", "DE"]}]},
        {"event": "Product Viewed", "count": {"gt": 2}, "within": minutes},
        {"sequence": [{"event": "Product Viewed"}, {"event": EVENT}], "within": minutes},
        {"all": [{"segment": f"segment-{number % 10}"}, {"property": "price", "gt": number}]},
        {"all": [{"trait": "plan", "is": "free"}, {"not": {"event": "Order Completed", "within": f"{1 + number}d"}}]},
    ]
    return conditions[number % len(conditions)]


def populate() -> list[Profile]:
    chance, now = random.Random(7), timezone.now()
    people = [
        make_profile(
            traits={
                "plan": chance.choice(["free", "pro", "team", "school"]),
                "age": chance.randrange(18, 80),
                "country": chance.choice(["AT", "DE", "FR", "US", "GB"]),
            }
        )
        for _ in range(PEOPLE)
    ]
    past = ((person, now - timedelta(minutes=chance.randrange(1, 36_000))) for person in people * HISTORY)
    Event.objects.bulk_create(
        [
            Event(profile=person, type="track", name=chance.choice(NAMES), timestamp=at, received_at=at)
            for person, at in past
        ],
        batch_size=5_000,
    )
    for number in range(10):
        segment = Segment.objects.create(slug=f"segment-{number}", name=f"Segment {number}", kind=Segment.Kind.MANUAL)
        SegmentMember.objects.bulk_create(
            SegmentMember(segment=segment, profile=person) for person in chance.sample(people, PEOPLE // 10)
        )
    return people


def arrive(people: list[Profile], number: int) -> None:
    """Let ``number`` events come in that nobody has looked at."""
    chance, now = random.Random(time.time()), timezone.now()
    events = Event.objects.bulk_create(
        Event(
            profile=person,
            type="track",
            name=EVENT,
            timestamp=now,
            received_at=now,
            properties={"price": chance.randrange(150)},
        )
        for person in chance.choices(people, k=number)
    )
    Pending.objects.bulk_create(
        Pending(event_id=event.pk, event_timestamp=event.timestamp, profile_id=event.profile_id, name=event.name)
        for event in events
    )


def settle() -> None:
    """Look at all that is left: each journey that starts says so in the log, which is looked at in its turn."""
    enrollment.enroll_pending(time.monotonic() + 120)


def backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def cost(work: Callable[[], object]) -> tuple[float, float]:
    """Return the processor seconds of this process and of its PostgreSQL backend."""
    pid = backend()
    ours, theirs = time.process_time(), stack.cpu_seconds(pid)
    work()
    return time.process_time() - ours, stack.cpu_seconds(pid) - theirs


def bare(people: list[Profile]) -> Callable[[], None]:
    """Return what asks each condition by hand and writes as many reasons as ours have to be found in."""
    nodes = [parse(campaign.draft).trigger.where for campaign in Campaign.objects.order_by("pk")]
    arrive(people, BATCH)
    ids = list(Pending.objects.order_by("event_id").values_list("pk", flat=True))
    queries = [
        Event.objects.filter(compile_condition(node, EVENTS), pk__in=ids).values_list("pk").query.sql_with_params()
        for node in nodes
        if node is not None
    ]
    Pending.objects.all().delete()

    @transaction.atomic
    def ask() -> None:
        with connection.cursor() as cursor:
            for text, parameters in queries:
                cursor.execute(text, parameters)
                cursor.fetchall()
            cursor.execute(
                "CREATE TEMP TABLE reasons (event_id bigint, version_id bigint, profile_id bigint, entry text)"
            )
            with cursor.copy("COPY reasons FROM STDIN") as copy:
                for number in range(CAMPAIGNS):
                    for event_id in ids:
                        copy.write_row((event_id, number, event_id, "filtered"))
            cursor.execute("DROP TABLE reasons")

    return ask


def test_triggers() -> None:
    people = populate()
    for number in range(CAMPAIGNS):
        trigger = {"event": EVENT, "where": condition(number)}
        make_campaign(delay(), trigger=trigger, reentry={"rule": "always"})
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    by_hand = bare(people)
    arrive(people, BATCH)
    enrollment.enroll_batch(BATCH)  # parses the versions

    ours, news, theirs = [], [], []
    settle()
    for _ in range(ROUNDS):
        arrive(people, BATCH)
        ours.append(cost(lambda: enrollment.enroll_batch(BATCH)))
        news.append(cost(settle))
        theirs.append(cost(by_hand))
    counted = []
    for number in (1, 50, BATCH):
        arrive(people, number)
        counted.append(statements(lambda: enrollment.enroll_batch(BATCH)))
        settle()
    whole = statistics.median(map(sum, ours))
    baseline = statistics.median(map(sum, theirs))
    worker, database = (statistics.median(part) for part in zip(*ours, strict=True))
    print(f"\n{CAMPAIGNS} campaigns on one event name, {BATCH} events a batch, {Journey.objects.count():,} journeys")
    print(f"ours: {whole:.2f} CPU-s (worker {worker:.2f}, PostgreSQL {database:.2f}); worst {max(map(sum, ours)):.2f}")
    print(f"looking at the news of the journeys it started: {statistics.median(map(sum, news)):.2f} CPU-s more")
    print(
        f"by hand, conditions and reasons alone: {baseline:.2f} CPU-s; ours takes {whole / baseline:.1f} times as much"
    )
    print(f"statements for 1, 50 and {BATCH} events: {', '.join(map(str, counted))}")
