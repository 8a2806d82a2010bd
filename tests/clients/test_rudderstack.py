"""RudderStack's Python library against a live server, changed in nothing but its host: gzip, 200 is success."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import rudderstack.analytics.request
from pytest_django.live_server_helper import LiveServer
from rudderstack.analytics.client import Client

from events.models import Event, InboundRequest, Profile
from tests.factories import make_key

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=[True, False], ids=["gzip", "plain"])
def connect(live_server: LiveServer, request: pytest.FixtureRequest) -> Iterator[Callable[[str], Client]]:
    # As text: the error itself would hold the connection.
    errors: list[str] = []

    def note(error: Exception, items: list[dict[str, Any]]) -> None:
        errors.append(f"{error}: {len(items)} items")

    def with_key(key: str) -> Client:
        return Client(key, host=live_server.url, gzip=request.param, max_retries=0, on_error=note)

    yield with_key
    rudderstack.analytics.request._session.close()
    assert errors == []


def finish(client: Client) -> None:
    client.flush()
    client.join()


def test_the_library_works_unchanged(connect: Callable[[str], Client]) -> None:
    client = connect(make_key())
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    client.track(anonymous_id="device", event="Visited", properties={"path": "/pricing"})
    client.identify("ada", {"email": "ada@example.com", "age": 36}, anonymous_id="device")
    client.track("ada", "Order Completed", {"total": 19.99, "items": [{"sku": "A"}], "at": at})
    client.page("ada", "docs", "Home", {"url": "/"})
    client.screen("ada", None, "Main")
    client.group("ada", "company-1", {"seats": 5})
    client.alias("ada", "ada@example.com")
    client.track("ada@example.com", "Imported", timestamp=datetime(2025, 6, 7, 8, 9, 10, tzinfo=UTC))
    for n in range(250):
        client.track("ada@example.com", f"Event {n}", {"n": n, "text": "ü 🎉 " * 20})
    finish(client)

    profile = Profile.objects.get()
    assert profile.user_id == "ada@example.com"
    # The library names traits in the context alone.
    assert profile.traits == {"email": "ada@example.com", "age": 36}
    assert Event.objects.filter(profile=profile).count() == 258
    order = Event.objects.get(name="Order Completed")
    assert order.properties == {"total": 19.99, "items": [{"sku": "A"}], "at": "2026-01-02T03:04:05+00:00"}
    imported = Event.objects.get(name="Imported").timestamp
    assert 0 <= (imported - datetime(2025, 6, 7, 8, 9, 10, tzinfo=UTC)).total_seconds() < 30
    assert not InboundRequest.objects.exclude(status=200).exists()


def test_a_batch_as_large_as_the_library_makes_it_loses_nothing_that_could_be_stored(
    connect: Callable[[str], Client],
) -> None:
    client = connect(make_key())
    for n in range(99):
        client.track("ada", "Large", {"n": n, "text": "x" * 30_000})
    # One that the library lets pass, as the 4 MB of a batch are not full, is dropped alone, and the debugger says so.
    client.track("ada", "Huge", {"text": "x" * 3_900_000})
    finish(client)
    assert sorted(event.properties["n"] for event in Event.objects.all()) == list(range(99))
    dropped = InboundRequest.objects.get(rejected=1)
    assert dropped.status == 200
    assert dropped.answer["rejected"][0]["message"] == "An item may have 32 KB."


def test_a_wrong_key_is_an_error_that_the_library_does_not_repeat(
    live_server: LiveServer, caplog: pytest.LogCaptureFixture
) -> None:
    # An error in a kept log record holds the connection as well.
    for logger in ("rudderstack", "backoff"):
        caplog.set_level(logging.CRITICAL, logger)
    errors: list[str] = []
    client = Client("wrong", host=live_server.url, on_error=lambda error, _: errors.append(str(error)))
    client.track("ada", "Hi")
    finish(client)
    rudderstack.analytics.request._session.close()
    assert len(errors) == 1
    assert "unauthorized" in errors[0] and "401" in errors[0]
    assert InboundRequest.objects.count() == 1
