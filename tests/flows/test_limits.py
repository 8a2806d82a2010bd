"""What limits promise, with real processes: nothing leaves while everything is held, and then each message once."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
import requests
from django.utils import timezone

from events.audit import Actor
from messaging import limits
from messaging.models import Message, Template
from tests import stack
from tests.campaigns.flow import make_campaign
from tests.factories import make_key
from tests.fakes import FakeSendGrid
from tests.messaging.services import sendgrid_provider

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
PATIENCE = 40


def choose(mode: str, **changes: Any) -> None:
    limits.choose({"mode": mode, **changes}, Actor("tests"))


def make_mail(name: str, **definition: Any) -> None:
    """Publish a campaign that answers "Signed Up" with a mail of its own."""
    html = "<p>Hello</p><a href='{{ unsubscribe_url }}'>Unsubscribe</a>"
    template = Template.objects.create(name=name, subject=name, html=html)
    make_campaign({"id": "mail", "kind": "send", "name": "Mail", "template": template.pk}, name=name, **definition)


def sign_up(running: stack.Stack, key: str, people: int) -> None:
    batch: list[dict[str, Any]] = []
    for number in range(people):
        who = {"userId": f"user-{number}"}
        batch += [
            {"type": "identify", **who, "traits": {"email": f"p{number}@example.com"}},
            {"type": "track", "event": "Signed Up", **who},
        ]
    answer = requests.post(f"{running.base_url}/v1/batch", json={"batch": batch}, auth=(key, ""), timeout=30)
    assert answer.status_code == 200, answer.text


def test_nothing_leaves_while_everything_is_held_and_then_each_message_once() -> None:
    with FakeSendGrid() as sendgrid, stack.running("broker", "web", "worker", "worker-2", "beat") as running:
        sendgrid_provider(sendgrid, is_default=True)
        make_mail("Welcome")
        choose("hold")
        sign_up(running, make_key(), 60)
        stack.wait_for(lambda: Message.objects.count() == 60, PATIENCE, "the messages")
        # The beat looks each second.
        due = timezone.now() + timedelta(seconds=3)
        stack.wait_for(lambda: timezone.now() > due, PATIENCE)
        assert (sendgrid.calls, set(Message.objects.values_list("status", flat=True))) == ([], {"queued"})
        choose("redirect", redirect_to="tester@acme.example")
        stack.wait_for(lambda: not Message.objects.filter(status="queued").exists(), PATIENCE, "the redirected")
        stack.wait_for(lambda: not Message.objects.filter(status="sending").exists(), PATIENCE, "their outcome")
        choose("normal")
        sent = Counter(sendgrid.message_ids())
        addresses = {to["email"] for one in sendgrid.taken for to in one.body["personalizations"][0]["to"]}
    assert sent == Counter(str(public_id) for public_id in Message.objects.values_list("public_id", flat=True))
    assert addresses == {"tester@acme.example"}
