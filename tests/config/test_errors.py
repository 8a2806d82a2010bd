"""What programs and people read where no view has an answer."""

from __future__ import annotations

import pytest
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

PERSON = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
client = Client(raise_request_exception=False)


@pytest.mark.parametrize(
    "address", ["/v1", "/v2/track", "/api/v1/nothing", "/api/v3/x", "/pixel/v1/x", "/cdp", "/hooks/"]
)
@pytest.mark.parametrize("method", ["get", "post", "put"])
def test_a_program_is_told_in_json_that_there_is_nothing(address: str, method: str) -> None:
    answer = getattr(client, method)(address)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer["Access-Control-Allow-Origin"] == "*"


def test_a_slash_too_many_is_pointed_at() -> None:
    # The test client would take the first part for a host.
    assert "two slashes" in client.post("/", PATH_INFO="//v1/track").json()["message"]


def test_a_person_gets_a_page() -> None:
    answer = client.get("/nothing", headers=PERSON)
    assert answer.status_code == 404
    assert answer["Content-Type"].startswith("text/html")


def test_a_host_that_is_not_ours_is_named() -> None:
    answer = client.post("/v1/track", headers={"Host": "evil.example"})
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown_host")
    assert "ALLOWED_HOSTS" in answer.json()["message"]
    assert client.get("/", headers={"Host": "evil.example", **PERSON})["Content-Type"].startswith("text/html")


def fail(request: HttpRequest) -> HttpResponse:
    raise {"database": OperationalError("gone"), "code": ValueError("a secret")}[request.GET["of"]]


urlpatterns = [path("fail", fail)]
handler500 = "config.errors.server_error"


@pytest.mark.urls(__name__)
@pytest.mark.parametrize(("of", "status", "code"), [("database", 503, "unavailable"), ("code", 500, "server_error")])
def test_an_error_that_no_view_knew_tells_no_secrets_and_asks_to_come_again_where_that_helps(
    of: str, status: int, code: str
) -> None:
    answer = client.post(f"/fail?of={of}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "secret" not in answer.json()["message"]
    page = client.get(f"/fail?of={of}", headers=PERSON)
    assert page.status_code == status and page["Content-Type"].startswith("text/html")
    for one in (answer, page):
        assert one.has_header("Retry-After") == (of == "database")
