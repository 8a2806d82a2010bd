"""The tracking plan by API: what is seen, what is wanted, what did not keep to it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events import catalog
from events.models import ApiToken, AuditEntry, Event, EventCount, EventDefinition, Violation, hash_key, new_key
from tests.factories import make_event, make_key, make_profile, make_source, planned
from tests.tracking import send

pytestmark = pytest.mark.django_db


def call(method: str, path: str, body: Any = None, scope: str = "catalogue:write") -> Any:
    text = new_key("token")
    ApiToken.objects.create(label="CI", key_hash=hash_key(text), scopes=[scope])
    headers = {"Authorization": f"Bearer {text}"}
    content = b"" if body is None else json.dumps(body).encode()
    return Client().generic(method, f"/api/v1/manage/{path}", content, content_type="application/json", headers=headers)


def test_a_name_is_shown_with_what_was_learned_of_it() -> None:
    for number, person in enumerate((make_profile(), make_profile())):
        make_event(person, "add/to cart", {"size": "Medium", **({"price": 5} if number else {})})
    catalog.learn()
    EventCount.objects.create(hour=timezone.now() - timedelta(days=1), name="add/to cart", count=7)
    Violation.objects.create(name="add/to cart", message="m")
    shown = call("GET", f"catalogue/{quote('add/to cart', safe='')}/", scope="catalogue:read").json()
    assert (shown["name"], shown["volume_7d"], shown["violations_24h"]) == ("add/to cart", 7, 1)
    assert [day["count"] for day in shown["volume"]][-2:] == [7, 0]
    assert shown["advice"]["suggestion"] == "Cart Added"
    size, price = shown["properties"]
    assert (size["path"], size["types"], size["fill_rate"], size["examples"]) == (
        "size",
        {"string": 2},
        1.0,
        ["Medium"],
    )
    assert (price["path"], price["fill_rate"]) == ("price", 0.5)
    assert shown["suggested_schema"]["required"] == ["size"]
    assert shown["last_seen_at"] and shown["expected"] is False
    assert call("GET", "catalogue/never/").status_code == call("GET", "catalogue/%00/").status_code == 404


def test_names_are_listed_page_by_page_by_the_same_statements_however_many() -> None:
    for number in range(5):
        planned(f"Thing {number} Viewed", expected=number == 0)

    def listed(query: str) -> tuple[list[str], str | None, int]:
        with CaptureQueriesContext(connection) as asked:
            answer = call("GET", f"catalogue/?{query}").json()
        return [row["name"] for row in answer["results"]], answer["next"], len(asked)

    first, following, few = listed("limit=2")
    assert first == ["Thing 4 Viewed", "Thing 3 Viewed"] and following
    assert listed(following.partition("?")[2])[0] == ["Thing 2 Viewed", "Thing 1 Viewed"]
    everything, end, many = listed("")
    assert (len(everything), end, many) == (5, None, few)
    assert listed("expected=true")[0] == ["Thing 0 Viewed"]
    assert listed("name=thing 3")[0] == ["Thing 3 Viewed"]
    assert call("GET", "catalogue/?expected=perhaps").json()["field"] == "expected"


def test_a_schema_set_by_api_refuses_events_and_its_violations_are_listed() -> None:
    source = make_source("Shop")
    key = make_key(source)
    wish = {"schema": {"required": ["price"]}, "schema_mode": "block", "description": "Paid"}
    answer = call("POST", "catalogue/", {"name": "Order Completed", **wish})
    assert answer.status_code == 201 and answer.json()["expected"] is True
    planned("Order Completed")  # so that the plan is read at once
    assert send("track", {"userId": "u", "event": "Order Completed"}, key).status_code == 400
    Violation.objects.create(name="Other", message="m")
    found = call("GET", "violations/?name=Order%20Completed", scope="catalogue:read").json()["results"]
    assert [(row["path"], row["blocked"], row["source"]) for row in found] == [("price", True, "Shop")]
    assert found[0]["sample"]["user_id"] == "u"
    call("PATCH", "catalogue/Order%20Completed/", {"schema_mode": "warn"})
    planned("Order Completed")
    assert send("track", {"userId": "u", "event": "Order Completed"}, key).status_code == 200
    assert Event.objects.count() == 1
    assert len(call("GET", "violations/?limit=1").json()["results"]) == 1
    assert [entry.details for entry in AuditEntry.objects.order_by("pk")] == [
        {"event": "Order Completed", "changed": ["name", "schema", "schema_mode", "description"]},
        {"event": "Order Completed", "changed": ["schema_mode"]},
    ]


def test_wishes_are_changed_one_by_one_and_taken_back() -> None:
    definition = planned("add_to_cart", observed=3)
    wish = {"rename_to": "Cart Added", "throttle_seconds": 5, "retention_days": 30, "expected": True}
    assert call("PATCH", "catalogue/add_to_cart/", wish).json() == {
        **call("GET", "catalogue/add_to_cart/").json(),
        **wish,
    }
    call("PATCH", "catalogue/add_to_cart/", {"throttle_seconds": None, "rename_to": ""})
    definition.refresh_from_db()
    assert (definition.throttle_seconds, definition.rename_to, definition.retention_days) == (None, "", 30)
    assert definition.observed == 3
    assert call("PATCH", "catalogue/add_to_cart/", {}).status_code == 200


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"schema": {"type": "nonsense"}}, "schema"),
        ({"schema": []}, "schema"),
        ({"schema_mode": "shout"}, "schema_mode"),
        ({"schema_mode": None}, "schema_mode"),
        ({"rename_to": "A"}, "rename_to"),
        ({"rename_to": "x" * 513}, "rename_to"),
        ({"throttle_seconds": 0}, "throttle_seconds"),
        ({"throttle_seconds": 2**31}, "throttle_seconds"),
        ({"retention_days": -1}, "retention_days"),
        ({"retention_days": True}, "retention_days"),
        ({"expected": "yes"}, "expected"),
        ({"name": "B"}, "name"),
        ({"description": "a\0b"}, "description"),
    ],
)
def test_what_cannot_be_wanted_names_the_field_and_changes_nothing(wish: Any, field: str) -> None:
    planned("A")
    before = EventDefinition.objects.values().get()
    answer = call("PATCH", "catalogue/A/", wish)
    assert (answer.status_code, answer.json()["field"]) == (400, field)
    assert EventDefinition.objects.values().get() == before and not AuditEntry.objects.exists()


def test_a_name_is_planned_once_and_only_by_who_may() -> None:
    assert call("POST", "catalogue/", {}).json()["field"] == "name"
    assert call("POST", "catalogue/", {"name": "x" * 513}).json()["field"] == "name"
    assert call("POST", "catalogue/", {"name": "A"}, "catalogue:read").status_code == 403
    assert call("POST", "catalogue/", {"name": "A"}).status_code == 201
    assert call("POST", "catalogue/", {"name": "A"}).status_code == 409
    assert call("PATCH", "catalogue/A/", {"expected": False}, "catalogue:read").status_code == 403
    assert call("GET", "violations/", scope="events:read").status_code == 403
    assert EventDefinition.objects.get().expected
