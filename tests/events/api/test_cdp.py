"""Calls of Customer.io's library for browsers, which takes every answer that it may read for success."""

from __future__ import annotations

import pytest
from django.db import OperationalError
from django.test import Client

from events import grouping
from events.models import Event, SourceKey
from tests.factories import make_key
from tests.tracking import basic

pytestmark = pytest.mark.django_db
HI = {"userId": "ada", "event": "Signed Up"}
ORIGIN = "Access-Control-Allow-Origin"


@pytest.fixture
def key() -> str:
    return make_key(kind=SourceKey.Kind.PUBLIC)


@pytest.mark.parametrize("path", ["t", "track", "track/"])
def test_calls_are_taken_and_the_answer_can_be_read_from_anywhere(path: str, key: str) -> None:
    answer = Client().post(f"/cdp/v1/{path}", {**HI, "writeKey": key}, content_type="application/json")
    assert (answer.status_code, answer.json(), answer[ORIGIN]) == (200, {"success": True}, "*")
    assert Event.objects.get().name == "Signed Up"


def test_what_is_refused_for_good_can_be_read_too(key: str) -> None:
    for body, status in (({**HI, "writeKey": "nobody"}, 401), ({"event": "x", "writeKey": key}, 200)):
        answer = Client().post("/cdp/v1/t", body, content_type="application/json")
        assert (answer.status_code, answer[ORIGIN]) == (status, "*")
        assert answer.json().get("message") or answer.json()["rejected"]
    unknown = Client().post("/cdp/v1/nothing", {}, content_type="application/json")
    assert (unknown.status_code, unknown[ORIGIN], unknown.json()["code"]) == (404, "*", "not_found")


def test_what_is_to_come_again_cannot_be_read(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(parcel: object) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(grouping, "store", fail)
    body, headers = {**HI}, {"Authorization": basic(key)}
    answer = Client().post("/cdp/v1/b", {"batch": [body]}, content_type="application/json", headers=headers)
    assert answer.status_code == 503 and answer["Retry-After"]
    assert not [name for name in answer.headers if name.startswith("Access-Control")]
    # Segment's and our own library read how long to wait.
    assert Client().post("/v1/t", body, content_type="application/json", headers=headers)[ORIGIN] == "*"
