from __future__ import annotations

import base64
import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events.api import authentication
from events.api.authentication import find_caller
from events.models import Event, Source, SourceKey
from tests.factories import make_key, make_source
from tests.tracking import basic, send

pytestmark = pytest.mark.django_db
HI = {"userId": "u", "event": "Hi"}


def encoded(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "form",
    ["{}:", "{}", "{}:password", "{}:a:b"],
)
def test_basic_takes_the_key_as_user_name(form: str) -> None:
    key = make_key()
    assert send("track", HI, Authorization=encoded(form.format(key))).status_code == 200


@pytest.mark.parametrize("kind", SourceKey.Kind.values)
def test_public_and_secret_keys_may_write(kind: str) -> None:
    assert send("track", HI, make_key(kind=kind)).status_code == 200


def test_the_key_may_be_in_the_body() -> None:
    source = make_source()
    key = make_key(source)
    assert send("track", {**HI, "writeKey": key}, Content_Type="text/plain").status_code == 200
    assert send("batch", {"writeKey": key, "batch": [{"type": "track", **HI}]}, packed=True).status_code == 200
    assert set(Event.objects.values_list("source", flat=True)) == {source.pk}
    assert "writeKey" not in Event.objects.earliest("id").extra


def test_a_bearer_may_be_the_key_or_stand_beside_it() -> None:
    key = make_key()
    assert send("track", HI, Authorization=f"Bearer {key}").status_code == 200
    assert send("track", {**HI, "writeKey": key}, Authorization="Bearer some-oauth-token").status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic " + "A" * 100_000,
        "Bearer",
        "Digest x",
        "Basic ÿþ",
        encoded(""),
        encoded(":"),
        encoded("\0"),
        encoded("nobody:"),
        encoded("x" * 5000),
        "Basic " + base64.b64encode(b"\xff\xfe:").decode(),
    ],
)
def test_anything_else_is_unknown(header: str) -> None:
    answer = send("track", HI, Authorization=header)
    assert answer.status_code == 401
    assert answer.json()["field"] == "Authorization"


@pytest.mark.parametrize("key", ["", "\0", "\ud800", "x" * 5000, 5, None, ["a"]])
def test_odd_keys_in_the_body_are_unknown(key: object) -> None:
    assert send("track", {**HI, "writeKey": key}).status_code == 401


def test_a_wrong_key_in_the_header_is_not_mended_by_the_body() -> None:
    assert send("track", {**HI, "writeKey": make_key()}, Authorization=basic("wrong")).status_code == 401


@pytest.fixture
def short_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authentication, "REMEMBER_SECONDS", 0.05)


def test_a_key_is_looked_up_once_a_moment() -> None:
    key = make_key()
    with CaptureQueriesContext(connection) as context:
        for _ in range(5):
            assert find_caller(key)
    assert len(context) == 1


@pytest.mark.usefixtures("short_memory")
def test_a_revoked_key_is_soon_refused() -> None:
    key = make_key()
    assert find_caller(key)
    SourceKey.objects.update(revoked_at=timezone.now())
    time.sleep(0.06)
    assert find_caller(key) is None


@pytest.mark.usefixtures("short_memory")
def test_a_disabled_source_is_soon_refused() -> None:
    key = make_key()
    assert find_caller(key)
    Source.objects.update(enabled=False)
    time.sleep(0.06)
    assert find_caller(key) is None
