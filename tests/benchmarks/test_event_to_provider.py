"""From events of 5,000 people to 5,000 mails that the provider has accepted: how many a second, at what cost.

Everything is real: single tracking calls over 16 connections, web server, worker, beat and broker as processes of their
own, a PostgreSQL that waits for the disk. The mail service accepts at once. The rate is from the first call to the last
mail accepted; the processor time goes on until nothing is left to do, own news (``Email Sent`` …) included. Baseline of
the same run: each event one INSERT that is committed, each mail posted by ``requests`` from 16 threads, each 32 mails
one UPDATE. The load client and the mail service share the machine and are told apart.

By environment: ``BENCH_PEOPLE``, ``BENCH_ROUNDS``, and that of ``engine``.
"""

from __future__ import annotations

import json
import os
import statistics
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
import requests
from pytest_django import DjangoDbBlocker

from campaigns.models import Journey
from events.models import Pending
from messaging.models import Message
from tests import stack
from tests.benchmarks import engine
from tests.benchmarks.engine import Engine
from tests.benchmarks.load import drive, post
from tests.campaigns.flow import make_campaign, send
from tests.tracking import basic

PEOPLE = int(os.environ.get("BENCH_PEOPLE", "5000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
CONNECTIONS, THREADS, TOGETHER = 16, 16, 32
_own = threading.local()


@pytest.fixture
def measured(django_db_blocker: DjangoDbBlocker) -> Iterator[Engine]:
    with django_db_blocker.unblock(), engine.started() as started:
        yield started


def test_event_to_provider(measured: Engine) -> None:
    make_campaign(send(), event="Signed Up", reentry={"rule": "always"})
    _, key = measured.database.make_key("Shop")
    rates = []
    with measured.running("web") as running:
        meet(running, key)
        for number in range(ROUNDS):
            calls = [track(person, key) for person in range(PEOPLE)]
            measured.taker.accepted()
            before, began = measured.cpu_seconds(running), time.monotonic()
            drive(running.port, calls, CONNECTIONS)
            posted = time.monotonic() - began
            accepted = wait_for_mails(measured)
            rates.append(PEOPLE / (accepted[-1] - began))
            wait_until_idle()
            spent = engine.told(before, measured.cpu_seconds(running), PEOPLE)
            print(f"\nround {number + 1}: {rates[-1]:,.0f} mails/s, all events posted after {posted:.1f} s; {spent}")
    rate = bare(measured)
    ours = statistics.median(rates)
    print(f"ours, median: {ours:,.0f} mails/s, {ours / rate:.2f} of the bare rate")
    assert Message.objects.filter(status="sent").count() == PEOPLE * ROUNDS


def meet(running: stack.Stack, key: str) -> None:
    """Make the people known, and warm everything up."""
    people = [
        {"type": "identify", "userId": f"user-{n}", "traits": {"email": f"user-{n}@example.com", "name": f"Ada {n}"}}
        for n in range(PEOPLE)
    ]
    parts = [people[start : start + 100] for start in range(0, PEOPLE, 100)]
    drive(running.port, [post("/v1/batch", json.dumps({"batch": part}).encode(), basic(key)) for part in parts], 4)
    wait_until_idle()


def track(person: int, key: str) -> bytes:
    body = {
        "userId": f"user-{person}",
        "event": "Signed Up",
        "messageId": str(uuid.uuid4()),
        "properties": {"plan": "pro"},
    }
    return post("/v1/track", json.dumps(body).encode(), basic(key))


def wait_for_mails(measured: Engine) -> list[float]:
    accepted: list[float] = []

    def all_there() -> bool:
        accepted.extend(measured.taker.accepted())
        return len(accepted) >= PEOPLE

    stack.wait_for(all_there, 300, f"{PEOPLE} mails")
    return accepted


def wait_until_idle() -> None:
    def idle() -> bool:
        time.sleep(0.2)
        busy = Pending.objects.exists() or Message.objects.filter(status__in=["queued", "sending"]).exists()
        return not (busy or Journey.objects.exclude(state="ended").exists())

    stack.wait_for(idle, 120, "everything to be done")


def bare(measured: Engine) -> float:
    """Do the least that could be done, and return mails a second."""
    body = {"personalizations": [{"to": [{"email": "ada@example.com"}]}], "content": [{"value": "x" * 1500}]}
    measured.taker.accepted()
    spent = time.process_time() + stack.cpu_seconds(measured.database.pid) + stack.cpu_seconds(measured.taker.pid)
    began = time.monotonic()
    with psycopg.connect(measured.database.url, autocommit=True) as database, ThreadPoolExecutor(THREADS) as pool:
        database.execute("CREATE TABLE bare (id bigserial PRIMARY KEY, body jsonb, sent_at timestamptz)")
        for _ in range(PEOPLE):
            database.execute("INSERT INTO bare (body) VALUES (%s)", [json.dumps(body)])
        for first in range(1, PEOPLE + 1, TOGETHER):
            ids = list(range(first, min(first + TOGETHER, PEOPLE + 1)))
            list(pool.map(lambda _: hand_over(measured.taker.url, body), ids))
            database.execute("UPDATE bare SET sent_at = now() WHERE id = ANY(%s)", [ids])
    rate = PEOPLE / (time.monotonic() - began)
    spent = (
        time.process_time() + stack.cpu_seconds(measured.database.pid) + stack.cpu_seconds(measured.taker.pid) - spent
    )
    print(f"\nbare: {rate:,.0f} mails/s; {spent * 1000 / PEOPLE:.2f} CPU-s per 1,000, the mail service's included")
    return rate


def hand_over(url: str, body: object) -> None:
    session = _own.__dict__.setdefault("session", requests.Session())
    assert session.post(f"{url}mail/send", json=body, timeout=30).status_code == 202
