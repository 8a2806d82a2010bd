"""Lists of people, events and refused calls: filters, pages, scopes."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from events.api.manage import log
from events.api.scopes import SCOPES
from events.models import ApiToken, hash_key, new_key
from tests.factories import make_event, make_key, make_profile, make_source
from tests.tracking import manage, send

pytestmark = pytest.mark.django_db


def token(*scopes: str) -> str:
    text = new_key("token")
    ApiToken.objects.create(label="test", key_hash=hash_key(text), scopes=list(scopes))
    return text


def walk(path: str) -> list[dict[str, Any]]:
    """Follow ``next`` to the end."""
    client, headers = Client(), {"Authorization": f"Bearer {token('*')}"}
    results: list[dict[str, Any]] = []
    address: str | None = f"/api/v1/manage/{path}"
    while address:
        page = client.get(address, headers=headers).json()
        results += page["results"]
        address = page["next"]
    return results


def test_people_are_listed_the_last_made_first() -> None:
    for n in range(5):
        make_profile(f"user-{n}", traits={"n": n, "email": f"U{n}@example.com"})
    assert [row["user_id"] for row in walk("profiles/?limit=2")] == [f"user-{n}" for n in (4, 3, 2, 1, 0)]
    assert [row["traits"]["n"] for row in walk("profiles/?email=u3@example.com")] == [3]
    assert len(walk("profiles/?user_id=USER")) == 5
    assert walk("profiles/?user_id=nobody") == []


def test_events_are_listed_across_people() -> None:
    source = make_source("Shop")
    make_event(make_profile("ada"), "Ordered", {"total": 1.50}, source=source)
    make_event(make_profile("bob"), "Looked", type="page")
    found = walk("events/?limit=1")
    assert [(row["user_id"], row["name"], row["type"]) for row in found] == [
        ("bob", "Looked", "page"),
        ("ada", "Ordered", "track"),
    ]
    for query in ("name=Ordered", "type=track", "source=Shop"):
        assert [row["user_id"] for row in walk(f"events/?{query}")] == ["ada"], query
    assert walk("events/?since=2100-01-01T00:00:00%2B01:00") == []
    assert len(walk("events/?until=2100-01-01T00:00:00Z")) == 2
    assert manage(f"events/{found[0]['id']}/").json() == found[0]
    assert manage("events/999/").status_code == 404


def test_a_rare_name_is_found_below_what_one_page_looks_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "LOOKED_AT", 3)
    ada = make_profile("ada")
    make_event(ada, "Rare")
    for _ in range(10):
        make_event(ada, "Common")
    page = manage("events/?name=Rare").json()
    assert page["results"] == []
    while not page["results"]:
        page = manage(page["next"].partition("/manage/")[2]).json()
    assert [row["name"] for row in page["results"]] == ["Rare"]


def test_refused_calls_are_listed_with_what_was_sent() -> None:
    key = make_key()
    send("track", {"userId": "ada"}, key)
    send("track", {"userId": "ada", "event": "Fine"}, key)
    (row,) = walk("requests/")
    assert (row["status"], row["answer"]["field"], row["path"]) == (400, "event", "/v1/track")
    assert "ada" in row["body"]


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("events/?since=yesterday", "since"),
        ("events/?since=0001-01-01T00:00:00%2B14:00", "since"),
        ("events/?until=2026-01-01", "until"),
        ("events/?limit=0", "limit"),
        ("events/?cursor=x", "cursor"),
        ("events/?name=%00", "name"),
        ("profiles/?cursor=-1", "cursor"),
        ("profiles/?email=%00", "email"),
    ],
)
def test_a_mistake_is_named(path: str, field: str) -> None:
    answer = manage(path)
    assert (answer.status_code, answer.json()["field"]) == (400, field)


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("profiles/", "profiles:read"),
        ("profiles/ada/", "profiles:read"),
        ("profiles/ada/activity/", "profiles:read"),
        ("events/", "events:read"),
        ("requests/", "events:read"),
        ("sources/", "sources:read"),
        ("imports/", "imports:read"),
        ("exports/profiles.csv", "imports:read"),
    ],
)
def test_a_token_reads_only_what_its_scopes_name(path: str, scope: str) -> None:
    make_profile("ada")
    assert manage(path, token(scope)).status_code == 200
    others = [other for other in SCOPES if other.partition(":")[0] != scope.partition(":")[0]]
    refused = manage(path, token(*others))
    assert refused.status_code == 403
    assert scope in refused.json()["message"]
    write = scope.replace(":read", ":write")
    assert manage(path, token(write)).status_code == 200, "who may write may read"
