"""Refused calls, taken in after what was wrong has been mended."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from events.admin import again
from events.models import Event, InboundRequest, Source
from tests.factories import make_key, make_source
from tests.tracking import send

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
        {"path": "/api/v2/batch"},
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
