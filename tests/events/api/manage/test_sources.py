"""Sources, keys, imports and exports by API."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from django.test import Client

from events.models import ApiToken, AuditEntry, Profile, Source, hash_key, new_key
from events.transfers import imports
from tests.factories import make_profile, make_source
from tests.tracking import send

pytestmark = pytest.mark.django_db


def call(method: str, path: str, body: Any = None, *scopes: str) -> Any:
    token = new_key("token")
    ApiToken.objects.create(label="test", key_hash=hash_key(token), scopes=list(scopes) or ["*"])
    content = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
    headers = {"Authorization": f"Bearer {token}"}
    return Client().generic(method, f"/api/v1/manage/{path}", content, "application/json", headers=headers)


def test_a_source_is_made_with_a_key_that_works() -> None:
    answer = call("POST", "sources/", {"name": "Shop", "store_ip": False})
    assert answer.status_code == 201
    made = answer.json()
    assert (made["name"], made["kind"], made["store_ip"]) == ("Shop", "tracking", False)
    assert send("track", {"userId": "ada", "event": "Hi"}, made["write_key"]).status_code == 200
    assert "write_key" not in call("GET", f"sources/{made['id']}/").json()


def test_a_webhook_has_an_address() -> None:
    made = call("POST", "sources/", {"name": "Hook", "kind": "webhook"}).json()
    assert made["webhook_path"].startswith("/hooks/")


def test_a_source_is_changed_but_not_what_it_is() -> None:
    source = make_source("Shop")
    assert call("PATCH", f"sources/{source.pk}/", {"enabled": False}).json()["enabled"] is False
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.details) == ("token test", {"source": "Shop", "changed": ["enabled"]})
    refused = call("PATCH", f"sources/{source.pk}/", {"is_sandbox": True})
    assert (refused.status_code, refused.json()["field"]) == (400, "is_sandbox")


def test_a_key_is_made_for_some_pages_and_a_rate() -> None:
    path = f"sources/{make_source().pk}/keys/"
    made = call("POST", path, {"kind": "public", "allowed_origins": ["https://Shop.example/"], "rate_limit": 50}).json()
    assert (made["allowed_origins"], made["rate_limit"]) == (["https://shop.example"], 50)
    assert made["key"].startswith(made["beginning"])


@pytest.mark.parametrize(
    ("field", "value"),
    [("rate_limit", 0), ("rate_limit", "5"), ("allowed_origins", ["shop.example"]), ("allowed_origins", [5])],
)
def test_a_key_with_wrong_bounds_is_not_made(field: str, value: Any) -> None:
    source = make_source()
    answer = call("POST", f"sources/{source.pk}/keys/", {field: value})
    assert (answer.status_code, answer.json()["field"]) == (400, field)
    assert not source.keys.exists()


def test_a_secret_key_is_told_once_and_a_revoked_one_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("events.api.authentication.REMEMBER_SECONDS", 0)
    source = make_source()
    made = call("POST", f"sources/{source.pk}/keys/", {"kind": "secret", "label": "Server"}).json()
    (listed,) = call("GET", f"sources/{source.pk}/keys/").json()["results"]
    assert made["key"].startswith("sk_")
    assert (listed["label"], listed["public_value"], "key" in listed) == ("Server", None, False)
    event = {"userId": "ada", "event": "Hi"}
    assert send("track", event, made["key"]).status_code == 200
    assert call("DELETE", f"sources/{source.pk}/keys/{made['id']}/").json()["revoked_at"]
    assert send("track", event, made["key"]).status_code == 401


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "Taken"}, "name"),
        ({"name": None}, "name"),
        ({"name": 5}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"name": "x", "kind": "pigeon"}, "kind"),
        ({"name": "x", "enabled": "yes"}, "enabled"),
        ({"name": "x", "nmae": "x"}, "nmae"),
        ([1], "body"),
        (b"{", "body"),
        (b'"' + b"x" * 40_000 + b'"', "body"),
    ],
)
def test_what_cannot_be_taken_is_named(body: Any, field: str) -> None:
    make_source("Taken")
    answer = call("POST", "sources/", body)
    assert (answer.status_code, answer.json()["field"]) == (400, field)
    assert Source.objects.count() == 1


def test_who_may_read_sources_may_not_make_keys() -> None:
    source = make_source()
    assert call("POST", f"sources/{source.pk}/keys/", {}, "sources:read").status_code == 403
    assert not source.keys.exists()


def test_a_file_is_imported_by_api() -> None:
    source = make_source()
    query = f"imports/?source={source.pk}&kind=profiles&format=csv&encoding=cp1252"
    made = call("POST", query, "id,plan\nada,prö\n,free\n".encode("cp1252")).json()
    assert not imports.work(time.monotonic() + 30)
    checked = call("GET", f"imports/{made['id']}/").json()
    assert (checked["state"], checked["rows_done"], checked["rows_failed"]) == ("checked", 2, 1)
    assert checked["failures"][0]["row"] == 2
    assert call("POST", f"imports/{made['id']}/start/").json()["state"] == "running"
    assert not imports.work(time.monotonic() + 30)
    assert Profile.objects.get().traits == {"plan": "prö"}
    assert call("POST", f"imports/{made['id']}/cancel/").status_code == 409


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("kind=profiles&format=csv", "source"),
        ("source={}&kind=pigeons&format=csv", "kind"),
        ("source={}&kind=profiles&format=xls", "format"),
        ("source={}&kind=profiles&format=csv", "body"),
        ("source={}&kind=profiles&format=csv&encoding=morse", "encoding"),
    ],
)
def test_an_upload_that_cannot_be_taken_is_named(query: str, field: str) -> None:
    answer = call("POST", f"imports/?{query.format(make_source().pk)}", b"")
    assert (answer.status_code, answer.json()["field"]) == (400, field)


def test_people_are_exported_by_api() -> None:
    make_profile("ada", traits={"plan": "pro"})
    answer = call("GET", "exports/profiles.ndjson")
    (line,) = b"".join(answer.streaming_content).splitlines()
    assert json.loads(line)["traits"] == {"plan": "pro"}
