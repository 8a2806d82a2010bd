from __future__ import annotations

import pytest
from django.test import Client

from tests.factories import make_key
from tests.tracking import basic, send

pytestmark = pytest.mark.django_db
HI = {"userId": "u", "event": "Hi"}
CALLS = ["/v1/track", "/v1/t/", "/v1/nothing", "/cdp/v1/t", "/hooks/nothing", "/pixel/v1/page", "/beacon/v1/batch"]
CALLS += ["/api/v1/customers/u", "/api/v1/events", "/api/v2/entity", "/v1/projects/k/settings"]


@pytest.mark.parametrize("path", CALLS)
def test_calls_pass_none_of_the_middleware_for_pages(path: str) -> None:
    answer = Client().post(path, HI, content_type="application/json")
    assert not hasattr(answer.wsgi_request, "session")
    assert not hasattr(answer.wsgi_request, "user")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Length"] == str(len(answer.content))
    assert not answer.cookies


@pytest.mark.parametrize(
    "path", ["/admin/login/", "/api/v1/manage/profiles/u/", "/healthz", "/v1", "/nothing/v1/track"]
)
def test_everything_else_goes_the_long_way(path: str) -> None:
    assert hasattr(Client().get(path).wsgi_request, "session")


def test_an_address_below_calls_that_is_none_is_not_found_as_ever() -> None:
    assert Client().get("/pixel/v2/page").status_code == 404


def test_a_host_that_is_not_ours_is_refused() -> None:
    key = make_key()
    assert send("track", HI, key, Host="elsewhere.example").status_code == 400
    assert send("track", HI, key).status_code == 200


def test_addresses_are_told_apart_though_remembered() -> None:
    key, other = make_key(), make_key()
    headers = {"Authorization": basic(key)}
    for _ in range(2):
        for kind in ("track", "page"):
            call = {"userId": "u", "event": "Hi"} if kind == "track" else {"userId": "u"}
            answer = Client().post(f"/v1/{kind}", call, content_type="application/json", headers=headers)
            assert answer.status_code == 200
        assert Client().get(f"/v1/projects/{key}/settings").json()["integrations"]["Segment.io"]["apiKey"] == key
        assert Client().get(f"/v1/projects/{other}/settings").json()["integrations"]["Segment.io"]["apiKey"] == other
