"""Real threads and a real PostgreSQL; only the moment at which a group is stored is held up, so that others come."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Event as Flag
from typing import Any

import psycopg
import pytest
from django.db import DataError, OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext

from events import grouping, ingest
from events.ingest import Item, Parcel, Result
from events.models import Event, Pending, Profile, Source
from tests.factories import make_key, make_profile, make_source
from tests.stack import database_url, wait_for
from tests.tracking import send

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
Start = Callable[[Callable[[], Any]], "Future[Any]"]


def parcel(source: Source, user_id: str, *message_ids: str, name: str = "Hi", repeatable: bool = True) -> Parcel:
    parts: dict[str, Any] = {"user_id": user_id, "name": name, "repeatable": repeatable}
    items = [Item("track", message_id, NOW, **parts) for message_id in message_ids]
    return ingest.parcel(source, items, NOW)


class Door:
    """Stands before the real ``ingest_many``: writes down who comes, and may keep the first one waiting."""

    def __init__(self) -> None:
        self.groups: list[int] = []
        self.opened = Flag()
        self._real = ingest.ingest_many

    def ingest_many(self, parcels: Sequence[Parcel], *options: Any, **named: Any) -> list[Result]:
        self.groups.append(len(parcels))
        if len(self.groups) == 1:
            assert self.opened.wait(20)
        return self._real(parcels, *options, **named)


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    door = Door()
    monkeypatch.setattr(ingest, "ingest_many", door.ingest_many)
    monkeypatch.setattr(grouping, "queue", grouping.Queue())
    yield door
    door.opened.set()


@pytest.fixture
def start() -> Iterator[Start]:
    """Start work in a thread with a connection of its own."""

    def run(work: Callable[[], Any]) -> Any:
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        yield lambda work: pool.submit(run, work)


def queue_up(
    door: Door, start: Start, first: Callable[[], Any], rest: Sequence[Callable[[], Any]]
) -> list[Future[Any]]:
    """Let ``first`` lead alone and the others come meanwhile, in their order; then open the door."""
    futures = [start(first)]
    wait_for(lambda: door.groups, 10)
    for count, work in enumerate(rest, 1):
        futures.append(start(work))
        wait_for(lambda count=count: len(grouping.queue) == count, 10)  # type: ignore[misc]
    door.opened.set()
    return futures


@contextmanager
def locked(profile: Profile) -> Iterator[psycopg.Connection]:
    """Hold a person's row by a connection of somebody else."""
    with psycopg.connect(database_url()) as other:
        other.execute("SELECT FROM events_profile WHERE id = %s FOR UPDATE", [profile.pk])
        yield other


def blocked_pids() -> list[int]:
    with psycopg.connect(database_url()) as other:
        rows = other.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return [pid for (pid,) in rows]


def test_who_comes_while_another_is_stored_is_stored_together(door: Door, start: Start) -> None:
    source = make_source()
    parcels = [parcel(source, f"u{n}", *(f"{n}-{i}" for i in range(n))) for n in range(1, 9)]
    work = [lambda one=one: grouping.store(one) for one in parcels]
    futures = queue_up(door, start, work[0], work[1:])
    # Each has its own answer: as many as it brought.
    assert [future.result(10) for future in futures] == [Result(n, 0) for n in range(1, 9)]
    assert door.groups == [1, 7]
    assert Event.objects.count() == Pending.objects.count() == 36
    assert set(Event.objects.values_list("profile__user_id").distinct()) == {(f"u{n}",) for n in range(1, 9)}


def test_the_same_message_in_two_parcels_of_a_group_counts_for_the_first(door: Door, start: Start) -> None:
    source = make_source()
    parcels = [
        parcel(source, "u", "a"),
        parcel(source, "u", "b", "c", name="First"),
        parcel(source, "u", "c", "a", "d"),
    ]
    futures = queue_up(
        door, start, lambda: grouping.store(parcels[0]), [lambda one=one: grouping.store(one) for one in parcels[1:]]
    )
    assert [future.result(10) for future in futures] == [Result(1, 0), Result(2, 0), Result(1, 2)]
    assert Event.objects.get(message_id="c").name == "First"


def test_who_comes_alone_is_stored_at_once(door: Door) -> None:
    door.opened.set()
    source = make_source()
    assert grouping.store(parcel(source, "u", "a")) == Result(1, 0)
    assert grouping.store(parcel(source, "u", "a", "b")) == Result(1, 1)
    assert door.groups == [1, 1]


def test_large_parcels_and_those_within_a_transaction_wait_for_nobody(door: Door, start: Start) -> None:
    source = make_source()
    first = start(lambda: grouping.store(parcel(source, "u", "first")))
    wait_for(lambda: door.groups, 10)
    assert grouping.store(parcel(source, "u", *map(str, range(grouping.LARGE)))) == Result(grouping.LARGE, 0)
    with transaction.atomic():
        assert grouping.store(parcel(source, "u", "within")) == Result(1, 0)
        transaction.set_rollback(True)
    door.opened.set()
    assert first.result(10) == Result(1, 0)
    assert Event.objects.count() == grouping.LARGE + 1


def test_groups_are_bounded_and_keep_sandboxes_apart(door: Door, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouping, "MAX_ITEMS", 4)
    real, sandbox = make_source(), Source.objects.create(name="Sandbox", site_id="sandbox", is_sandbox=True)
    sources = [real, real, sandbox, real, sandbox, real, real, real]
    work = [lambda n=n, one=one: grouping.store(parcel(one, f"u{n}", str(n))) for n, one in enumerate(sources)]
    futures = queue_up(door, start, work[0], work[1:])
    assert [future.result(10) for future in futures] == [Result(1, 0)] * 8
    assert door.groups == [1, 4, 2, 1]
    assert Profile.objects.filter(is_sandbox=True).count() == 2
    assert Event.objects.count() == 8


def test_a_parcel_that_cannot_be_stored_harms_no_neighbour(door: Door, start: Start) -> None:
    source = make_source()
    good = [lambda n=n: grouping.store(parcel(source, f"u{n}", str(n))) for n in range(6)]
    futures = queue_up(door, start, good[0], [*good[1:3], lambda: grouping.store(parcel(source, "\0", "x")), *good[3:]])
    bad = futures.pop(3)
    assert [future.result(10) for future in futures] == [Result(1, 0)] * 6
    with pytest.raises(DataError):
        bad.result(10)
    # The first, all others together, then each of those by itself.
    assert door.groups == [1, 6, *[1] * 6]
    assert Event.objects.count() == 6


@pytest.mark.parametrize("repeatable", [True, False])
def test_somebody_elses_lock_on_one_person_holds_up_that_one_alone(door: Door, start: Start, repeatable: bool) -> None:
    source, busy = make_source(), make_profile("busy")
    names = ["u0", "u1", "busy", "u2", "u3"]
    parcels = [parcel(source, name, name, repeatable=repeatable) for name in names]
    work = [lambda one=one: grouping.store(one) for one in parcels]
    with locked(busy) as other:
        futures = queue_up(door, start, work[0], work[1:])
        waiting = futures.pop(2)
        assert [future.result(10) for future in futures] == [Result(1, 0)] * 4
        # Who comes now is not held up either.
        assert start(lambda: grouping.store(parcel(source, "u4", "u4"))).result(10) == Result(1, 0)
        assert not waiting.done()
        other.rollback()
    assert waiting.result(10) == Result(1, 0)
    assert Event.objects.count() == 6


def test_when_the_database_goes_every_call_of_the_group_is_answered_503(door: Door, start: Start) -> None:
    key, busy = make_key(), make_profile("busy")

    def call(user_id: str) -> Callable[[], Any]:
        return lambda: send("track", {"userId": user_id, "event": "Hi", "messageId": user_id}, key)

    with locked(busy):
        futures = queue_up(door, start, call("u0"), [call(name) for name in ("u1", "busy", "u2", "u3")])
        # Whoever waits for a lock gives up now and then, and waits again: looked at twice, nobody may be there.
        waiting: list[int] = []
        wait_for(lambda: waiting.extend(blocked_pids()) or waiting, 10)
        connection.cursor().execute("SELECT pg_terminate_backend(%s)", [waiting[0]])
        answers = [future.result(10) for future in futures]
    assert [answer.status_code for answer in answers] == [200, 503, 503, 503, 503]
    assert all(int(answer["Retry-After"]) > 0 for answer in answers[1:])
    assert Event.objects.count() == 1
    # Nothing is broken for long, and what is sent again is taken.
    assert start(call("u1")).result(10).status_code == 200
    assert door.groups == [1, 4, 1]


def test_nobody_waits_for_ever_behind_a_leader_that_is_stuck(
    door: Door, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grouping, "PATIENCE_SECONDS", 0.3)
    source = make_source()
    stuck = start(lambda: grouping.store(parcel(source, "u0", "0")))
    wait_for(lambda: door.groups, 10)
    began = time.monotonic()
    with pytest.raises(OperationalError, match="within"):
        start(lambda: grouping.store(parcel(source, "u1", "1"))).result(10)
    assert time.monotonic() - began < 5
    # The stuck one leads no longer.
    assert start(lambda: grouping.store(parcel(source, "u2", "2"))).result(10) == Result(1, 0)
    door.opened.set()
    assert stuck.result(10) == Result(1, 0)
    assert start(lambda: grouping.store(parcel(source, "u1", "1"))).result(10) == Result(1, 0)
    assert door.groups == [1, 1, 1]
    assert Event.objects.count() == 3


def test_a_batch_costs_the_same_statements_whatever_its_size() -> None:
    key = make_key()

    def statements(size: int) -> list[str]:
        calls = [
            {"type": kind, "userId": f"{kind} {size} {n}", "anonymousId": f"{size} {n}", "event": "Hi"}
            for n in range(size // 2)
            for kind in ("identify", "track")
        ]
        batch = [{**call, "messageId": f"{size} {n}", "traits": {"n": n}} for n, call in enumerate(calls)]
        with CaptureQueriesContext(connection) as asked:
            assert send("batch", {"batch": batch}, key).status_code == 200
        return [query["sql"][:40] for query in asked if not remembered.search(query["sql"])]

    # Who calls and what is planned is remembered for a moment, and asked for anew now and then.
    remembered = re.compile(r"\b(events_sourcekey|events_source|events_eventdefinition)\b")
    send("track", {"userId": "u", "event": "Hi"}, key)
    small = statements(4)
    assert 5 <= len(small) <= 15
    assert statements(40) == small  # shares a transaction with others
    assert statements(400) == small  # has one to itself
    assert Event.objects.count() == 445
