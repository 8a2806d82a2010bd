"""Taking events in: ours beside the raw limit of the database and beside a bare view, in one run on one machine.

(a) *raw*: COPY of 1,000 rows into a staging table, message ids into their table, the new ones into the log.
(b) *bare*: a Django REST framework view that inserts one row a request; see ``bare_urls``.
(c) *ours* by HTTP, everything included: key, parsing, people, traits, repeated ids, pending, commit, then the answer.

Everything that works is counted: web server, PostgreSQL, broker and load client share the machine. PostgreSQL is
durable and otherwise as it comes (fsync and synchronous_commit on), so a commit waits for the disk, as in the demo.
Rounds are interleaved and the median is told, as the machine's speed may swing; no time is asserted.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import psycopg
import pytest

from tests import durable, stack
from tests.benchmarks.load import drive, post
from tests.tracking import basic

BARE = "tests.benchmarks.bare_settings"
ROUNDS = 3
PEOPLE = 10_000
COPIED, BATCHED, SINGLE = 40_000, 30_000, 4_000
CHUNK, BATCH = 1_000, 100
BATCH_CONNECTIONS, SINGLE_CONNECTIONS = 4, 16

STAGING = """
CREATE TEMP TABLE staging (profile_id bigint, type text, name text, properties jsonb, context jsonb,
                           timestamp timestamptz, message_id text) ON COMMIT DELETE ROWS
"""
COPY = "COPY staging FROM STDIN"
TAKE_OVER = """
WITH new AS (
    INSERT INTO events_acceptedmessage (source_id, message_id, received_at)
    SELECT %(source)s, message_id, now() FROM staging ON CONFLICT DO NOTHING RETURNING message_id
)
INSERT INTO events_event (id, timestamp, received_at, type, name, properties, context, extra, message_id, profile_id,
                          source_id)
SELECT nextval('events_event_id_seq'), timestamp, now(), type, name, properties, context, '{}', message_id, profile_id,
       %(source)s
FROM staging JOIN new USING (message_id)
"""
STORED = "SELECT count(*), count(DISTINCT message_id) FROM events_event WHERE source_id IS NOT DISTINCT FROM %s"


@dataclass(slots=True)
class Series:
    """The rounds of one way to take events in: events a second, and processor seconds per 1,000 by process."""

    rates: list[float] = field(default_factory=list)
    costs: list[dict[str, float]] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)

    @property
    def cost(self) -> float:
        return statistics.median(sum(cost.values()) for cost in self.costs)

    def line(self, title: str) -> str:
        parts = ", ".join(
            f"{name} {statistics.median(cost[name] for cost in self.costs):.2f}" for name in self.costs[0]
        )
        return f"{title:<44} {self.rate:>7,.0f} events/s   {self.cost:>5.2f} CPU-s per 1,000 ({parts})"


class Bench:
    """The servers under load, the keys to them, and the bodies that are sent."""

    def __init__(self, servers: ExitStack) -> None:
        self.random = random.Random(1)
        self.database = servers.enter_context(durable.postgres_server())
        self.web = servers.enter_context(stack.running("broker", "web", DATABASE_URL=self.database.url))
        environ = {"BROKER_URL": self.web.environ["BROKER_URL"], "DJANGO_SETTINGS_MODULE": BARE}
        self.bare = servers.enter_context(stack.running("web", DATABASE_URL=self.database.url, **environ))
        self.source, key = self.database.make_key("Shop")
        self.raw_source, _ = self.database.make_key("Raw")
        self.authorization = basic(key)
        self.connection = servers.enter_context(psycopg.connect(self.database.url, autocommit=True))
        self.connection.execute(STAGING)
        self.profiles: list[int] = []
        self.sent = 0

    def meet(self) -> None:
        """Make the known people, and warm everything up."""
        people = [self.identify(f"user-{number}") for number in range(PEOPLE)]
        drive(self.web.port, self.batches(people), BATCH_CONNECTIONS)
        self.profiles = [row[0] for row in self.connection.execute("SELECT id FROM events_profile ORDER BY id")]
        drive(self.bare.port, self.bare_calls(200), SINGLE_CONNECTIONS)
        self.copy(self.copied_rows(CHUNK))
        self.connection.execute("VACUUM ANALYZE")

    def identify(self, user_id: str) -> dict[str, Any]:
        traits = {"email": f"{user_id}@example.com", "plan": self.random.choice(["free", "pro"]), **self.words(250)}
        return {**self.head("identify", user_id), "traits": traits}

    def call(self) -> dict[str, Any]:
        """One of a realistic mix: an identify in ten, a page in ten; a new person in fifty."""
        kind = self.random.choices(["track", "identify", "page"], [8, 1, 1])[0]
        stranger = self.random.random() < 0.02
        user_id = f"user-{uuid.uuid4() if stranger else self.random.randrange(PEOPLE)}"
        if kind == "identify":
            return self.identify(user_id)
        name = f"Product {self.random.randrange(20)} Viewed" if kind == "track" else "Pricing"
        return {**self.head(kind, user_id), "event" if kind == "track" else "name": name, "properties": self.words(350)}

    def head(self, kind: str, user_id: str) -> dict[str, Any]:
        return {
            "type": kind,
            "userId": user_id,
            "anonymousId": f"device of {user_id}",
            "messageId": str(uuid.uuid4()),
            "timestamp": datetime.now(UTC).isoformat(),
            "context": {"library": {"name": "analytics-python", "version": "2.4"}, "locale": "en-GB"},
        }

    def words(self, size: int) -> dict[str, Any]:
        """Properties of about ``size`` bytes of JSON."""
        number = self.random.randrange(10**6)
        words = {"sku": f"SKU-{number}", "price": number / 100, "currency": "EUR", "in_stock": True, "tags": ["a", "b"]}
        words["url"] = f"https://shop.example/products/{number}?" + "x" * (size - len(json.dumps(words)) - 60)
        return words

    def batches(self, calls: Sequence[dict[str, Any]]) -> list[bytes]:
        self.sent += len(calls)
        parts = [calls[start : start + BATCH] for start in range(0, len(calls), BATCH)]
        bodies = [{"batch": part, "sentAt": datetime.now(UTC).isoformat()} for part in parts]
        return [post("/v1/batch", json.dumps(body).encode(), self.authorization) for body in bodies]

    def single_calls(self, count: int) -> list[bytes]:
        self.sent += count
        calls = [self.call() for _ in range(count)]
        return [post(f"/v1/{call['type']}", json.dumps(call).encode(), self.authorization) for call in calls]

    def bare_calls(self, count: int) -> list[bytes]:
        calls = [self.call() | {"profileId": self.random.choice(self.profiles)} for _ in range(count)]
        return [post("/bare/track", json.dumps(call).encode()) for call in calls]

    def copied_rows(self, count: int) -> list[bytes]:
        """Chunks as COPY takes them: text, fields parted by tabs. Our JSON holds no backslash."""
        rows = []
        for _ in range(count):
            call = self.call()
            words = call.get("properties", call.get("traits"))
            name = call.get("event", call.get("name", ""))
            profile = str(self.random.choice(self.profiles))
            parts = [profile, call["type"], name, json.dumps(words), json.dumps(call["context"])]
            rows.append("\t".join([*parts, call["timestamp"], call["messageId"]]))
        return ["\n".join(rows[start : start + CHUNK]).encode() for start in range(0, count, CHUNK)]

    def copy(self, chunks: Sequence[bytes]) -> None:
        for chunk in chunks:
            with self.connection.transaction(), self.connection.cursor() as cursor:
                with cursor.copy(COPY) as copy:
                    copy.write(chunk)
                cursor.execute(TAKE_OVER, {"source": self.raw_source})

    def stored(self, source: int | None) -> tuple[int, int]:
        """Return how many events of a source are in the log, and of how many message ids."""
        row = self.connection.execute(STORED, [source]).fetchone()
        assert row is not None
        return row[0], row[1]

    def measure(self, series: Series, count: int, work: Callable[[], None]) -> None:
        before, began = self.cpu_seconds(), time.perf_counter()
        work()
        seconds, after = time.perf_counter() - began, self.cpu_seconds()
        series.rates.append(count / seconds)
        series.costs.append({name: (after[name] - before[name]) * 1000 / count for name in after})

    def cpu_seconds(self) -> dict[str, float]:
        return {
            "web and broker": self.web.cpu_seconds() + self.bare.cpu_seconds(),
            "PostgreSQL": stack.cpu_seconds(self.database.pid),
            "client": time.process_time(),
        }


@pytest.fixture
def bench() -> Iterator[Bench]:
    with ExitStack() as servers:
        bench = Bench(servers)
        bench.meet()
        yield bench


def test_ingest(bench: Bench) -> None:
    raw, bare, batched, single = Series(), Series(), Series(), Series()
    copied_before, bare_before = bench.stored(bench.raw_source)[0], bench.stored(None)[0]
    for _ in range(ROUNDS):
        chunks = bench.copied_rows(COPIED)
        bench.measure(raw, COPIED, partial(bench.copy, chunks))
        requests = bench.batches([bench.call() for _ in range(BATCHED)])
        bench.measure(batched, BATCHED, partial(drive, bench.web.port, requests, BATCH_CONNECTIONS))
        bare_calls, calls = bench.bare_calls(SINGLE), bench.single_calls(SINGLE)
        bench.measure(bare, SINGLE, partial(drive, bench.bare.port, bare_calls, SINGLE_CONNECTIONS))
        bench.measure(single, SINGLE, partial(drive, bench.web.port, calls, SINGLE_CONNECTIONS))
    report(raw, bare, batched, single)
    assert bench.stored(bench.source) == (bench.sent, bench.sent)
    assert bench.stored(bench.raw_source)[0] == copied_before + ROUNDS * COPIED
    assert bench.stored(None)[0] == bare_before + ROUNDS * SINGLE


def report(raw: Series, bare: Series, batched: Series, single: Series) -> None:
    print(
        f"\ningest on {os.cpu_count()} processors, durable PostgreSQL, load client included; median of {ROUNDS} rounds"
    )
    print(raw.line(f"(a) raw COPY of {CHUNK:,}, 1 connection"))
    print(batched.line(f"(c) ours, batches of {BATCH}, {BATCH_CONNECTIONS} connections"))
    print(bare.line(f"(b) bare view, {SINGLE_CONNECTIONS} connections"))
    print(single.line(f"(c) ours, single events, {SINGLE_CONNECTIONS} connections"))
    print(f"batches: {batched.rate / raw.rate:.2f} of the raw rate, {batched.cost / raw.cost:.1f} times its cost")
    print(f"single:  {single.rate / bare.rate:.2f} of the bare rate, {single.cost / bare.cost:.1f} times its cost")
