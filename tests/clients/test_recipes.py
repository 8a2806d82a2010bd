"""The code that a source's page offers, run as it stands; and the curl beside it, which arrives as it does."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer

from events import encryption
from events.admin import hooks, recipes
from events.admin.recipes import BROWSER, NODE, PYTHON, RECIPES
from events.models import Event, InboundRequest, Source, SourceKey
from tests.clients import packages
from tests.factories import make_key, make_source

pytestmark = pytest.mark.django_db(transaction=True)
# What each sender has of its own, and what says the same in other words.
OWN_HEADERS = {"Host", "User-Agent", "Accept", "Accept-Encoding", "Accept-Language", "Connection", "Content-Length"}
OWN_HEADERS |= {"Sec-Fetch-Mode", "Authorization"}
OWN_FIELDS = {"_metadata"}
SERVERS = [recipe.slug for recipe in RECIPES if recipe.group in (PYTHON, NODE)]


@pytest.fixture(autouse=True)
def curl() -> None:
    if shutil.which("curl") is None:
        pytest.skip("There is no curl here.")


def filled(slug: str, host: str, kind: str = SourceKey.Kind.SECRET) -> recipes.Recipe:
    source = make_source()
    return recipes.filled(slug, host, source.site_id, make_key(source, kind))


def run_code(recipe: recipes.Recipe) -> None:
    if recipe.group == NODE:
        packages.run_text(recipe.code)
        return
    runner = [sys.executable, "-c"] if recipe.group == PYTHON else ["sh", "-c"]
    subprocess.run([*runner, recipe.code], check=True, timeout=60, capture_output=True)


def run_curl(recipe: recipes.Recipe) -> None:
    subprocess.run(["sh", "-euc", recipe.curl], check=True, timeout=60, capture_output=True)


def assert_arrived() -> None:
    event = Event.objects.get(type=Event.Type.TRACK)
    assert (event.name, event.properties) == ("Signed Up", {"plan": "free"})
    assert (event.profile.user_id, event.profile.email) == ("user-1", "ada@example.com")
    assert event.profile.traits["first_name"] == "Ada"
    assert not InboundRequest.objects.exclude(status=200).exists()
    assert not InboundRequest.objects.filter(rejected__gt=0).exists()


@pytest.mark.parametrize("slug", ["curl", *SERVERS])
def test_the_code_run_as_it_stands_stores_person_and_event(live_server: LiveServer, slug: str) -> None:
    run_code(filled(slug, live_server.url))
    assert_arrived()


@pytest.mark.parametrize("slug", [recipe.slug for recipe in RECIPES if recipe.curl])
def test_the_curl_beside_it_does_the_same(live_server: LiveServer, slug: str) -> None:
    kind = SourceKey.Kind.PUBLIC if recipes.of(slug).group == BROWSER else SourceKey.Kind.SECRET
    run_curl(filled(slug, live_server.url, kind))
    assert_arrived()


@pytest.mark.parametrize("slug", SERVERS)
def test_the_curl_arrives_as_the_librarys_own_calls_do(live_server: LiveServer, slug: str) -> None:
    recipe = filled(slug, live_server.url)
    run_code(recipe)
    by_library = arrived()
    InboundRequest.objects.all().delete()
    run_curl(recipe)
    by_curl = arrived()
    # RudderStack's library makes two batches of what others send as one.
    assert unlike(outside(call) for call in by_curl) == unlike(outside(call) for call in by_library)
    assert [shape(item) for item in items(by_curl)] == [shape(item) for item in items(by_library)]


def arrived() -> list[InboundRequest]:
    return list(InboundRequest.objects.order_by("pk"))


def outside(call: InboundRequest) -> tuple[str, str, dict[str, str], str, set[str]]:
    headers = {name: value for name, value in call.headers.items() if name not in OWN_HEADERS}
    scheme, _, credentials = call.headers["Authorization"].partition(" ")
    return call.method, call.path, headers, f"{scheme} {credentials[:5]}", set(json.loads(call.body))


def unlike(values: Iterable[Any]) -> list[Any]:
    """Return each value once, in order."""
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found


def items(calls: list[InboundRequest]) -> list[dict[str, Any]]:
    bodies = [json.loads(call.body) for call in calls]
    return [item for body in bodies for item in body.get("batch", [body])]


def shape(value: Any) -> Any:
    """Return which fields a call has, as deep as they go; the library's own figures aside."""
    if not isinstance(value, dict):
        return value if isinstance(value, bool) else type(value).__name__
    found = {name: shape(part) for name, part in value.items() if name not in OWN_FIELDS}
    return found if "library" not in found else {**found, "library": "named"}


@pytest.mark.parametrize("lock", Source.Lock.values)
def test_the_curl_of_a_webhook_opens_its_lock(live_server: LiveServer, lock: str) -> None:
    source = make_source()
    make_key(source, SourceKey.Kind.PUBLIC)
    source.kind, source.slug, source.lock = Source.Kind.WEBHOOK, "cart", lock
    source.signing_secret = encryption.encrypt("between us")
    source.save()
    command = hooks.curl(source, f"{live_server.url}/hooks/cart/").replace("YOUR_SIGNING_SECRET", "between us")
    subprocess.run(["sh", "-euc", command], check=True, timeout=60, capture_output=True)
    event = Event.objects.get()
    assert (event.name, event.profile.user_id) == ("add_to_cart", "12345")
