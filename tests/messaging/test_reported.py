"""What an application reports about messages by Customer.io's API, and its own unsubscribe page."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from events.models import Event, InboundRequest
from messaging.models import TEST_KEY, DeliveryEvent, Message, Suppression, Unsubscription
from messaging.states import Status
from tests.events.api.customerio.account import Account, done
from tests.factories import make_message

pytestmark = pytest.mark.django_db
AT = 1767323045


@pytest.fixture
def message() -> Message:
    return make_message(status=Status.SENT, address="ada@example.com")


@pytest.fixture
def account() -> Account:
    return Account.make()


def post(path: str, body: Any) -> Any:
    return Client().post(path, body, content_type="application/json")


@pytest.mark.parametrize(
    ("metric", "status", "event"),
    [
        ("delivered", Status.DELIVERED, "Email Delivered"),
        ("opened", Status.OPENED, "Email Opened"),
        ("clicked", Status.CLICKED, "Email Clicked"),
        ("bounced", Status.BOUNCED, "Email Bounced"),
        ("dropped", Status.REJECTED, "Email Rejected"),
        ("spammed", Status.COMPLAINED, "Email Complained"),
        ("unsubscribed", Status.UNSUBSCRIBED, "Email Unsubscribed"),
        ("deferred", Status.SENT, None),
        ("converted", Status.SENT, None),
    ],
)
def test_a_report_counts_once_however_it_comes(
    account: Account, message: Message, metric: str, status: Status, event: str | None
) -> None:
    said = {"delivery_id": str(message.public_id), "timestamp": AT, "href": "https://shop.example/"}
    assert done(account.call("POST", "/api/v1/metrics", said | {"metric": metric}, Authorization=""))
    assert done(account.call("POST", "/api/v1/push/events", said | {"event": metric}, Authorization=""))
    report = {"type": "delivery", "action": "event", "name": metric, "timestamp": AT}
    report |= {"identifiers": {"id": str(message.public_id)}, "attributes": {"href": "https://shop.example/"}}
    assert done(account.entity(**report))
    message.refresh_from_db()
    assert message.status == status
    assert DeliveryEvent.objects.get().timestamp.timestamp() == AT
    assert [one.name for one in Event.objects.filter(profile=message.profile_id)] == ([event] if event else [])


def test_an_application_strikes_off_no_address(account: Account, message: Message) -> None:
    said = {"delivery_id": str(message.public_id), "metric": "bounced", "reason": "no such mailbox"}
    assert done(account.call("POST", "/api/v1/metrics", said))
    assert DeliveryEvent.objects.get().description == "no such mailbox"
    assert not Suppression.objects.exists()


def test_what_is_about_nobodys_message_is_answered_and_shown(account: Account) -> None:
    said = {"delivery_id": str(uuid4()), "metric": "opened"}
    answer = account.call("POST", "/api/v1/metrics", said)
    assert answer.status_code == 200 and "No message" in answer.json()["meta"]["message"]
    report = {"type": "delivery", "action": "event", "name": "opened", "identifiers": {"id": "x"}}
    answer = account.entity(**report)
    assert answer.status_code == 400 and answer.json()["errors"][0]["field"] == "delivery_id"
    assert account.batch(report).status_code == 207
    assert not DeliveryEvent.objects.exists()


def test_the_applications_own_page_unsubscribes_and_lets_come_back(message: Message) -> None:
    path = f"/unsubscribe/{message.public_id}"
    assert done(post(path, {"unsubscribe": True}))
    assert done(post(path, {}))
    left = Unsubscription.objects.get()
    assert (left.profile_id, left.message, left.method) == (message.profile_id, message, "page")
    message.refresh_from_db()
    assert message.status == Status.UNSUBSCRIBED
    assert done(post(path, {"unsubscribe": False}))
    assert not Unsubscription.objects.exists()


def test_an_empty_body_unsubscribes(message: Message) -> None:
    assert done(post(f"/unsubscribe/{message.public_id}", b""))
    assert Unsubscription.objects.exists()


def test_a_test_message_unsubscribes_nobody() -> None:
    message = make_message(key=f"{TEST_KEY}1", status=Status.SENT)
    assert done(post(f"/unsubscribe/{message.public_id}", {}))
    assert not Unsubscription.objects.exists()


@pytest.mark.parametrize("delivery_id", ["8d020fd7-6c42-4eb1-ac7f-d48c9a1c7dde", "x", "%00"])
def test_an_id_of_no_message_changes_nothing(message: Message, delivery_id: str) -> None:
    answer = post(f"/unsubscribe/{delivery_id}", {})
    assert answer.status_code == 200 and "No message" in answer.json()["meta"]["message"]
    assert not Unsubscription.objects.exists()


@pytest.mark.parametrize("body", [{"unsubscribe": "no"}, {"unsubscribe": None}, [], b"unsubscribe=true"])
def test_what_cannot_be_understood_is_400(message: Message, body: Any) -> None:
    answer = post(f"/unsubscribe/{message.public_id}", body)
    assert answer.status_code == 400 and answer.json()["meta"]["error"]
    assert InboundRequest.objects.get().status == 400
    assert Client().get(f"/unsubscribe/{message.public_id}").status_code == 405
    assert not Unsubscription.objects.exists()
