"""Refused calls, taken in after what was wrong has been mended."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from events.admin import again
from events.models import Device, Event, InboundRequest, Profile, Source
from tests.events.api.customerio.account import Account
from tests.factories import make_key, make_source, planned
from tests.tracking import basic, send

pytestmark = pytest.mark.django_db
ORDER = {"buyer": "ada", "topic": "Order Paid"}
MENDED = {"calls": [{"type": "track", "user_id": "$.buyer", "event": "$.topic"}]}


@pytest.fixture
def refused() -> InboundRequest:
    """A payload that its hook's mapping did not fit, and now does."""
    source = make_source()
    Source.objects.filter(pk=source.pk).update(kind="webhook", slug="a-long-and-secret-slug")
    Client().post("/hooks/a-long-and-secret-slug/", ORDER, content_type="application/json")
    Source.objects.filter(pk=source.pk).update(mapping=MENDED)
    return InboundRequest.objects.select_related("source").get()


def address(call: InboundRequest) -> str:
    return f"/admin/events/event/request/{call.pk}/again/"


def test_a_refused_payload_is_taken_in_once_the_mapping_fits(admin_client: Client, refused: InboundRequest) -> None:
    assert "Take it in after all" in admin_client.get(f"/admin/events/event/request/{refused.pk}/").content.decode()
    assert "1 event stored" in admin_client.post(address(refused)).content.decode()
    event = Event.objects.get()
    assert (event.name, event.profile.user_id) == ("Order Paid", "ada")
    assert event.timestamp == refused.received_at
    assert Source.objects.get().last_event_at is not None


def test_a_second_click_stores_nothing_twice(admin_client: Client, refused: InboundRequest) -> None:
    admin_client.post(address(refused))
    assert "nothing was stored twice" in admin_client.post(address(refused)).content.decode()
    assert Event.objects.count() == 1


def test_what_is_still_wrong_says_why(admin_client: Client, refused: InboundRequest) -> None:
    Source.objects.update(mapping={})
    assert "Point user_id at" in admin_client.post(address(refused)).content.decode()
    assert not Event.objects.exists()


def make_call(**columns: Any) -> InboundRequest:
    usual = {"source": make_source(), "method": "POST", "path": "/v1/track", "status": 400, "body": "{}"}
    return InboundRequest.objects.create(**{**usual, **columns})


@pytest.mark.parametrize(
    ("path", "body", "names"),
    [
        ("/v1/track", '{"userId": "u", "event": "Paid"}', ["Paid"]),
        ("/v1/t/", '{"userId": "u", "event": "Paid"}', ["Paid"]),
        ("/v1/batch", '{"batch": [{"type": "track", "userId": "u", "event": "A"}, 5]}', ["A"]),
    ],
)
def test_calls_of_the_tracking_api_are_read_as_their_address_says(path: str, body: str, names: list[str]) -> None:
    call = make_call(path=path, body=body)
    assert again.can_be(call)
    assert again.send(call).accepted == len(names)
    assert list(Event.objects.values_list("name", flat=True)) == names


@pytest.mark.parametrize(
    "columns",
    [
        {"source": None},
        {"status": 401},
        {"status": 200},
        {"accepted": 1},
        {"body": ""},
        {"body": "x" * 32 * 1024},
        {"path": "/api/v1/metrics"},
        {"path": "/api/v1/segments/7/add_customers"},
        {"path": "/hooks/a/b"},
        {"path": "/v1/nothing"},
    ],
)
def test_what_was_not_let_in_or_is_not_whole_stays_outside(admin_client: Client, columns: dict[str, Any]) -> None:
    call = make_call(**columns)
    assert admin_client.post(address(call)).status_code == 404
    assert "Take it in after all" not in admin_client.get(f"/admin/events/event/request/{call.pk}/").content.decode()


def test_a_disabled_source_takes_nothing(admin_client: Client, refused: InboundRequest) -> None:
    Source.objects.update(enabled=False)
    assert admin_client.post(address(refused)).status_code == 404


def test_it_takes_a_post_and_the_right_to_change_sources(
    admin_client: Client, client: Client, django_user_model: Any, refused: InboundRequest
) -> None:
    assert admin_client.get(address(refused)).status_code == 405
    client.force_login(django_user_model.objects.create_user("viewer", is_staff=True))
    assert client.post(address(refused)).status_code == 403


def test_a_key_of_the_source_is_not_needed_again() -> None:
    send("track", {"userId": "u"}, make_key())
    call = InboundRequest.objects.select_related("source").get()
    assert again.send(call).reasons == ("The track call needs its event.",)


# --- Batches of which a part was refused, and Customer.io's calls -----------------------------------------------------

NEEDS_SUM = {"type": "object", "required": ["sum"]}


def only_call() -> InboundRequest:
    return InboundRequest.objects.select_related("source").get()


def names() -> list[str]:
    return sorted(Event.objects.values_list("name", flat=True))


def test_of_a_batch_only_what_was_refused_is_taken_in(admin_client: Client) -> None:
    planned("Paid", schema=NEEDS_SUM, schema_mode="block")
    bad = {"type": "track", "userId": "ada", "event": "Paid"}
    worse = {"type": "track", "event": "Nobody's"}
    assert send("batch", {"batch": [{**bad, "event": "Good"}, bad, worse]}, make_key()).status_code == 200
    call = only_call()
    page = f"/admin/events/event/request/{call.pk}/"
    assert "Take in what was refused" in admin_client.get(page).content.decode()
    planned("Paid", schema_mode="off")
    text = admin_client.post(address(call)).content.decode()
    assert "1 event stored" in text and "userId" in text
    assert names() == ["Good", "Paid"]
    assert "nothing was stored twice" in admin_client.post(address(call)).content.decode()
    assert names() == ["Good", "Paid"]


def test_of_a_customerio_batch_only_what_was_refused_is_taken_in() -> None:
    planned("paid", schema=NEEDS_SUM, schema_mode="block")
    account = Account.make()
    event = {"type": "person", "action": "event", "identifiers": {"id": "ada"}, "name": "paid"}
    answer = account.batch({**event, "name": "good"}, event, {**event, "action": "nothing"})
    assert answer.status_code == 207
    planned("paid", schema_mode="off")
    outcome = again.send(only_call())
    assert (outcome.accepted, outcome.repeated, len(outcome.reasons)) == (1, 0, 1)
    assert again.send(only_call()).repeated == 1
    assert names() == ["good", "paid"]


def test_a_refused_call_of_customerio_is_taken_in_at_the_time_it_came(admin_client: Client) -> None:
    planned("paid", schema=NEEDS_SUM, schema_mode="block")
    assert Account.make().track("ada/1", "paid").status_code == 400
    planned("paid", schema_mode="off")
    call = only_call()
    assert "1 event stored" in admin_client.post(address(call)).content.decode()
    event = Event.objects.get(type="track")
    assert (event.name, event.profile.user_id, event.timestamp) == ("paid", "ada/1", call.received_at)


def test_attributes_and_objects_of_one_call_are_both_taken(admin_client: Client) -> None:
    relation = {"identifiers": {"object_type_id": "1", "object_id": "acme"}}
    body = {"plan": "pro", "cio_relationships": {"action": "add_relationships", "relationships": [relation]}}
    call = make_call(method="PUT", path="/api/v1/customers/ada", body=json.dumps(body))
    assert again.send(call).accepted == 1
    assert Profile.objects.get(user_id="ada").traits == {"plan": "pro"}


def test_a_device_is_put_down_and_nobody_is_forgotten(admin_client: Client) -> None:
    device = {"device": {"id": "d-1", "platform": "ios"}}
    call = make_call(method="PUT", path="/api/v1/customers/ada/devices", body=json.dumps(device))
    assert again.send(call).accepted == 1
    assert Device.objects.get().device_id == "d-1"
    forget = make_call(method="DELETE", path="/api/v1/customers/ada", body="{}")
    outcome = again.send(forget)
    assert outcome.accepted == 0 and "secret key" in outcome.reasons[0]
    assert Profile.objects.filter(user_id="ada").exists()


def test_a_form_is_taken_once_with_both_things_that_it_says() -> None:
    body = {"data": {"email": "ada@example.com", "colour": "red"}}
    call = make_call(path="/api/v1/forms/f-1/submit", body=json.dumps(body))
    assert again.send(call).accepted == 1
    assert again.send(call).accepted == 0
    assert sorted(Event.objects.values_list("type", flat=True)) == ["identify", "track"]


def test_what_pipelines_answered_with_200_and_refused_is_taken_in() -> None:
    planned("Paid", schema=NEEDS_SUM, schema_mode="block")
    call = {"userId": "ada", "event": "Paid"}
    headers = {"Authorization": basic(make_key())}
    answer = Client().post("/cdp/v1/track", call, content_type="application/json", headers=headers)
    assert answer.status_code == 200 and answer.json()["rejected"]
    planned("Paid", schema_mode="off")
    assert again.can_be(only_call())
    assert again.send(only_call()).accepted == 1
    assert names() == ["Paid"]


def test_a_reserved_name_below_cdp_is_not_taken_for_an_event() -> None:
    body = {"userId": "ada", "event": "User Deleted"}
    call = make_call(path="/cdp/v1/track", status=200, answer={"rejected": [{"index": 0}]}, body=json.dumps(body))
    outcome = again.send(call)
    assert (outcome.accepted, names()) == (0, [])
    assert "secret key" in outcome.reasons[0]
