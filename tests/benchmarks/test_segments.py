"""How soon is membership right with 200 live segments, 20 of them touched by each event, at 500 events a second?

Everything is real: the events come by HTTP, web server, worker and beat are processes of their own, PostgreSQL waits
for the disk, and all of them, the load client included, share the machine. One event in twenty makes its person enter a
segment; measured is from the moment it was to be sent until another connection sees the member. Meanwhile people leave
another segment by time alone. Before that, all whom events are about were asked once, as they were where segments have
been for a while. Baseline of the same run: the same load while there are no segments.

By environment: those of ``loaded``; ``BENCH_SECONDS``; ``BENCH_PER_CALL``, events in one call; ``BENCH_RATE`` a second.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from campaigns.load_log import NAMES
from events.audience import compile_condition, profiles
from events.conditions import parse
from events.models import Pending, Profile, Segment, SegmentMember
from events.segments import live, membership
from tests import stack
from tests.benchmarks import loaded
from tests.benchmarks.load import drive, pace, post
from tests.durable import DurablePostgres
from tests.tracking import basic

SECONDS = float(os.environ.get("BENCH_SECONDS", "30"))
RATE = int(os.environ.get("BENCH_RATE", "500"))
PER_CALL = int(os.environ.get("BENCH_PER_CALL", "10"))
CONNECTIONS = 8
SEGMENTS, TOUCHED = 200, 20
KINDS = SEGMENTS // TOUCHED  # so many names of events, each with segments of its own
SAMPLED = 20  # one event in so many is looked for
PEOPLE, PORTION = 10_000, 1_000
LAPSING, LAPSING_OVER = 1_000, timedelta(seconds=10)
LAPSED = "Bench Seen"
PREFIX = "bench-"
LOOK_EVERY, COUNT_EVERY = 0.05, 5


def condition(number: int) -> dict[str, Any]:
    """Return the condition of a segment, which asks for events of one name; those below KINDS find the sampled."""
    event = NAMES[number % KINDS]
    kinds: list[dict[str, Any]] = [
        {"event": event, "count": {"gte": 2 + number % 5}, "within": f"{1 + number % 20}d"},
        {"all": [{"trait": "plan", "is": "pro"}, {"event": event, "within": f"{2 + number}h"}]},
        {"event": event, "sum": {"property": "price", "gt": 100 + number}, "within": "7d"},
        {"event": event, "where": {"property": "price", "gt": 50 + number % 40}, "within": "2d"},
        {"all": [{"event": event, "last": {"within_last": "3d"}}, {"trait": "seats", "gt": number % 40}]},
        {"all": [{"trait": "plan", "is": "team"}, {"not": {"event": event, "count": {"gte": 3}, "within": "30d"}}]},
    ]
    if number < KINDS:
        return {"event": event, "where": {"property": "sampled", "is": True}, "within": "1d"}
    return kinds[number // KINDS % len(kinds)]


def make_segments() -> dict[str, int]:
    """Make the segments; return the ids of those that find the sampled, by the event's name, and of the lapsing."""
    made = [
        Segment.objects.create(slug=f"{PREFIX}{number}", name=f"Bench {number}", condition=condition(number))
        for number in range(SEGMENTS)
    ]
    lapsing = Segment.objects.create(
        slug=f"{PREFIX}lapsing", name="Bench lapsing", condition={"event": LAPSED, "within": "1h"}
    )
    return {NAMES[number]: made[number].pk for number in range(KINDS)} | {LAPSED: lapsing.pk}


def settle(people: Sequence[int]) -> None:
    """Have the segments asked about everybody whom the events will be about, and tell nobody."""
    segments = [segment for segment in live.current() if segment.slug.startswith(PREFIX)]
    for start in range(0, len(people), PORTION):
        portion = people[start : start + PORTION]
        for segment in segments:
            with transaction.atomic():
                membership.ask({segment: portion}, timezone.now(), {}, quiet=True)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE events_segmentmember; ANALYZE events_segmentturn")


@contextmanager
def no_segments() -> Iterator[None]:
    """See to it that none is left before and after."""
    Segment.objects.filter(slug__startswith=PREFIX).delete()
    try:
        yield
    finally:
        Segment.objects.filter(slug__startswith=PREFIX).delete()


class Traffic:
    """Calls encoded beforehand, and whom each is about: the sampled are different people, to enter but once."""

    def __init__(self, key: str, people: Mapping[str, int]) -> None:
        self.authorization = basic(key)
        self.people = people
        self.chance = random.Random(11)
        self.user_ids = list(people)
        self.unsampled = self.chance.sample(self.user_ids, len(people) // 2)

    def calls(self, number: int) -> tuple[list[bytes], list[list[tuple[str, int]]]]:
        """Return requests, and of each the events that are looked for by name and person."""
        requests, sampled = [], []
        for _ in range(number):
            events = [self._event() for _ in range(PER_CALL)]
            requests.append(self._post(events))
            looked_for = [event for event in events if event["properties"].get("sampled")]
            sampled.append([(event["event"], self.people[event["userId"]]) for event in looked_for])
        return requests, sampled

    def lapsing(self, at: datetime) -> list[bytes]:
        """Return calls that tell of what leaves its window of an hour from ``at`` on, evenly spread."""
        spread = LAPSING_OVER / LAPSING
        events = [
            self._track(LAPSED, self.user_ids[number]) | {"timestamp": (at + spread * number).isoformat()}
            for number in range(LAPSING)
        ]
        return [self._post(events[start : start + 100]) for start in range(0, LAPSING, 100)]

    def _event(self) -> dict[str, Any]:
        name = NAMES[self.chance.randrange(KINDS)]
        if self.chance.random() * SAMPLED < 1:
            return self._track(name, self.unsampled.pop(), sampled=True)
        return self._track(name, self.chance.choice(self.user_ids), price=self.chance.randrange(90), currency="EUR")

    def _track(self, name: str, user_id: str, **properties: Any) -> dict[str, Any]:
        return {
            "type": "track",
            "event": name,
            "userId": user_id,
            "messageId": str(uuid.uuid4()),
            "properties": properties,
        }

    def _post(self, events: Sequence[dict[str, Any]]) -> bytes:
        return post("/v1/batch", json.dumps({"batch": events}).encode(), self.authorization)


class Watch(threading.Thread):
    """Look often, by a connection of its own, when members come into some segments and when they leave another."""

    def __init__(self, url: str, segments: Mapping[str, int]) -> None:
        super().__init__(daemon=True)
        self._database = psycopg.connect(url, autocommit=True)
        self._segments = segments
        self._over = threading.Event()
        self.waiting: set[tuple[str, int]] = set()
        self.entered: dict[tuple[str, int], float] = {}
        self.left: list[tuple[float, int]] = []

    def run(self) -> None:
        names = {pk: name for name, pk in self._segments.items()}
        found = "SELECT segment_id, profile_id FROM events_segmentmember WHERE segment_id = ANY(%s) AND since > %s"
        counted = "SELECT count(*) FROM events_segmentmember WHERE segment_id = %s"
        sampled = [pk for name, pk in self._segments.items() if name != LAPSED]
        with self._database:
            looks, looked_at = 0, datetime.now(UTC)
            while not self._over.wait(LOOK_EVERY):
                # A batch bears the time of its beginning, and is seen at its end.
                since, looked_at = looked_at - timedelta(seconds=60), datetime.now(UTC)
                rows = self._database.execute(found, [sampled, since]).fetchall()
                now = time.monotonic()
                for segment_id, person in rows:
                    self.entered.setdefault((names[segment_id], person), now)
                looks += 1
                if looks % COUNT_EVERY:  # to count takes more than to find: it goes through what has left as well
                    continue
                row = self._database.execute(counted, [self._segments[LAPSED]]).fetchone()
                assert row is not None
                if not self.left or self.left[-1][1] != row[0]:
                    self.left.append((time.time(), row[0]))

    def stop(self) -> None:
        self._over.set()
        self.join()


@pytest.fixture(scope="module")
def database(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[DurablePostgres]:
    with django_db_blocker.unblock(), loaded.database() as database, no_segments():
        yield database


def test_segments(database: DurablePostgres) -> None:
    _, key = database.make_key(f"Bench {uuid.uuid4().hex[:8]}")
    known = Profile.objects.filter(user_id__startswith="load-", is_test=False).order_by("?")[:PEOPLE]
    traffic = Traffic(key, dict(known.values_list("user_id", "pk")))
    number = round(SECONDS * RATE / PER_CALL)
    plain, _ = traffic.calls(number // 3)
    requests, sampled = traffic.calls(number)
    with stack.running(DATABASE_URL=database.url) as running:
        drive(running.port, traffic.calls(20)[0], CONNECTIONS)
        settled()
        costs = [cost(running, database, plain)]
        segments = make_segments()
        settle(list(traffic.people.values()))
        lapse_at = timezone.now() + timedelta(seconds=15 + SECONDS / 3)
        drive(running.port, traffic.lapsing(lapse_at - timedelta(hours=1)), 1)
        settled()
        assert SegmentMember.objects.filter(segment=segments[LAPSED]).count() == LAPSING
        drive(running.port, traffic.calls(20)[0], CONNECTIONS)
        settled()
        watch = Watch(database.url, segments)
        watch.start()
        due, spent = cost(running, database, requests)
        costs.append((due, spent))
        settled()
        stack.wait_for(lambda: watch.left and watch.left[-1][1] == 0, 60, "people to leave by time")
        watch.stop()
    report(costs, latencies(due, sampled, watch), late(watch, lapse_at))
    check_membership(sampled)


def settled() -> None:
    stack.wait_for(lambda: not Pending.objects.exists(), 120, "the worker to have seen all events")
    time.sleep(1.5)


def cost(
    running: stack.Stack, database: DurablePostgres, requests: Sequence[bytes]
) -> tuple[list[float], dict[str, float]]:
    """Send at the rate; return when each was to be sent, and processor seconds per 1,000 events by process."""
    before = spent(running, database)
    due = pace(running.port, requests, RATE / PER_CALL, CONNECTIONS)
    stack.wait_for(lambda: not Pending.objects.exists(), 120, "the worker to have seen all events")
    after = spent(running, database)
    return due, {name: (after[name] - before[name]) * 1000 / (len(requests) * PER_CALL) for name in after}


def spent(running: stack.Stack, database: DurablePostgres) -> dict[str, float]:
    by_name = {name: stack.cpu_seconds(process.pid) for name, process in running.processes.items()}
    return {**by_name, "PostgreSQL": stack.cpu_seconds(database.pid), "client": time.process_time()}


def latencies(due: Sequence[float], sampled: Sequence[Sequence[tuple[str, int]]], watch: Watch) -> list[float]:
    """Return how long each sampled event took until its person was seen in the segment; fails where one never was."""
    wanted = {who: at for at, some in zip(due, sampled, strict=True) for who in some}
    missing = wanted.keys() - watch.entered.keys()
    assert not missing, f"{len(missing)} of {len(wanted)} people did not enter"
    return sorted(watch.entered[who] - at for who, at in wanted.items())


def late(watch: Watch, lapse_at: datetime) -> list[float]:
    """Return how late each of those who lapse was seen to be gone."""
    gone, found = 0, []
    for at, left in watch.left:
        for number in range(gone, LAPSING - left):
            found.append(at - (lapse_at + LAPSING_OVER / LAPSING * number).timestamp())
        gone = max(gone, LAPSING - left)
    return sorted(found)


def check_membership(sampled: Sequence[Sequence[tuple[str, int]]]) -> None:
    """Compare who is in each segment with what its condition says, of all who have done something."""
    people: dict[str, set[int]] = defaultdict(set)
    for some in sampled:
        for name, person in some:
            people[name].add(person)
    wrong = 0
    for number in range(SEGMENTS):
        about = people[NAMES[number % KINDS]]
        node = parse(condition(number))
        meets = Profile.objects.filter(compile_condition(node, profiles(timezone.now())), pk__in=about)
        members = SegmentMember.objects.filter(segment__slug=f"{PREFIX}{number}", profile_id__in=about)
        wrong += len(set(meets.values_list("pk", flat=True)) ^ set(members.values_list("profile_id", flat=True)))
    assert wrong == 0, f"{wrong} memberships are wrong"


def report(costs: Sequence[tuple[Any, dict[str, float]]], seen: Sequence[float], left: Sequence[float]) -> None:
    print(f"\n{SEGMENTS} segments, {TOUCHED} touched by each of {RATE} events/s for {SECONDS:.0f} s, {PER_CALL} a call")
    print(line(f"membership right ({len(seen)} seen)", seen))
    print(line(f"left by time alone ({len(left)})", left))
    for title, (_, by_name) in zip(("without segments", "with segments"), costs, strict=True):
        parts = ", ".join(f"{name} {seconds:.2f}" for name, seconds in by_name.items())
        print(f"{title:<18} {sum(by_name.values()):.2f} CPU-s per 1,000 events ({parts})")
    alone, whole = (sum(by_name.values()) for _, by_name in costs)
    print(f"segments make events cost {whole / alone:.1f} times as much")


def line(title: str, seconds: Sequence[float]) -> str:
    p50, p95 = (seconds[int(len(seconds) * part)] for part in (0.5, 0.95))
    return f"{title:<28} p50 {p50:.2f} s   p95 {p95:.2f} s   worst {seconds[-1]:.2f} s"
