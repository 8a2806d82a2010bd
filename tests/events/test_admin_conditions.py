"""What the builder of conditions asks of the server, over HTTP."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from events import catalog
from events.models import Event
from tests.factories import make_event, make_profile

pytestmark = pytest.mark.django_db
PRO = {"trait": "plan", "is": "pro"}


def url(name: str) -> str:
    return reverse(f"admin:events_conditions_{name}")


def look(client: Client, condition: Any, **more: Any) -> Any:
    body = json.dumps({"condition": condition, **more})
    return client.post(url("look"), body, content_type="application/json").json()


def get(client: Client, name: str, **asked: Any) -> Any:
    return client.get(url(name), asked).json()


def test_a_mistake_is_named_with_its_place_and_a_condition_is_said(admin_client: Client) -> None:
    wrong = {"all": [PRO, {"trait": "age", "gt": "old"}]}
    assert look(admin_client, wrong) == {"errors": [{"path": "all[1].gt", "message": "must be a number"}]}
    found = look(admin_client, PRO)
    assert found["errors"] == [] and found["sentence"] == "plan is “pro”" and found["count"] is None


def test_people_are_counted_when_that_is_asked_for(admin_client: Client) -> None:
    for number in range(3):
        make_profile(f"u{number}", traits={"plan": "pro" if number else "free"})
    make_profile("test", traits={"plan": "pro"}, is_test=True)
    count = look(admin_client, PRO, count=True)["count"]
    assert (count["people"], count["of"], count["exact"]) == (2, 3, True)


def test_words_come_from_what_was_seen(admin_client: Client) -> None:
    for number in range(3):
        profile = make_profile(f"u{number}")
        make_event(profile, "Order Completed", {"total": 30, "currency": "EUR"})
        make_event(profile, properties={"plan": "pro", "email": "a@example.com"}, type=Event.Type.IDENTIFY)
    catalog.learn()
    assert [word["value"] for word in get(admin_client, "words", kind="event", q="ord")["words"]] == ["Order Completed"]
    found = get(admin_client, "words", kind="property", event="Order Completed")["words"]
    assert {word["value"]: (word["type"], word["seen"]) for word in found} == {
        "currency": ("string", "in 100 %"),
        "total": ("number", "in 100 %"),
    }
    traits = {word["value"]: word["examples"] for word in get(admin_client, "words", kind="trait")["words"]}
    assert traits == {"plan": ["pro"], "email": []}


def test_the_grammar_describes_every_operator_and_kind(admin_client: Client) -> None:
    found = get(admin_client, "grammar")
    assert {"key": "is", "label": "is", "value": "scalar"} in found["operators"]
    segment = next(kind for kind in found["kinds"] if kind["key"] == "segment")
    assert segment["label"] == "Segment" and segment["fields"][0]["words"] == "segment"


def test_people_are_found_by_the_beginning_of_what_they_are_called(admin_client: Client) -> None:
    ada = make_profile("ada", email="ada@example.com", traits={"name": "Ada <b>"})
    make_profile("ben")
    assert [each["id"] for each in get(admin_client, "people", q="AD")["people"]] == [ada.pk]
    assert get(admin_client, "people", q="ad")["people"][0]["name"] == "Ada <b>"
    assert len(get(admin_client, "people")["people"]) == 2


def test_one_persons_verdicts_are_shown_with_what_was_seen(admin_client: Client) -> None:
    ada = make_profile("ada", traits={"plan": "free"})
    found = look(admin_client, {"all": [PRO, {"event": "X"}]}, profile=ada.pk)["person"]
    assert (found["id"], found["matches"]) == (ada.pk, False)
    assert found["parts"][1] == {
        "path": "all[0]",
        "sentence": "plan is “pro”",
        "matches": False,
        "seen": "“free”",
        "decides": True,
    }
    assert look(admin_client, PRO, profile=0)["person"] is None


def test_about_an_event_the_persons_last_one_is_asked(admin_client: Client) -> None:
    ada = make_profile("ada")
    asked = {"about": "event", "event": "Order Completed", "profile": ada.pk}
    tree = {"property": "total", "gt": 50}
    none = look(admin_client, tree, **asked)["person"]
    assert none["matches"] is None and none["note"] == "This person has no “Order Completed” yet."
    make_event(ada, "Order Completed", {"total": 90}, timestamp=timezone.now() - timedelta(hours=2))
    make_event(ada, "Order Completed", {"total": 30}, timestamp=timezone.now() - timedelta(hours=1))
    found = look(admin_client, tree, **asked)["person"]
    assert (found["matches"], found["parts"][0]["seen"]) == (False, "30")
    assert found["note"] == "Asked about this person’s last “Order Completed”, 1 hour ago."
    assert look(admin_client, tree, **asked | {"about": "where"})["person"]["matches"] is False
