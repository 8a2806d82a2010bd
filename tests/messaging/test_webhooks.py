"""SendGrid's and Postmark's webhooks, with posts of the shape they really have."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.test import Client
from pytest_django import Settings

from events.models import Event
from messaging import credentials
from messaging.models import DeliveryEvent, Message, Suppression, Unsubscription
from messaging.states import Status
from tests.factories import make_message, make_provider

pytestmark = pytest.mark.django_db
SENDGRID, POSTMARK = "/webhooks/anymail/sendgrid/tracking/", "/webhooks/anymail/postmark/tracking/"
PAYLOADS = Path(__file__).parent / "payloads"
SECRET = "hook:secret"
AUTH = {"Authorization": "Basic " + base64.b64encode(SECRET.encode()).decode()}


@pytest.fixture(autouse=True)
def secret(settings: Settings) -> None:
    settings.ANYMAIL = {"WEBHOOK_SECRET": SECRET}


@pytest.fixture
def message() -> Message:
    return make_message(status=Status.SENT, address="ada@example.com", provider_message_id="provider-1")


def payload(name: str, message: Message | None = None) -> list[dict[str, Any]]:
    """Return the recorded events, made to be about ``message``."""
    text = (PAYLOADS / f"{name}.json").read_text()
    public_id = str(message.public_id) if message else str(uuid4())
    text = (
        text.replace("MESSAGE_ID", public_id).replace("ANYMAIL_ID", "provider-1").replace("PROVIDER_ID", "provider-1")
    )
    events: list[dict[str, Any]] = json.loads(text)
    return events


def sendgrid(message: Message | None, *kinds: str) -> list[dict[str, Any]]:
    return [
        event
        for event in payload("sendgrid", message)
        if event.get("type", event["event"]) in kinds or event["event"] in kinds
    ]


def postmark(message: Message, kind: str) -> dict[str, Any]:
    return next(event for event in payload("postmark", message) if kind in (event["RecordType"], event.get("Type")))


def post(client: Client, address: str, body: Any, headers: dict[str, str] | None = None) -> int:
    content = body if isinstance(body, str | bytes) else json.dumps(body)
    headers = AUTH if headers is None else headers
    return client.post(address, content, content_type="application/json", headers=headers).status_code


def status(message: Message) -> str:
    message.refresh_from_db()
    return message.status


def news(message: Message) -> list[str]:
    return list(Event.objects.filter(profile=message.profile_id).order_by("id").values_list("name", flat=True))


def test_sendgrid_reports_a_whole_life_in_one_post(client: Client, message: Message) -> None:
    events = sendgrid(message, "processed", "deferred", "delivered", "open", "click")
    assert post(client, SENDGRID, events) == 200
    assert status(message) == Status.CLICKED
    assert DeliveryEvent.objects.count() == 5
    assert news(message) == ["Email Delivered", "Email Opened", "Email Clicked"]
    click = DeliveryEvent.objects.get(type="clicked")
    assert click.url == "https://acme.example/pricing?from=mail"
    assert click.event_key == "sendgrid:Y2xpY2stNS0w"
    assert DeliveryEvent.objects.get(type="delivered").mta_response == "250 2.0.0 OK 1772452803"


def test_a_replay_changes_nothing(client: Client, message: Message) -> None:
    events = sendgrid(message, "delivered", "open", "click", "spamreport")
    for _ in range(3):
        assert post(client, SENDGRID, [*events, *events]) == 200
    assert DeliveryEvent.objects.count() == len(events)
    assert len(news(message)) == len(events)
    for _ in range(2):
        assert post(client, POSTMARK, postmark(message, "Open")) == 200
    assert DeliveryEvent.objects.filter(event_key__startswith="postmark:").count() == 1


def test_disorder_does_not_lower_the_status(client: Client, message: Message) -> None:
    events = sendgrid(message, "processed", "delivered", "open", "click")
    for event in random.Random(7).sample(events, len(events)):
        assert post(client, SENDGRID, [event]) == 200
    assert status(message) == Status.CLICKED


def test_sendgrids_hard_bounce_strikes_the_address_off(client: Client, message: Message) -> None:
    assert post(client, SENDGRID, sendgrid(message, "bounce")[:1]) == 200
    assert status(message) == Status.BOUNCED
    report = DeliveryEvent.objects.get()
    assert (report.type, report.reason) == ("bounced", "bounced")
    assert "5.1.1" in report.mta_response
    assert Suppression.objects.get().cause == Suppression.Cause.BOUNCE


def test_sendgrids_block_does_not(client: Client, message: Message) -> None:
    assert post(client, SENDGRID, sendgrid(message, "blocked")) == 200
    assert DeliveryEvent.objects.get().reason == "blocked"
    assert status(message) == Status.BOUNCED
    assert not Suppression.objects.exists()


def test_a_drop_for_an_earlier_bounce_strikes_the_address_off_as_well(client: Client, message: Message) -> None:
    assert post(client, SENDGRID, sendgrid(message, "dropped")) == 200
    assert status(message) == Status.REJECTED
    assert Suppression.objects.get().address == "ada@example.com"


def test_sendgrids_complaint_and_unsubscribe(client: Client, message: Message) -> None:
    assert post(client, SENDGRID, sendgrid(message, "spamreport", "group_unsubscribe")) == 200
    assert Suppression.objects.get().cause == Suppression.Cause.COMPLAINT
    assert Unsubscription.objects.get().method == "provider"
    assert status(message) == Status.COMPLAINED


@pytest.mark.parametrize(
    ("kind", "after", "struck", "left"),
    [
        ("Delivery", Status.DELIVERED, 0, 0),
        ("Open", Status.OPENED, 0, 0),
        ("Click", Status.CLICKED, 0, 0),
        ("HardBounce", Status.BOUNCED, 1, 0),
        ("SoftBounce", Status.BOUNCED, 0, 0),
        ("SpamComplaint", Status.COMPLAINED, 1, 0),
        ("SubscriptionChange", Status.UNSUBSCRIBED, 0, 1),
    ],
)
def test_postmarks_reports(client: Client, message: Message, kind: str, after: str, struck: int, left: int) -> None:
    assert post(client, POSTMARK, postmark(message, kind)) == 200
    assert status(message) == after
    assert (Suppression.objects.count(), Unsubscription.objects.count()) == (struck, left)
    assert DeliveryEvent.objects.get().timestamp.year == 2026


def test_postmarks_bounce_keeps_both_texts(client: Client, message: Message) -> None:
    post(client, POSTMARK, postmark(message, "HardBounce"))
    report = DeliveryEvent.objects.get()
    assert report.description.startswith("The server was unable to deliver")
    assert report.mta_response.startswith("smtp;550 5.1.1")


def test_two_openings_without_an_id_are_two(client: Client, message: Message) -> None:
    first = postmark(message, "Open")
    for event in (first, {**first, "ReceivedAt": "2026-03-02T13:00:00Z"}):
        assert post(client, POSTMARK, event) == 200
    assert DeliveryEvent.objects.count() == 2
    assert news(message) == ["Email Opened"]


def test_a_report_without_our_metadata_is_matched_by_the_providers_id(client: Client, message: Message) -> None:
    event = postmark(message, "Delivery")
    del event["Metadata"]
    assert post(client, POSTMARK, event) == 200
    assert status(message) == Status.DELIVERED


ODD = [
    {"event": "new_kind", "timestamp": 1772452800, "sg_event_id": "x1", "message_id": str(uuid4())},
    {"timestamp": 1772452811, "event": "account_status_change", "sg_event_id": "x2"},
    {"sg_event_id": "x3"},
    {"event": "delivered", "timestamp": "soon", "sg_event_id": "x4"},
    {"event": "delivered", "timestamp": 10**20, "sg_event_id": "x5"},
    {"event": ["delivered"], "timestamp": None, "sg_event_id": {"a": 1}},
    {"event": "delivered", "message_id": {"a": 1}, "sg_event_id": "x6", "email": 7},
    "text",
    None,
    [[]],
    7,
]


def test_odd_neighbours_hide_no_report(client: Client, message: Message) -> None:
    good = sendgrid(message, "delivered")
    assert post(client, SENDGRID, [*ODD[:6], *good, *ODD[6:]]) == 200
    assert status(message) == Status.DELIVERED


@pytest.mark.parametrize(
    "body", [[], {}, "null", "7", [{}], {"RecordType": "Inbound"}, {"RecordType": "New"}, {"FromFull": {}}]
)
def test_what_says_nothing_is_taken(client: Client, body: Any) -> None:
    for address in (SENDGRID, POSTMARK):
        assert post(client, address, body) == 200


@pytest.mark.parametrize("body", ["", "{", "event=delivered", b"\xff\xfe"])
def test_what_is_not_json_is_a_clear_400(client: Client, body: str | bytes) -> None:
    for address in (SENDGRID, POSTMARK):
        assert post(client, address, body) == 400


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Basic " + base64.b64encode(b"hook:wrong").decode()}, {"Authorization": "Bearer x"}],
)
def test_bad_credentials_are_refused(client: Client, message: Message, headers: dict[str, str]) -> None:
    assert post(client, SENDGRID, sendgrid(message, "delivered"), headers) == 400
    assert post(client, POSTMARK, postmark(message, "Delivery"), headers) == 400
    assert status(message) == Status.SENT


def test_without_a_secret_nothing_is_taken(client: Client, message: Message, settings: Settings) -> None:
    settings.ANYMAIL = {}
    for address in (SENDGRID, POSTMARK):
        answer = client.post(address, "[]", content_type="application/json")
        assert answer.status_code == 403
        assert "set WEBHOOK_SECRET" in answer.content.decode()


def test_a_browsers_csrf_protection_does_not_stand_in_the_way(message: Message) -> None:
    assert post(Client(enforce_csrf_checks=True), SENDGRID, sendgrid(message, "delivered")) == 200


def test_sendgrids_signature_is_checked(client: Client, message: Message, settings: Settings) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    settings.ANYMAIL = {"SENDGRID_TRACKING_WEBHOOK_VERIFICATION_KEY": base64.b64encode(der).decode()}
    body = json.dumps(sendgrid(message, "delivered")).encode()
    signature = base64.b64encode(key.sign(b"1772452800" + body, ec.ECDSA(hashes.SHA256()))).decode()
    signed = {
        "X-Twilio-Email-Event-Webhook-Signature": signature,
        "X-Twilio-Email-Event-Webhook-Timestamp": "1772452800",
    }
    assert post(client, SENDGRID, body + b" ", signed) == 400
    assert post(client, SENDGRID, body, {}) == 400
    assert status(message) == Status.SENT
    assert post(client, SENDGRID, body, signed) == 200
    assert status(message) == Status.DELIVERED


@pytest.mark.parametrize("address", [SENDGRID, POSTMARK])
@pytest.mark.parametrize("body", ["{", "[" * 9000])
def test_a_body_that_is_no_json_is_refused(client: Client, address: str, body: str) -> None:
    answer = client.post(address, body, content_type="application/json", headers=AUTH)
    assert answer.status_code == 400 and "not JSON" in answer.content.decode()


def test_ten_thousand_events_in_one_post(client: Client, message: Message) -> None:
    (event,) = sendgrid(message, "open")[:1]
    events = [{**event, "sg_event_id": uuid4().hex, "filler": "x" * 300} for _ in range(10_000)]
    body = json.dumps(events)
    assert len(body) > 5 * 1024 * 1024
    assert post(client, SENDGRID, body) == 200
    assert DeliveryEvent.objects.count() == 10_000
    assert post(client, SENDGRID, body) == 200
    assert DeliveryEvent.objects.count() == 10_000
    assert [name for name in news(message) if name == "Email Opened"] == ["Email Opened"]


# --- Other services --------------------------------------------------------------------------------------------------


def test_other_services_report_to_an_address_of_their_account(client: Client, settings: Settings) -> None:
    account = make_provider(kind="brevo")
    message = make_message(status=Status.SENT, address="ada@example.com", provider=account)
    said = {
        "event": "hard_bounce",
        "email": "ada@example.com",
        "message-id": "<x@brevo>",
        "ts_event": 1_750_000_000,
        "reason": "550 5.1.1 user unknown",
        "X-Mailin-custom": json.dumps({"message_id": str(message.public_id)}),
    }
    url = f"/webhooks/anymail/brevo/{account.pk}/tracking/"
    assert post(client, url, said, {"Authorization": "Basic eDp5"}) == 400
    assert post(client, url, said) == 200
    assert status(message) == Status.BOUNCED
    assert Suppression.objects.count() == 1
    assert post(client, f"/webhooks/anymail/mailgun/{account.pk}/tracking/", said) == 404
    settings.ANYMAIL = {}
    assert post(client, url, said, {}) == 403


def test_a_service_that_signs_is_believed_by_its_key_alone(client: Client, settings: Settings) -> None:
    settings.ANYMAIL = {}
    account = make_provider(kind="mailgun", settings={"sender_domain": "mg.acme.example"})
    url = f"/webhooks/anymail/mailgun/{account.pk}/tracking/"
    assert post(client, url, {}, {}) == 403
    credentials.store(account, {"api_key": "key", "webhook_secret": "signing"})
    account.save()
    message = make_message(status=Status.SENT, address="ada@example.com", provider=account)
    signed = {"timestamp": "1750000000", "token": "abc"}
    digest = hmac.new(b"signing", (signed["timestamp"] + signed["token"]).encode(), hashlib.sha256).hexdigest()
    data = {
        "event": "delivered",
        "id": "e1",
        "timestamp": 1_750_000_000.5,
        "recipient": "ada@example.com",
        "message": {"headers": {"message-id": "x@mg"}},
        "user-variables": {"message_id": str(message.public_id)},
    }
    assert post(client, url, {"signature": {**signed, "signature": digest}, "event-data": data}, {}) == 200
    assert status(message) == Status.DELIVERED
    wrong = {"signature": {**signed, "signature": "0" * 64}, "event-data": {**data, "event": "complained", "id": "e2"}}
    assert post(client, url, wrong, {}) == 400
    assert status(message) == Status.DELIVERED
