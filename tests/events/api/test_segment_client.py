"""The official Python library against a live server, changed in nothing but its host."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import segment.analytics.request
from pytest_django.live_server_helper import LiveServer
from segment.analytics.client import Client

from events.models import Event, InboundRequest, Profile
from tests.factories import make_key

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=[False, True], ids=["plain", "gzip"])
def connect(live_server: LiveServer, request: pytest.FixtureRequest) -> Callable[[str], Client]:
    def with_key(key: str) -> Client:
        return Client(key, host=live_server.url, gzip=request.param, max_retries=1, on_error=failures.append_error)

    failures = Failures()
    request.addfinalizer(failures.check)
    request.addfinalizer(hang_up)
    return with_key


def hang_up() -> None:
    """Close the connection that the library keeps open: the server's thread, and its database connection, end."""
    segment.analytics.request._session.close()


class Failures(list[str]):
    def append_error(self, error: Exception, items: list[dict[str, Any]]) -> None:
        self.append(f"{error}: {len(items)} items")

    def check(self) -> None:
        assert not self


def test_the_python_library_works_unchanged(connect: Callable[[str], Client]) -> None:
    client = connect(make_key())
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    client.track(anonymous_id="device", event="Visited", properties={"path": "/pricing"})
    client.identify("ada", {"email": "ada@example.com", "first_name": "Ada", "age": 36}, anonymous_id="device")
    client.track("ada", "Order Completed", {"total": 19.99, "items": [{"sku": "A"}], "at": at})
    client.page("ada", "docs", "Home", {"url": "/"})
    client.screen("ada", None, "Main")
    client.group("ada", "company-1", {"seats": 5})
    client.alias("ada", "ada@example.com")
    for n in range(250):
        client.track("ada@example.com", f"Event {n}", {"n": n, "text": "ü 🎉 " * 20})
    client.flush()
    client.join()

    profile = Profile.objects.get()
    assert profile.user_id == "ada@example.com"
    assert profile.traits == {"email": "ada@example.com", "first_name": "Ada", "age": 36}
    assert Event.objects.filter(profile=profile).count() == 257
    order = Event.objects.get(name="Order Completed")
    assert order.properties == {"total": 19.99, "items": [{"sku": "A"}], "at": "2026-01-02T03:04:05+00:00"}
    assert order.context["library"]["name"] == "analytics-python"
    assert abs((order.received_at - order.timestamp).total_seconds()) < 60
    assert not InboundRequest.objects.exclude(status=200).exists()


def test_the_librarys_own_time_is_kept(connect: Callable[[str], Client]) -> None:
    client = connect(make_key())
    at = datetime(2025, 6, 7, 8, 9, 10, tzinfo=UTC)
    client.track("ada", "Imported", timestamp=at)
    client.flush()
    client.join()
    # The library says when it sends; what the way here took is all that may be added.
    assert 0 <= (Event.objects.get().timestamp - at).total_seconds() < 30


def test_a_wrong_key_is_an_error_that_the_library_does_not_repeat(
    live_server: LiveServer, caplog: pytest.LogCaptureFixture
) -> None:
    # The error itself, also in a kept log record, would hold the connection: it is noted as text.
    caplog.set_level(logging.CRITICAL, "segment")
    errors: list[str] = []
    client = Client("wrong", host=live_server.url, on_error=lambda error, _: errors.append(str(error)))
    client.track("ada", "Hi")
    client.flush()
    client.join()
    hang_up()
    assert len(errors) == 1
    assert "401" in errors[0]
    assert InboundRequest.objects.count() == 1
