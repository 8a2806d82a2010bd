"""Computed traits by API."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from events.computed import building
from events.models import AuditEntry, ComputedTrait, Segment
from tests.events.api.manage.test_lists import token
from tests.factories import make_event, make_profile
from tests.tracking import manage

pytestmark = pytest.mark.django_db
VIEWS = {"name": "recent_views", "function": "last_values", "event": "Product Viewed", "properties": ["sku"]}


def call(method: str, path: str, body: Any = None, scope: str = "computed:write") -> Any:
    send = getattr(Client(), method)
    bearer = {"Authorization": f"Bearer {token(scope)}"}
    return send(f"/api/v1/manage/{path}", json.dumps(body), content_type="application/json", headers=bearer)


def test_one_is_made_changed_and_removed() -> None:
    ada = make_profile("ada")
    make_event(ada, "Product Viewed", {"sku": "a"})
    made = call("post", "computed-traits/", VIEWS)
    assert made.status_code == 201
    shown = made.json()
    assert (shown["state"], shown["progress"], shown["used_by"]) == ("building", 0, [])
    assert shown["sentence"] == ("the last 5 different values of sku of events “Product Viewed”, the newest first")
    while building.build_slice():
        pass
    ada.refresh_from_db()
    assert ada.traits == {"recent_views": ["a"]}
    assert manage("computed-traits/recent_views/").json()["state"] == "live"
    assert call("patch", "computed-traits/recent_views/", {"description": "For mails"}).json()["state"] == "live"
    changed = call("patch", "computed-traits/recent_views/", {"where": {"property": "sku", "is": "b"}}).json()
    assert changed["state"] == "building"
    assert changed["sentence"].endswith(", where the event’s sku is “b”")
    while building.build_slice():
        pass
    ada.refresh_from_db()
    assert ada.traits == {}
    assert call("delete", "computed-traits/recent_views/").status_code == 202
    assert call("patch", "computed-traits/recent_views/", {"description": ""}).json()["field"] == "name"
    while building.build_slice():
        pass
    assert manage("computed-traits/").json()["results"] == []
    assert AuditEntry.objects.filter(action="computed").count() == 4


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "Recent"}, "name"),
        ({"name": "email"}, "name"),
        ({"function": "guess"}, "function"),
        ({"event": ""}, "event"),
        ({"properties": []}, "properties"),
        ({"properties": [3]}, "properties"),
        ({"within": "a while"}, "within"),
        ({"number": 0}, "number"),
        ({"where": {"trait": "plan", "is": "pro"}}, "where"),
        ({"event_type": "identify"}, "event_type"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_mistakes_name_their_field(changes: dict[str, Any], field: str) -> None:
    answer = call("post", "computed-traits/", VIEWS | changes)
    assert (answer.status_code, answer.json()["field"]) == (400, field)
    assert not ComputedTrait.objects.exists()


def test_what_is_used_is_not_removed() -> None:
    call("post", "computed-traits/", VIEWS)
    Segment.objects.create(slug="s", name="Lookers", condition={"all": [{"trait": "recent_views", "contains": "a"}]})
    answer = call("delete", "computed-traits/recent_views/")
    assert (answer.status_code, answer.json()["message"]) == (409, "It is used: Segment Lookers.")
    assert manage("computed-traits/recent_views/").json()["used_by"] == [
        {"kind": "Segment", "name": "Lookers", "places": []}
    ]


def test_reading_and_writing_are_scopes_of_their_own() -> None:
    assert call("post", "computed-traits/", VIEWS, "computed:read").status_code == 403
    assert call("post", "computed-traits/", VIEWS).status_code == 201
    assert call("post", "computed-traits/", VIEWS).json()["field"] == "name", "there is one already"
    assert manage("computed-traits/none/").status_code == 404
