"""SendGrid's signature: posts are believed when one of the known keys has signed them."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.test import Client
from pytest_django.fixtures import Settings

from messaging import verification
from messaging.models import DeliveryEvent, Message, Provider
from messaging.states import Status
from tests.factories import make_message, make_provider

pytestmark = pytest.mark.django_db

URL = "/webhooks/anymail/sendgrid/tracking/"
TIMESTAMP = "1795000000"


@pytest.fixture
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(autouse=True)
def no_log_in(settings: Settings) -> None:
    settings.ANYMAIL = {}


def account(key: ec.EllipticCurvePrivateKey) -> Provider:
    shown = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    settings = {verification.SETTING: base64.b64encode(shown).decode()}
    return make_provider(kind=Provider.Kind.SENDGRID, settings=settings)


def post(client: Client, message: Message, key: ec.EllipticCurvePrivateKey | None) -> int:
    at = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp())
    report = {"event": "delivered", "sg_event_id": "one", "timestamp": at, "message_id": str(message.public_id)}
    body = json.dumps([report]).encode()
    headers = {}
    if key:
        signature = key.sign(TIMESTAMP.encode() + body, ec.ECDSA(SHA256()))
        headers = {
            "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
            "X-Twilio-Email-Event-Webhook-Timestamp": TIMESTAMP,
        }
    return client.post(URL, body, content_type="application/json", headers=headers).status_code


@pytest.mark.parametrize("accounts", [1, 3])
def test_post_signed_by_one_of_the_accounts_is_believed(
    client: Client, key: ec.EllipticCurvePrivateKey, accounts: int
) -> None:
    for _ in range(accounts - 1):
        account(ec.generate_private_key(ec.SECP256R1()))
    account(key)
    message = make_message(status=Status.SENT)
    assert post(client, message, key) == 200
    message.refresh_from_db()
    assert message.status == Status.DELIVERED


@pytest.mark.parametrize("signed", [True, False])
def test_post_signed_by_nobody_we_know_changes_nothing(
    client: Client, key: ec.EllipticCurvePrivateKey, signed: bool
) -> None:
    account(key)
    message = make_message(status=Status.SENT)
    stranger = ec.generate_private_key(ec.SECP256R1()) if signed else None
    assert post(client, message, stranger) == 400
    assert not DeliveryEvent.objects.exists()


def test_without_key_and_log_in_reports_are_refused(client: Client, key: ec.EllipticCurvePrivateKey) -> None:
    assert post(client, make_message(status=Status.SENT), key) == 403


@pytest.mark.parametrize("text", ["nonsense", "", "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="])
def test_only_keys_of_the_right_kind_are_accepted(text: str) -> None:
    with pytest.raises(ValueError):
        verification.load(text)
