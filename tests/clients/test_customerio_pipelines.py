"""Customer.io's pipelines library for Python against a live server, changed in nothing but its host."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import customerio.analytics.request
import pytest
from customerio.analytics.client import Client
from pytest_django.live_server_helper import LiveServer

from events.models import Device, Event, InboundRequest, Membership, Profile, SourceKey
from tests.factories import make_key, make_source

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=[True, False], ids=["gzip", "plain"])
def connect(live_server: LiveServer, request: pytest.FixtureRequest) -> Iterator[Callable[[str], Client]]:
    # As text: the error itself would hold the connection.
    errors: list[str] = []

    def note(error: Exception, items: list[dict[str, Any]]) -> None:
        errors.append(f"{error}: {len(items)} items")

    def with_key(key: str) -> Client:
        return Client(key, host=f"{live_server.url}/cdp", gzip=request.param, max_retries=0, on_error=note)

    yield with_key
    customerio.analytics.request._session.close()
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
    client.group("ada", "acme", {"seats": 5})
    client.alias("ada", "ada@example.com")
    client.track("ada@example.com", "Imported", timestamp=datetime(2025, 6, 7, 8, 9, 10, tzinfo=UTC))
    client.track("ada", "Device Created or Updated", {"device": {"token": "t", "type": "ios"}})
    for n in range(250):
        client.track("ada@example.com", f"Event {n}", {"n": n, "text": "ü 🎉 " * 20})
    client.track("gone", "Hi")
    client.track("gone", "User Deleted")
    finish(client)

    profile = Profile.objects.get()
    assert (profile.user_id, profile.traits) == ("ada@example.com", {"email": "ada@example.com", "age": 36})
    assert Event.objects.filter(profile=profile).count() == 258
    order = Event.objects.get(name="Order Completed")
    assert order.properties == {"total": 19.99, "items": [{"sku": "A"}], "at": "2026-01-02T03:04:05+00:00"}
    imported = Event.objects.get(name="Imported").timestamp
    assert 0 <= (imported - datetime(2025, 6, 7, 8, 9, 10, tzinfo=UTC)).total_seconds() < 30
    assert (Device.objects.get().profile, Membership.objects.get().profile) == (profile, profile)
    assert not InboundRequest.objects.exclude(status=200).exists()
    assert not InboundRequest.objects.filter(rejected__gt=0).exists()


def test_a_key_that_looks_like_customerios_comes_as_a_bearer_token(connect: Callable[[str], Client]) -> None:
    key = f"sk_us_{secrets.token_hex(12)}"
    row = SourceKey(source=make_source(), kind=SourceKey.Kind.SECRET)
    row.set_key(key)
    row.save()
    client = connect(key)
    client.track("ada", "Hi")
    finish(client)
    event = Event.objects.get()
    assert (event.name, event.source) == ("Hi", row.source)
    assert InboundRequest.objects.get().headers["Authorization"].startswith("Bearer ")


def test_a_wrong_key_is_an_error_that_the_library_does_not_repeat(
    live_server: LiveServer, caplog: pytest.LogCaptureFixture
) -> None:
    # An error in a kept log record holds the connection as well.
    for logger in ("customerio", "backoff"):
        caplog.set_level(logging.CRITICAL, logger)
    errors: list[str] = []
    client = Client("wrong", host=f"{live_server.url}/cdp", on_error=lambda error, _: errors.append(str(error)))
    client.track("ada", "Hi")
    finish(client)
    customerio.analytics.request._session.close()
    assert len(errors) == 1
    assert "unauthorized" in errors[0] and "401" in errors[0]
    assert InboundRequest.objects.count() == 1
