"""One message to one person by API: once per key, and by the rules that hold for every message."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from events.models import Profile
from messaging import delivery
from messaging.models import Message, Priority, Purpose
from tests.events.api.manage.test_lists import token as make_token
from tests.factories import make_profile, make_provider, make_template

pytestmark = pytest.mark.django_db


@pytest.fixture
def token() -> str:
    make_provider(is_default=True)
    make_template(
        "Reset", purpose=Purpose.TRANSACTIONAL, subject="Code {{ trigger.code }}", html="<p>{{ event.code }}</p>"
    )
    return make_token("messages:write")


def call(token: str, said: Any = None, **headers: str) -> Any:
    body = {"template": "Reset", "to": {"email": "ada@example.com"}, "data": {"code": "123"}, **(said or {})}
    return Client().post(
        "/api/v1/send/", body, "application/json", headers={"Authorization": f"Bearer {token}", **headers}
    )


def test_somebody_new_gets_it_at_once(token: str) -> None:
    answer = call(token)
    assert answer.status_code == 202, answer.content
    assert delivery.deliver_due(float("inf")) == 1
    message = Message.objects.select_related("body").get()
    assert str(message.public_id) == answer.json()["message_id"]
    assert (message.subject, message.address, message.priority) == ("Code 123", "ada@example.com", Priority.URGENT)
    assert "<p>123</p>" in message.body.html
    assert Profile.objects.get().email == "ada@example.com"


def test_the_same_key_queues_nothing_more(token: str) -> None:
    first = call(token, **{"Idempotency-Key": "order-7"}).json()
    second = call(token, **{"Idempotency-Key": "order-7"}).json()
    assert (second["message_id"], second["repeated"]) == (first["message_id"], True)
    assert Message.objects.count() == 1
    other = call(token, {"data": {"code": "9"}}, **{"Idempotency-Key": "order-7"})
    assert (other.status_code, other.json()["field"]) == (409, "idempotencyKey")
    assert call(make_token("messages:write"), **{"Idempotency-Key": "order-7"}).json()["repeated"] is False


def test_it_waits_until_its_time_and_has_its_own_sender(token: str) -> None:
    later = timezone.now() + timedelta(hours=2)
    assert call(token, {"sendAt": later.isoformat(), "from": "Shop <shop@acme.example>"}).status_code == 202
    assert delivery.deliver_due(float("inf")) == 0
    Message.objects.update(due_at=timezone.now())
    delivery.deliver_due(float("inf"))
    assert Message.objects.get().body.from_email == "Shop <shop@acme.example>"


def test_marketing_by_api_needs_consent_like_any_other(token: str) -> None:
    from messaging import consent

    make_template("News", purpose=Purpose.MARKETING)
    ada = make_profile(email="ada@example.com", user_id="ada")
    consent.unsubscribe(ada.pk, "manual")
    assert call(token, {"template": "News", "to": {"userId": "ada"}}).status_code == 202
    delivery.deliver_due(float("inf"))
    assert Message.objects.get().reason == "unsubscribed"


@pytest.mark.parametrize(
    ("said", "status", "field"),
    [
        ({"template": ""}, 400, "template"),
        ({"template": "Nothing"}, 404, "template"),
        ({"to": {}}, 400, "to"),
        ({"to": {"name": "Ada"}}, 400, "to.name"),
        ({"to": {"email": "no address"}}, 400, "to.email"),
        ({"to": {"userId": "nobody"}}, 400, "to.userId"),
        ({"sendAt": "tomorrow"}, 400, "sendAt"),
        ({"data": []}, 400, "data"),
        ({"more": 1}, 400, "more"),
    ],
)
def test_mistakes_name_their_field(token: str, said: dict[str, Any], status: int, field: str) -> None:
    answer = call(token, said)
    assert (answer.status_code, answer.json()["field"]) == (status, field)
    assert not Message.objects.exists()


def test_a_token_that_may_only_read_sends_nothing(token: str) -> None:
    assert call(make_token("messages:read")).status_code == 403
