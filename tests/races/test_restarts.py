"""PostgreSQL is cut off and started anew, again and again, while clients send: what was answered 200 is there, once."""

from __future__ import annotations

import http.client
import json
import random
import time
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

import psycopg
import pytest

from tests import durable, stack
from tests.tracking import basic

pytestmark = [pytest.mark.race, pytest.mark.slow]
EVENTS, CLIENTS, RESTARTS, PEOPLE = 20_000, 16, 3, 300
# Small enough to be stored together with others; some calls bring one event alone.
BATCH, SINGLES = 40, 1_000
PATIENCE_SECONDS = 120.0

STORED = """
SELECT count(*), count(DISTINCT message_id), count(DISTINCT profile_id),
       (SELECT count(*) FROM events_pending), (SELECT count(*) FROM events_profile) FROM events_event
"""


class Client:
    """One of the senders: sends each call until it is answered 200, with the same message ids."""

    def __init__(self, port: int, key: str, number: int) -> None:
        self.answered: list[str] = []
        self.refused = self.cut_off = 0
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=40)
        self._headers = {"Authorization": basic(key), "Content-Type": "application/json"}
        self._random = random.Random(number)

    def send(self, sizes: list[int]) -> None:
        for size in sizes:
            calls = [self._call() for _ in range(size)]
            path, body = ("/v1/batch", {"batch": calls}) if size > 1 else ("/v1/track", calls[0])
            deadline = time.monotonic() + PATIENCE_SECONDS
            while not self._try(path, json.dumps(body)):
                assert time.monotonic() < deadline, "the server did not recover"
                time.sleep(self._random.uniform(0.05, 0.2))
            self.answered += [call["messageId"] for call in calls]

    def _call(self) -> dict[str, str]:
        user = f"u{self._random.randrange(PEOPLE)}"
        return {"type": "track", "userId": user, "event": "Hi", "messageId": str(uuid.uuid4())}

    def _try(self, path: str, body: str) -> bool:
        try:
            self._connection.request("POST", path, body, self._headers)
            answer = self._connection.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            self.cut_off += 1
            return False
        if answer.status == 503:
            assert answer.headers["Retry-After"]
            self.refused += 1
        else:
            # A 4xx would make a client throw the call away; a 500 is no answer to an outage.
            assert answer.status == 200, said
        return answer.status == 200


def test_no_event_is_lost_or_doubled_when_the_database_restarts_under_load() -> None:
    with ExitStack() as servers:
        database = servers.enter_context(durable.postgres_server())
        web = servers.enter_context(stack.running("broker", "web", DATABASE_URL=database.url))
        _, key = database.make_key("Shop")
        clients = [Client(web.port, key, number) for number in range(CLIENTS)]
        pool = servers.enter_context(ThreadPoolExecutor(CLIENTS))
        work = [pool.submit(client.send, sizes) for client, sizes in zip(clients, shares(), strict=True)]
        for restart in range(1, RESTARTS + 1):
            wait_until_answered(clients, work, EVENTS * restart // (RESTARTS + 1))
            database.restart_at_once()
        for future in work:
            future.result()
        answered = [message_id for client in clients for message_id in client.answered]
        with psycopg.connect(database.url) as connection:
            row = connection.execute(STORED).fetchone()
            stored = {message_id for (message_id,) in connection.execute("SELECT message_id FROM events_event")}
        assert sum(client.refused for client in clients) >= RESTARTS, "the restarts were not felt"
        assert sum(client.cut_off for client in clients) == 0, "the web server itself hung up"
        assert len(answered) == EVENTS
        assert stored == set(answered)
        assert row == (EVENTS, EVENTS, PEOPLE, EVENTS, PEOPLE)


def shares() -> list[list[int]]:
    """Return the sizes of the calls that each client sends: batches, and single events among them."""
    sizes = [1] * SINGLES + [BATCH] * ((EVENTS - SINGLES) // BATCH)
    random.Random(1).shuffle(sizes)
    return [sizes[number::CLIENTS] for number in range(CLIENTS)]


def wait_until_answered(clients: list[Client], work: list[Future[None]], count: int) -> None:
    def enough() -> bool:
        for future in work:
            if future.done():
                future.result()
        return sum(len(client.answered) for client in clients) >= count

    stack.wait_for(enough, PATIENCE_SECONDS, f"{count} events to be answered")
