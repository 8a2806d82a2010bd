"""The database goes away under a running server, and comes back: no caller is told that its call was bad."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from events.api.authentication import REMEMBER_SECONDS
from events.models import SourceKey
from tests import stack
from tests.durable import DurablePostgres, postgres_server

pytestmark = pytest.mark.slow
HI = {"userId": "ada", "event": "Signed Up"}
BATCH = {"batch": [{"type": "track", **HI}]}
PERSON = {"type": "person", "identifiers": {"id": "ada"}, "action": "identify"}
REPORT = [{"event": "delivered", "email": "ada@example.com", "sg_message_id": "x"}]


@dataclass(frozen=True, slots=True)
class Call:
    """What a client sends; ``auth`` says with which of the site's credentials."""

    method: str
    path: str
    auth: str = "key"
    body: Any = None


CALLS = [
    Call("POST", "/v1/track", body=HI),
    Call("POST", "/v1/batch", body=BATCH),
    Call("POST", "/cdp/v1/t", body=HI),
    Call("GET", "/v1/projects/{public}/settings", ""),
    Call("GET", "/sourceConfig"),
    Call("GET", "/pixel/v1/track?writeKey={public}&anonymousId=a&event=Seen", ""),
    Call("POST", "/beacon/v1/batch?writeKey={public}", "", BATCH),
    Call("GET", "/auth", "site"),
    Call("PUT", "/api/v1/customers/ada", "site", {"plan": "pro"}),
    Call("POST", "/api/v1/customers/ada/events", "site", {"name": "Signed Up"}),
    Call("POST", "/api/v2/entity", "site", PERSON),
    Call("POST", "/api/v2/batch", "site", {"batch": [PERSON]}),
    Call("POST", "/webhooks/anymail/sendgrid/tracking/", "hook", REPORT),
]


@pytest.fixture(scope="module")
def server() -> Iterator[DurablePostgres]:
    with postgres_server() as server:
        yield server


def test_while_the_database_is_away_every_call_is_to_come_again(server: DurablePostgres) -> None:
    secret, public = server.make_key("shop")[1], server.make_key("window", SourceKey.Kind.PUBLIC)[1]
    auth = {"key": (secret, ""), "site": ("shop", secret), "hook": ("hook", "secret"), "": None}
    taken = {call.path: 200 for call in CALLS}
    with stack.running("broker", "web", DATABASE_URL=server.url, WEBHOOK_SECRET="hook:secret") as site:

        def answers() -> dict[str, requests.Response]:
            return {
                call.path: requests.request(
                    call.method,
                    site.base_url + call.path.format(public=public),
                    json=call.body,
                    auth=auth[call.auth],
                    timeout=30,
                )
                for call in CALLS
            }

        assert {path: answer.status_code for path, answer in answers().items()} == taken
        server.stop()
        # For so long a server may know a key by heart.
        time.sleep(REMEMBER_SECONDS)
        for path, answer in answers().items():
            assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "5"), path
            assert answer.elapsed.total_seconds() < 5, path
        server.start()
        assert {path: answer.status_code for path, answer in answers().items()} == taken
