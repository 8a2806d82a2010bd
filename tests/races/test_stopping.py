"""A count that is stopped ends in the database: that one, and no other statement."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse

from events import patience, stopping
from tests.factories import make_profile, make_topic
from tests.races.together import at_once
from tests.stack import wait_for

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]
SLOW = {"topic": "newsletter", "is": "subscribed"}
COUNTING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()
  AND query ILIKE '%%messaging_subscription%%' AND query NOT ILIKE 'LOCK%%'
"""


@contextmanager
def busy_subscriptions() -> Iterator[None]:
    """Let whoever reads what people say of topics wait, as one does for a disk that is busy."""
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("LOCK TABLE messaging_subscription IN ACCESS EXCLUSIVE MODE")
            yield
            cursor.execute("ROLLBACK")
    finally:
        other.close()


def counting() -> int:
    with connection.cursor() as cursor:
        cursor.execute(COUNTING)
        return int(cursor.fetchone()[0])


def person(name: str) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser(name))
    return client


def url(endpoint: str) -> str:
    return reverse(f"admin:events_conditions_{endpoint}")


def ask(client: Client, endpoint: str, **said: Any) -> Any:
    answer = client.post(url(endpoint), json.dumps(said), content_type="application/json")
    assert answer.status_code == 200
    return answer.json()


def in_thread(work: Callable[[], Any]) -> Callable[[], Any]:
    def run() -> Any:
        try:
            return work()
        finally:
            connection.close()

    return run


def test_a_stopped_count_runs_no_longer_and_another_persons_does() -> None:
    make_topic()
    make_profile()
    ada, bob = person("ada"), person("bob")
    with busy_subscriptions(), ThreadPoolExecutor(2) as pool:
        began = time.monotonic()
        counts = [
            pool.submit(in_thread(lambda each=each: ask(each, "look", condition=SLOW, count=True, token="mine")))  # type: ignore[misc]
            for each in (ada, bob)
        ]
        wait_for(lambda: counting() == 2, 4, "both counts")
        assert ask(ada, "stop", token="another") == {"stopped": False}
        assert counting() == 2
        assert ask(ada, "stop", token="mine") == {"stopped": True}
        assert counting() == 1, "bob's count goes on, though its token is the same"
        assert counts[0].result(1)["count"]["too_slow"]
        assert ask(bob, "stop", token="mine") == {"stopped": True}
        assert counting() == 0
        assert counts[1].result(1)["count"]["too_slow"]
        assert time.monotonic() - began < 4.5, "far below the limit of five seconds and another five for the estimate"
    assert ask(ada, "look", condition=SLOW, count=True, token="mine")["count"]["exact"]
    assert ask(ada, "stop", token="mine") == {"stopped": False}
    wait_for(lambda: held() == 0, 2, "what a session held that was closed")


def held() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
        return int(cursor.fetchone()[0])


def test_whoever_stops_again_and_again_meets_nothing_but_what_can_be_stopped() -> None:
    key = stopping.key_of(1, "token")
    end = time.monotonic() + 3
    over = threading.Event()
    stopped = 0

    def work() -> None:
        nonlocal stopped
        try:
            while time.monotonic() < end:
                try:
                    with stopping.stoppable(key), patience.at_most(5), connection.cursor() as cursor:
                        cursor.execute("SELECT pg_sleep(0.002)")
                except patience.TooLong:
                    stopped += 1
                # Other work of the same connection: an error here fails the test.
                with connection.cursor() as cursor:
                    for _ in range(5):
                        cursor.execute("SELECT pg_sleep(0.0005)")
        finally:
            over.set()

    def stop() -> int:
        rounds = 0
        while not over.is_set():
            stopping._cancel(key)
            rounds += 1
        return rounds

    _, first, second = at_once([work, stop, stop])
    assert stopped > 10 and min(first, second) > 10
    wait_for(lambda: held() == 0, 2, "what a session held that was closed")


def test_only_the_count_itself_can_be_stopped_and_a_token_is_a_short_text() -> None:
    ada = person("ada")
    for wrong in (1, "", "x" * 65, "ü"):
        answer = ada.post(url("stop"), json.dumps({"token": wrong}), content_type="application/json")
        assert answer.status_code == 400 and answer.json()["error"].startswith("token: ")
    assert ada.post(url("stop"), "{}", content_type="application/json").status_code == 400
