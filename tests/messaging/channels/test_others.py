"""SMS, chat, webhooks, in-app and web push: what really goes over the wire, and what comes back."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import http_ece
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.test import Client
from pytest_django import Settings
from standardwebhooks import Webhook as Verifier

from events import privacy
from events.audit import Actor
from events.models import Device, Profile, SourceKey
from messaging import connection, credentials, delivery, lists, outbox, twilio
from messaging.channels import webhook
from messaging.models import Message, Provider, Suppression, Template
from messaging.names import ChannelName
from messaging.versions import freeze
from tests.factories import make_key, make_profile, make_provider, make_template
from tests.fakes import Answer, Call, Service

pytestmark = pytest.mark.django_db


class Anything(Service):
    """Takes whatever is posted, and answers what it is told."""

    reply: Any = {"ok": True}
    status = 200

    def answer(self, call: Call) -> Answer:
        return self.status, self.reply, {}


@pytest.fixture
def service(settings: Settings) -> Iterator[Anything]:
    settings.CALLS_TO_PRIVATE_ADDRESSES = True
    with Anything() as running:
        yield running


def provider(kind: str, secrets: dict[str, str], **columns: Any) -> Provider:
    made = make_provider(kind=kind, is_default=True, **columns)
    credentials.store(made, secrets)
    made.save()
    return made


def template(channel: str, **columns: Any) -> Template:
    return make_template(channel=channel, html="", **{"subject": "", "purpose": "transactional", **columns})


def deliver(profile: Profile, made: Template, **trigger: Any) -> Message:
    """Send a message made from a template, and return it as it is afterwards."""
    version = freeze(made)
    draft = outbox.Draft(
        key=str(uuid4()),
        profile_id=profile.pk,
        template_version_id=version.pk,
        purpose=version.purpose,
        provider_id=None,
        variables={"trigger": trigger},
        is_test=False,
        due_at=profile.created_at,
    )
    pk = outbox.queue([draft])[draft.key]
    delivery.deliver_due(float("inf"))
    return Message.objects.get(pk=pk)


@pytest.fixture
def ada() -> Profile:
    return make_profile(user_id="ada", email="ada@example.com", phone="0043 660 123-4567", traits={"name": "Ada"})


# --- SMS -------------------------------------------------------------------------------------------------------------


def test_twilio_gets_a_form_and_its_id_is_kept(service: Anything, ada: Profile) -> None:
    service.status, service.reply = 201, {"sid": "SM1"}
    account = {"account_sid": "AC1", "auth_token": "token"}
    provider("twilio", account, from_email="+15005550006", settings={"api_url": service.url})
    message = deliver(ada, template("sms", text="Hi {{ customer.name }} & co: {{ trigger.code }}"), code=7)
    (call,) = service.calls
    assert call.path.endswith("/AC1/Messages.json")
    assert call.headers["authorization"] == "Basic " + base64.b64encode(b"AC1:token").decode()
    assert (call.body["To"], call.body["From"], call.body["Body"]) == (
        "+436601234567",
        "+15005550006",
        "Hi Ada & co: 7",
    )
    assert (message.status, message.provider_message_id, message.channel) == ("sent", "SM1", "sms")
    assert message.address == "+436601234567"


@pytest.mark.parametrize(("phone", "reason"), [("", "no_address"), ("660 123", "bad_address")])
def test_who_has_no_good_number_gets_no_text_message(service: Anything, phone: str, reason: str) -> None:
    provider("sms_gateway", {}, from_email="ACME", settings={"gateway_url": service.url})
    message = deliver(make_profile(phone=phone), template("sms", text="Hi"))
    assert (message.status, message.reason) == ("skipped", reason)
    assert service.calls == []


def test_a_gateway_gets_json_of_the_shape_it_wants(service: Anything, ada: Profile) -> None:
    service.reply = {"id": 99}
    shape = {"recipients": ["{to}"], "body": "{text} {to}", "n": 1}
    options = {"gateway_url": service.url, "gateway_body": json.dumps(shape)}
    provider("sms_gateway", {"gateway_token": "t"}, from_email="ACME", settings=options)
    message = deliver(ada, template("sms", text="{to} {{ customer.name }}"))
    (call,) = service.calls
    assert call.body == {"recipients": ["+436601234567"], "body": "{to} Ada +436601234567", "n": 1}
    assert call.headers["authorization"] == "Bearer t"
    assert call.headers["idempotency-key"] == str(message.public_id)
    assert message.provider_message_id == "99"


def twilio_post(path: str, form: dict[str, str], token: str = "token") -> Any:
    signed = twilio.signature(token, f"http://127.0.0.1:8000{path}", form)
    return Client().post(path, form, headers={"X-Twilio-Signature": signed})


@pytest.fixture
def account(settings: Settings, service: Anything) -> Provider:
    settings.BASE_URL = "http://127.0.0.1:8000"
    secrets = {"account_sid": "AC1", "auth_token": "token"}
    service.reply = {"sid": "SM1"}
    return provider("twilio", secrets, from_email="+15005550006", settings={"api_url": service.url})


def test_stop_ends_marketing_and_start_brings_it_back(account: Provider, ada: Profile) -> None:
    path = f"/webhooks/twilio/{account.pk}/inbound/"
    form = {"From": "+436601234567", "Body": " Stop. ", "MessageSid": "SM2"}
    assert twilio_post(path, form, "wrong").status_code == 403
    assert not Suppression.objects.exists()
    assert twilio_post(path, form).status_code == 200
    marketing = template("sms", text="Hi", purpose="marketing")
    assert deliver(ada, marketing).reason == "unsubscribed"
    assert deliver(ada, template("sms", text="Your code")).status == "sent"
    twilio_post(path, {**form, "Body": "hello"})
    assert deliver(ada, marketing).reason == "unsubscribed"
    twilio_post(path, {**form, "Body": "START"})
    assert deliver(ada, marketing).status == "sent"


def test_twilio_reports_deliveries_and_dead_numbers(account: Provider, ada: Profile) -> None:
    message = deliver(ada, template("sms", text="Hi"))
    path = f"/webhooks/twilio/status/{message.public_id}/"
    assert twilio_post(path, {"MessageSid": "SM1", "MessageStatus": "delivered"}, "wrong").status_code == 403
    assert twilio_post(path, {"MessageSid": "SM1", "MessageStatus": "delivered"}).status_code == 204
    message.refresh_from_db()
    assert message.status == "delivered"
    dead = deliver(ada, template("sms", text="Again"))
    form = {"MessageSid": "SM3", "MessageStatus": "undelivered", "ErrorCode": "30005"}
    twilio_post(f"/webhooks/twilio/status/{dead.public_id}/", form)
    dead.refresh_from_db()
    assert dead.status == "bounced"
    assert Suppression.objects.get().address in lists.forms("+436601234567")
    assert deliver(ada, template("sms", text="Once more")).reason == "suppressed"
    # The same person's mailbox is another address.
    make_provider(is_default=True)
    assert deliver(ada, make_template()).status == "delivered"


def test_who_answered_stop_and_is_erased_stays_away_and_leaves_no_number(account: Provider, ada: Profile) -> None:
    form = {"From": "+436601234567", "Body": "STOP"}
    twilio_post(f"/webhooks/twilio/{account.pk}/inbound/", form)
    privacy.erase([ada.pk], Actor("test"))
    row = Suppression.objects.get()
    assert (row.channel, row.cause, "436" in row.address) == ("sms", "left", False)
    again = make_profile(phone="+43 660 1234567")
    assert deliver(again, template("sms", text="Hi", purpose="marketing")).reason == "unsubscribed"


# --- Webhooks and chat -----------------------------------------------------------------------------------------------


def test_a_webhook_is_signed_as_receivers_libraries_check_it(service: Anything, ada: Profile) -> None:
    secret = webhook.new_secret()
    provider("webhook", {"signing_secret": secret})
    options = {
        "url": service.url + "hooks?for={{ customer.user_id }}",
        "method": "POST",
        "headers": "X-Shop: 1\nno header",
    }
    made = template("webhook", text='{"name": {{ customer.name | json }}}', options=options)
    message = deliver(ada, made)
    (call,) = service.calls
    assert call.path.endswith("/hooks?for=ada")
    assert call.body == {"name": "Ada"}
    assert call.headers["x-shop"] == "1"
    assert call.headers["webhook-id"] == str(message.public_id)
    assert Verifier(secret).verify('{"name": "Ada"}', call.headers) == {"name": "Ada"}
    assert message.status == "sent"


def test_a_webhook_that_is_down_is_called_again_with_the_same_id(service: Anything, ada: Profile) -> None:
    provider("webhook", {"signing_secret": webhook.new_secret()})
    service.status = 503
    message = deliver(ada, template("webhook", text="{}", options={"url": service.url}))
    assert (message.status, message.attempts) == ("queued", 1)
    service.status = 200
    Message.objects.update(due_at=ada.created_at)
    delivery.deliver_due(float("inf"))
    assert [call.headers["webhook-id"] for call in service.calls] == [str(message.public_id)] * 2


def test_one_host_that_is_down_holds_up_no_other(service: Anything, ada: Profile) -> None:
    provider("webhook", {})
    service.status = 503
    down = template("webhook", text="{}", options={"url": service.url})
    for _ in range(5):
        deliver(ada, down)
    calls = len(service.calls)
    assert deliver(ada, down).reason == "provider_rests"
    assert len(service.calls) == calls
    service.status = 200
    other = service.url.replace("127.0.0.1", "localhost")
    assert deliver(ada, template("webhook", text="{}", options={"url": other})).status == "sent"


def test_what_a_webhook_is_called_with_has_to_be_json(service: Anything, ada: Profile) -> None:
    provider("webhook", {})
    message = deliver(ada, template("webhook", text='{"a": }', options={"url": service.url}))
    assert (message.status, message.reason) == ("failed", "template_error")
    assert "no JSON" in message.detail


def test_private_networks_are_not_called_unless_the_operator_allows_it(
    service: Anything, ada: Profile, settings: Settings
) -> None:
    settings.CALLS_TO_PRIVATE_ADDRESSES = False
    provider("webhook", {})
    message = deliver(ada, template("webhook", text="{}", options={"url": service.url}))
    assert service.calls == []
    assert message.status == "failed"
    assert "private network" in message.detail


def test_a_chat_gets_the_text(service: Anything, ada: Profile) -> None:
    provider("chat", {"webhook_url": service.url})
    message = deliver(ada, template("chat", text="{{ customer.name }} <signed> up"))
    assert service.calls[0].body == {"text": "Ada <signed> up"}
    assert message.status == "sent"


# --- In-app ----------------------------------------------------------------------------------------------------------


@dataclass
class Browser:
    """A visitor's browser, as the snippet calls for it."""

    key: str
    anonymous_id: str = "visitor-1"
    client: Client = field(default_factory=Client)

    def post(self, path: str, **said: Any) -> Any:
        body = json.dumps({"writeKey": self.key, "anonymousId": self.anonymous_id, **said})
        return self.client.post(path, body, "text/plain", headers={"Origin": "https://shop.example"})

    def messages(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = self.post("/v1/in-app/").json()["messages"]
        return found


@pytest.fixture
def browser() -> Browser:
    made = Browser(make_key(kind=SourceKey.Kind.PUBLIC))
    made.post("/v1/identify", type="identify", userId="ada", traits={"name": "Ada"})
    return made


def test_an_in_app_message_is_shown_once_it_is_asked_for_and_reported(browser: Browser) -> None:
    provider("in_app", {})
    ada = Profile.objects.get(user_id="ada")
    options = {"style": "modal", "url": "https://shop.example/{{ customer.user_id }}", "button": "Go"}
    message = deliver(ada, template("in_app", subject="Hi {{ customer.name }}", text="<b>News</b>", options=options))
    assert message.status == "sent"
    (shown,) = browser.messages()
    assert shown == {
        "id": str(message.public_id),
        "title": "Hi Ada",
        "text": "<b>News</b>",
        "style": "modal",
        "url": "https://shop.example/ada",
        "button": "Go",
    }
    for event in ("seen", "seen", "clicked"):
        assert browser.post("/v1/in-app/report/", messageId=shown["id"], event=event).status_code == 204
    message.refresh_from_db()
    assert message.status == "clicked"
    assert browser.messages() == []
    names = list(ada.events.order_by("id").values_list("name", flat=True))
    assert [name for name in names if name.startswith("In-App")] == ["In-App Sent", "In-App Opened", "In-App Clicked"]


def test_a_dismissed_message_does_not_come_back_and_is_nobody_elses(browser: Browser) -> None:
    provider("in_app", {})
    ada = Profile.objects.get(user_id="ada")
    message = deliver(ada, template("in_app", subject="Hi", text=""))
    other = Browser(browser.key, "visitor-2")
    other.post("/v1/identify", type="identify", userId="bob")
    assert other.messages() == []
    assert other.post("/v1/in-app/report/", messageId=str(message.public_id), event="seen").status_code == 404
    assert browser.post("/v1/in-app/report/", messageId="x", event="seen").json()["field"] == "messageId"
    assert browser.post("/v1/in-app/report/", messageId=str(message.public_id), event="x").json()["field"] == "event"
    browser.post("/v1/in-app/report/", messageId=str(message.public_id), event="dismissed")
    assert browser.messages() == []
    assert Browser("pk_wrong").post("/v1/in-app/").status_code == 401


# --- Web push --------------------------------------------------------------------------------------------------------


def test_a_browser_is_pushed_to_with_what_it_alone_can_read(service: Anything, browser: Browser) -> None:
    service.raw = True
    account = make_provider(kind="web_push", is_default=True, from_email="Acme <hello@acme.example>")
    assert browser.post("/v1/push/").status_code == 404
    assert connection.check(account).ok
    assert browser.post("/v1/push/").json()["publicKey"] == Provider.objects.get().settings["vapid_public"]
    private = ec.generate_private_key(ec.SECP256R1())
    point = private.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    keys = {"p256dh": _b64(point), "auth": _b64(b"0123456789abcdef")}
    wrong = browser.post("/v1/push/", subscription={"endpoint": service.url, "keys": keys})
    assert wrong.json()["field"] == "subscription.endpoint"
    subscription = {"endpoint": "https://push.example/abc", "keys": keys}
    assert browser.post("/v1/push/", subscription=subscription).json() == {"subscribed": True}
    ada = Profile.objects.get(user_id="ada")
    assert Device.objects.get().profile == ada
    # Browsers' own services speak TLS; the stand-in does not.
    Device.objects.update(attributes={"endpoint": f"{service.url}abc", "keys": keys})
    service.status = 201
    message = deliver(
        ada, template("push", subject="Hi {{ customer.name }}", text="New", options={"url": "https://a.example"})
    )
    assert message.status == "sent", message.detail
    (call,) = service.calls
    assert call.headers["authorization"].startswith("vapid ") or "crypto-key" in call.headers
    plain = http_ece.decrypt(call.body, private_key=private, auth_secret=b"0123456789abcdef", version="aes128gcm")
    said = json.loads(plain)
    assert (said["title"], said["body"], said["id"]) == ("Hi Ada", "New", str(message.public_id))
    assert "/m/c/" in said["url"]
    service.status = 410
    assert deliver(ada, template("push", subject="Again", text="")).status == "failed"
    assert not Device.objects.exists()
    assert deliver(ada, template("push", subject="Again", text="")).reason == "no_address"


def _b64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def test_every_channel_has_a_provider_kind_and_its_own_default() -> None:
    from messaging.kinds import KINDS

    assert {kind.channel for kind in KINDS.values()} == set(ChannelName)
    first = make_provider(kind="chat", is_default=True)
    second = make_provider(kind="mailbox", is_default=True)
    assert (first.channel, second.channel) == ("chat", "email")
