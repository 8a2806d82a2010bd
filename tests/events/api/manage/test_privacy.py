"""A person's rights by API: who may use them, what they answer, and that each is on record."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from events.models import ApiToken, AuditEntry, Device, Event, Group, Membership, Profile, hash_key, new_key
from messaging.models import MessageBody
from tests.campaigns import flow
from tests.factories import make_event, make_key, make_message, make_profile
from tests.tracking import send

pytestmark = pytest.mark.django_db


def call(method: str, path: str, *scopes: str) -> Any:
    text = new_key("token")
    ApiToken.objects.create(label="Support", key_hash=hash_key(text), scopes=list(scopes or ["privacy:write"]))
    headers = {"Authorization": f"Bearer {text}"}
    return Client().generic(method, f"/api/v1/manage/profiles/{path}/", headers=headers)


def acts() -> list[tuple[str, str]]:
    return list(AuditEntry.objects.order_by("pk").values_list("action", "actor"))


def test_an_export_holds_everything_to_the_last_digit() -> None:
    person = make_profile("a/b", anonymous_ids=("anon",), traits={"email": "ada@example.com"})
    Profile.objects.filter(pk=person.pk).update(traits={"email": "ada@example.com", "n": 1})
    Device.objects.create(profile=person, device_id="d1", platform="ios")
    Membership.objects.create(profile=person, group=Group.objects.create(key="acme"), traits={"role": "boss"})
    send("track", b'{"userId": "a/b", "event": "Paid", "properties": {"total": 12.340000000000000001}}', make_key())
    flow.make_campaign()
    flow.happens(person)
    flow.settle()
    make_message(person, html="<p>Hi Ada</p>")
    make_event(make_profile("bob"), "Other")
    answer = call("GET", "a%2Fb/export")
    assert answer.status_code == 200
    text = b"".join(answer.streaming_content).decode()
    found = json.loads(text)
    assert found["user_id"] == "a/b" and found["traits"]["n"] == 1
    assert {row["value"] for row in found["ids"]} == {"a/b", "anon"}
    assert found["devices"][0]["device_id"] == "d1"
    assert (found["groups"][0]["group_key"], found["groups"][0]["traits"]) == ("acme", {"role": "boss"})
    assert [row["name"] for row in found["events"]] == ["Paid", "Signed Up", "Journey Started", "Journey Ended"]
    assert "12.340000000000000001" in text
    assert {row["html"] for row in found["messages"]} == {None, "<p>Hi Ada</p>"}
    assert found["journeys"][0]["in_campaign"] == found["decisions"][0]["in_campaign"] == "Campaign 1"
    assert found["visits"][0]["step_id"] == "mail"
    assert found["deliveries"] == found["unsubscriptions"] == []
    assert acts() == [("export", "token Support")]


def test_an_export_of_nobody_in_particular_is_good_json_too() -> None:
    make_profile("ada")
    found = json.loads(b"".join(call("GET", "ada/export").streaming_content))
    assert found["events"] == found["messages"] == found["journeys"] == []


def test_erasing_deletes_and_says_how_much() -> None:
    person = make_profile("ada")
    make_event(person)
    make_message(person, html="<p>Hi</p>")
    assert call("POST", "ada/erase").json() == {"people": 1, "events": 1}
    for model in (Profile, Event, MessageBody):
        assert not model.objects.exists()
    assert call("POST", "ada/erase").status_code == 404
    assert acts() == [("erase", "token Support")]


@pytest.mark.parametrize("named", ["ada", "Ada@example.com"])
def test_a_suppressed_person_is_heard_again_once_unsuppressed(named: str) -> None:
    make_profile("ada", traits={"email": "ada@example.com"})
    key = make_key()
    assert call("POST", f"{named}/suppress").json()["people"] == 1
    send("track", {"userId": "ada", "event": "Hi"}, key)
    assert not Profile.objects.exists()
    assert call("POST", f"{named}/suppress").json() == {"people": 0, "events": 0}
    assert call("POST", f"{named}/unsuppress").json()["ids"] >= 2
    send("track", {"userId": "ada", "event": "Hi"}, key)
    assert Profile.objects.get().user_id == "ada"
    assert [action for action, _ in acts()] == ["suppress", "suppress", "unsuppress"]


@pytest.mark.parametrize(
    ("method", "act"), [("GET", "export"), ("POST", "erase"), ("POST", "suppress"), ("POST", "unsuppress")]
)
def test_only_a_token_for_privacy_may(method: str, act: str) -> None:
    make_profile("ada")
    answer = call(method, f"ada/{act}", "profiles:write", "events:read")
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")
    assert Profile.objects.exists() and not acts()


def test_a_sandbox_person_who_is_suppressed_takes_no_real_address_along() -> None:
    real = make_profile("real", traits={"email": "ada@example.com"})
    make_profile("sandbox:42", traits={"email": "ada@example.com"}, is_sandbox=True, is_test=True)
    call("POST", "sandbox:42/suppress")
    assert Profile.objects.get() == real
    send("identify", {"userId": "ada@example.com"}, make_key())
    assert Profile.objects.filter(user_id="ada@example.com").exists()
