"""Reading a delivery back."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from django.test import Client
from django.utils import timezone

from events.models import ApiToken, hash_key
from messaging.feedback import Report, record
from messaging.models import Message
from messaging.states import Status
from tests.factories import make_message

pytestmark = pytest.mark.django_db
TOKEN = "cb_token"
ADDRESS = "/api/v1/manage/deliveries/"


@pytest.fixture(autouse=True)
def token() -> None:
    ApiToken.objects.create(label="Tests", key_hash=hash_key(TOKEN))


@pytest.fixture
def client() -> Client:
    return Client(headers={"Authorization": f"Bearer {TOKEN}"})


@pytest.fixture
def message() -> Message:
    message = make_message(status=Status.SENT, provider_message_id="abc/1+2@postmark")
    now = timezone.now()
    for number, kind in enumerate(("delivered", "opened")):
        moment = now + timedelta(seconds=number)
        record([Report(kind, f"sendgrid:id-{number}", moment, message_public_id=str(message.public_id))])
    return message


def test_shows_status_and_events_in_order(client: Client, message: Message) -> None:
    answer = client.get(f"{ADDRESS}{message.public_id}/")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["status"], body["message_id"]) == ("opened", str(message.public_id))
    assert [(event["type"], event["event_id"]) for event in body["events"]] == [
        ("delivered", "id-0"),
        ("opened", "id-1"),
    ]


def test_finds_a_message_by_the_providers_id_with_odd_characters(client: Client, message: Message) -> None:
    for path in ("abc%2F1%2B2%40postmark/", "abc%2F1%2B2%40postmark", f"{message.public_id.hex}/"):
        assert client.get(ADDRESS + path).json()["message_id"] == str(message.public_id)


@pytest.mark.parametrize("message_id", ["nonsense", str(UUID(int=7)), "%00", "a" * 5000])
def test_what_is_not_there_is_404(client: Client, message_id: str) -> None:
    answer = client.get(f"{ADDRESS}{message_id}/")
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


def test_needs_a_token(message: Message) -> None:
    answer = Client().get(f"{ADDRESS}{message.public_id}/")
    assert answer.status_code == 401
    assert "Bearer" in answer["WWW-Authenticate"]
