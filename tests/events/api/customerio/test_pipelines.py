"""Customer.io's pipelines below ``/cdp``: permissive and strict answers, and the names that are more than events."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from events import groups
from events.admin import again, reading
from events.models import AuditEntry, Device, Event, Group, InboundRequest, Membership, Profile, Source, SourceKey
from messaging.models import DeliveryEvent
from messaging.states import Status
from tests.factories import make_key, make_message, make_profile, make_source, planned
from tests.tracking import basic, send

pytestmark = pytest.mark.django_db
AT = "2026-01-02T03:04:05Z"
STRICT = {"X-Strict-Mode": "1"}


@pytest.fixture
def source() -> Source:
    return make_source()


@pytest.fixture
def key(source: Source) -> str:
    return make_key(source)


def post(path: str, body: Any, key: str, **headers: str) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Authorization": basic(key), **headers}
    return Client().generic("POST", f"/cdp/v1/{path}", content, content_type="application/json", headers=sent)


def track(name: str, user: str = "ada", /, **fields: Any) -> dict[str, Any]:
    return {"type": "track", "userId": user, "event": name, "timestamp": AT, **fields}


def taken(answer: Any) -> bool:
    return (answer.status_code, answer.json()) == (200, {"success": True})


# --- Answers ---------------------------------------------------------------------------------------------------------

BAD = [
    ("track", {"userId": "ada"}, "event"),
    ("track", {"event": "Hi"}, "userId"),
    ("identify", {"userId": "ada", "traits": []}, "traits"),
    ("track", {"userId": "ada", "event": "Hi", "properties": {"x": "x" * 33_000}}, "body"),
    ("track", b"{", "body"),
    ("batch", {"batch": 7}, "batch"),
    ("batch", b"x" * 600_000, "body"),
]


@pytest.mark.parametrize(("path", "body", "field"), BAD)
def test_what_cannot_be_taken_is_answered_200_and_shown(path: str, body: Any, field: str, key: str) -> None:
    answer = post(path, body, key)
    assert answer.status_code == 200
    said = answer.json()
    assert said["success"] is True and said["rejected_count"] == 1
    assert said["rejected"][0]["field"] == field and said["rejected"][0]["message"]
    kept = InboundRequest.objects.get()
    assert (kept.status, kept.accepted, kept.rejected, kept.answer) == (200, 0, 1, said)
    assert not Profile.objects.exists()


@pytest.mark.parametrize(("path", "body", "field"), BAD)
def test_in_strict_mode_it_is_400(path: str, body: Any, field: str, key: str) -> None:
    answer = post(path, body, key, **STRICT)
    assert answer.status_code == 400
    assert answer.json()["field"] == field and answer.json()["code"] and answer.json()["message"]
    assert InboundRequest.objects.get().status == 400


def test_a_source_can_want_strict_answers(source: Source, key: str) -> None:
    Source.objects.filter(pk=source.pk).update(strict=True)
    assert post("track", {"userId": "ada"}, key).status_code == 400


@pytest.mark.parametrize("value", ["0", "", "true"])
def test_only_a_one_asks_for_strictness(value: str, key: str) -> None:
    assert post("track", {"userId": "ada"}, key, **{"X-Strict-Mode": value}).status_code == 200


def test_a_wrong_key_is_always_told(key: str) -> None:
    for headers in ({}, STRICT):
        assert post("track", track("Hi"), "wrong", **headers).status_code == 401
    assert set(InboundRequest.objects.values_list("status", flat=True)) == {401}


def test_below_v1_errors_stay_errors(key: str) -> None:
    assert send("track", {"userId": "ada"}, key).status_code == 400


@pytest.mark.parametrize("headers", [{}, STRICT], ids=["permissive", "strict"])
def test_in_a_batch_bad_items_are_named_and_the_rest_is_stored(headers: dict[str, str], key: str) -> None:
    planned("Planned", schema={"required": ["n"]}, schema_mode="block")
    items = [track("Hi"), {"type": "robot"}, track("Planned"), track("User Deleted", "nobody"), track("Ho")]
    answer = post("batch", {"batch": items}, key, **headers)
    assert answer.status_code == 200
    assert [one["index"] for one in answer.json()["rejected"]] == [1, 2]
    assert list(Event.objects.order_by("id").values_list("name", flat=True)) == ["Hi", "Ho"]
    kept = InboundRequest.objects.get()
    assert (kept.accepted, kept.rejected, kept.answer) == (3, 2, answer.json())


def test_a_planned_refusal_of_a_single_call_is_told_by_the_same_rules(key: str) -> None:
    planned("Planned", schema={"required": ["n"]}, schema_mode="block")
    assert post("track", track("Planned"), key).json()["rejected"][0]["field"] == "properties.n"
    assert post("track", track("Planned"), key, **STRICT).json()["field"] == "properties.n"
    assert not Event.objects.exists()


def test_what_was_dropped_can_be_taken_in_once_it_is_mended(key: str) -> None:
    plan = planned("Planned", schema={"required": ["n"]}, schema_mode="block")
    post("track", track("Planned"), key)
    dropped = InboundRequest.objects.get()
    assert again.can_be(dropped) and again.send(dropped).reasons
    plan.schema_mode = "off"
    plan.save()
    planned("Planned", schema=None)
    assert again.send(dropped).accepted == 1
    assert Event.objects.get().name == "Planned"


def test_the_debugger_reads_names_that_are_more_than_events(key: str) -> None:
    items = [track("Hi"), track("Device Deleted"), track("User Deleted")]
    post("batch", {"batch": [*items, {"type": "identify", "userId": "ada", "traits": {"unsubscribed": True}}]}, key)
    lines = reading.lines(InboundRequest.objects.get())
    assert [(line.number, line.kind, bool(line.problem)) for line in lines] == [
        (1, "track", False),
        (2, "", True),
        (3, "delete the person", False),
        (4, "identify", False),
        (4, "say whether they want marketing", False),
    ]


# --- Names that are more than events ---------------------------------------------------------------------------------


def test_a_user_is_deleted(key: str) -> None:
    post("identify", {"userId": "ada", "traits": {"plan": "pro"}}, key)
    assert taken(post("track", track("User Deleted"), key))
    assert not Profile.objects.exists() and not Event.objects.exists()
    assert AuditEntry.objects.get().action == "erase"


def test_a_user_is_suppressed_and_let_in_again(key: str) -> None:
    post("track", track("Hi"), key)
    for item in (track("User Suppressed"), track("Hi")):
        assert taken(post("track", item, key))
    assert not Profile.objects.exists()
    assert taken(post("batch", {"batch": [track("User Unsuppressed"), track("Back")]}, key))
    assert Event.objects.get().name == "Back"


@pytest.mark.parametrize("name", ["User Deleted", "User Suppressed", "User Unsuppressed", "Object Deleted"])
def test_a_public_key_may_do_none_of_these(name: str, source: Source) -> None:
    public = make_key(source, SourceKey.Kind.PUBLIC)
    make_profile("ada")
    groups.save_object("company", "acme", {})
    item = track(name, properties={"objectId": "acme"})
    answer = post("track", item, public)
    assert answer.status_code == 403 and "secret key" in answer.json()["message"]
    answer = post("batch", {"batch": [item, track("Hi")]}, public)
    assert [one["code"] for one in answer.json()["rejected"]] == ["secret_key_needed"]
    assert Profile.objects.get().events.get().name == "Hi" and Group.objects.exists()


@pytest.mark.parametrize(
    ("fields", "platform", "attributes"),
    [
        ({"properties": {"device": {"token": "t", "type": "ios", "model": "x"}}}, "ios", {"model": "x"}),
        ({"context": {"device": {"token": "t", "type": "android"}}, "properties": {"v": 2}}, "android", {"v": 2}),
        ({"properties": {"token": "t", "platform": "ios", "app_version": "1"}}, "ios", {"app_version": "1"}),
        ({"context": {"device": {"token": "t"}}}, "", {}),
    ],
)
def test_a_device_is_named_in_the_ways_of_its_libraries(
    fields: dict[str, Any], platform: str, attributes: dict[str, Any], key: str
) -> None:
    assert taken(post("track", track("Device Created or Updated", **fields), key))
    device = Device.objects.get()
    assert (device.profile.user_id, device.device_id, device.platform) == ("ada", "t", platform)
    assert device.attributes == attributes
    assert device.last_used_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert taken(post("track", track("Device Deleted", **fields), key))
    assert not Device.objects.exists()
    assert not Event.objects.exclude(type="identify").exists()


@pytest.mark.parametrize(
    "named",
    [
        {"properties": {"objectId": "acme", "objectTypeId": "1"}},
        {"properties": {"object_id": "acme"}},
        {"context": {"groupId": "acme"}, "properties": {"object_type_id": 1}},
    ],
)
def test_a_relationship_and_an_object_are_deleted(named: dict[str, Any], key: str) -> None:
    for user in ("ada", "ben"):
        post("group", {"userId": user, "groupId": "acme", "traits": {"plan": "pro"}}, key)
    assert taken(post("track", track("Relationship Deleted", **named), key))
    assert Membership.objects.get().profile.user_id == "ben"
    assert taken(post("track", track("Object Deleted", **named), key))
    assert not Group.objects.exists()


def test_what_became_of_a_message_is_reported(key: str) -> None:
    message = make_message(status=Status.SENT)
    said = {"deliveryId": str(message.public_id), "metric": "opened", "recipient": "ada@example.com"}
    report = {"anonymousId": str(message.public_id), "event": "Report Delivery Event", "properties": said}
    for _ in range(2):
        assert taken(post("track", {**report, "timestamp": AT}, key))
    message.refresh_from_db()
    assert message.status == Status.OPENED and DeliveryEvent.objects.count() == 1


@pytest.mark.parametrize(
    ("item", "field"),
    [
        (track("Device Created or Updated"), "token"),
        (track("Device Deleted", context={"device": 7}), "token"),
        (track("Device Created or Updated", properties={"device": 7}), "device"),
        (track("Relationship Deleted"), "object_id"),
        (track("Report Delivery Event", properties={"deliveryId": "x"}), "metric"),
        (track("Report Delivery Event", properties={"deliveryId": "x", "metric": "opened"}), "delivery_id"),
    ],
)
def test_what_they_lack_is_named(item: dict[str, Any], field: str, key: str) -> None:
    assert post("track", item, key).json()["rejected"][0]["field"] == field
    assert post("track", item, key, **STRICT).status_code == 400
    assert post("batch", {"batch": [track("Hi"), item]}, key).json()["rejected"][0]["index"] == 1
    assert Event.objects.get().name == "Hi"
    assert InboundRequest.objects.count() == 3


@pytest.mark.parametrize("path", ["group", "batch"])
@pytest.mark.parametrize("type_id", ["2", 2])
def test_a_group_call_names_the_type_and_the_persons_place(path: str, type_id: Any, key: str) -> None:
    traits = {"name": "Blue", "objectTypeId": type_id, "relationshipAttributes": {"role": "lead"}}
    item = {"type": "group", "userId": "ada", "groupId": "blue", "traits": traits}
    assert taken(post(path, {"batch": [item]} if path == "batch" else item, key))
    group = Group.objects.get()
    assert (group.type, group.key, group.traits) == ("2", "blue", {"name": "Blue"})
    assert Membership.objects.get().traits == {"role": "lead"}
    # The log keeps what was said.
    assert Event.objects.get().properties == {**traits}


def test_without_a_type_a_group_is_a_company(key: str) -> None:
    for traits in ({}, {"object_type_id": "1"}, {"relationshipAttributes": {"role": "lead"}}):
        assert taken(post("group", {"userId": "ada", "groupId": "acme", "traits": traits}, key))
    assert (Group.objects.get().type, Group.objects.get().traits) == ("company", {})
    send("group", {"userId": "ada", "groupId": "acme", "traits": {"objectTypeId": "2"}}, key)
    assert (Group.objects.get().type, Group.objects.get().traits) == ("company", {"objectTypeId": "2"})


def test_a_group_that_cannot_be_read_is_refused_alone(key: str) -> None:
    bad = {"type": "group", "userId": "ada", "groupId": "x", "traits": {"objectTypeId": []}}
    assert post("batch", {"batch": [bad, track("Hi")]}, key).json()["rejected"][0]["field"] == "object_type_id"
    assert post("group", bad, key).json()["rejected_count"] == 1
    assert post("group", bad, key, **STRICT).status_code == 400
    assert not Group.objects.exists() and Event.objects.get().name == "Hi"


def test_the_names_are_reserved_nowhere_else(key: str) -> None:
    make_profile("ada")
    send("track", track("User Deleted"), key)
    post("page", {"userId": "ada", "name": "User Deleted"}, key)
    post("track", track("User Deleted", integrations={"All": False}), key)
    assert Profile.objects.get().events.filter(name="User Deleted").count() == 3
