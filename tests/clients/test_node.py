"""The libraries for Node.js against a live server, changed in nothing but their host."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pytest_django.live_server_helper import LiveServer

from events.models import Event, InboundRequest, Profile
from tests.clients import packages
from tests.factories import make_key

pytestmark = pytest.mark.django_db(transaction=True)
LIBRARIES = [
    ("segment",),
    ("customerio-pipelines",),
    ("rudderstack", "gzip"),
    ("rudderstack", "plain"),
    ("customerio-pipelines", "/cdp/v1/batch"),
]


@pytest.mark.parametrize("library", LIBRARIES, ids="-".join)
def test_the_library_works_unchanged(live_server: LiveServer, library: tuple[str, ...]) -> None:
    script, *options = library
    packages.run(script, live_server.url, make_key(), *options)

    profile = Profile.objects.get()
    assert profile.user_id == "ada@example.com"
    assert profile.traits == {"email": "ada@example.com", "age": 36}
    assert Event.objects.filter(profile=profile).count() == 258
    order = Event.objects.get(name="Order Completed")
    assert order.properties == {"total": 19.99, "items": [{"sku": "A"}], "at": "2026-01-02T03:04:05.000Z"}
    assert abs((order.received_at - order.timestamp).total_seconds()) < 60
    # What the way here took is all that may be added to a time of the sender's own.
    imported = Event.objects.get(name="Imported").timestamp
    assert 0 <= (imported - datetime(2025, 6, 7, 8, 9, 10, tzinfo=UTC)).total_seconds() < 30
    last = Event.objects.get(name="Event 249")
    assert last.properties == {"n": 249, "text": "ü 🎉 " * 20}
    assert not InboundRequest.objects.exclude(status=200).exists()
    assert not InboundRequest.objects.filter(rejected__gt=0).exists()


@pytest.mark.parametrize("library", LIBRARIES[:3], ids="-".join)
def test_a_wrong_key_is_an_error_of_the_library(live_server: LiveServer, library: tuple[str, ...]) -> None:
    script, *options = library
    with pytest.raises(AssertionError, match=r"(?i)unauthorized|401|unknown"):
        packages.run(script, live_server.url, "wrong", *options)
    assert set(InboundRequest.objects.values_list("status", flat=True)) == {401}
    assert not Event.objects.exists()
