"""A campaign says things on every channel: each step's template decides on which."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from campaigns import metrics, preflight
from campaigns.models import Campaign, Metric
from campaigns.simulate import Happens, Run, simulate
from events.models import Event
from messaging import delivery
from messaging.models import Message, Provider
from tests.campaigns.flow import happens, make_campaign, make_template, settle
from tests.factories import make_profile, make_provider

pytestmark = pytest.mark.django_db
CHANNELS: dict[str, dict[str, Any]] = {
    "sms": {"text": "Hi {{ customer.name }}"},
    "in_app": {"subject": "Hi {{ customer.name }}", "text": "News"},
    "email": {"subject": "Hi {{ customer.name }}", "html": "<p>Hi</p>"},
}


def campaign_of(*channels: str) -> Campaign:
    steps = []
    for channel in channels:
        defaults = {"subject": "", "html": "", "text": "", **CHANNELS[channel]}
        template = make_template(channel, channel=channel, **defaults)
        steps.append({"id": channel, "kind": "send", "name": channel, "template": template.pk})
    return make_campaign(*steps, name="Everywhere")


@pytest.fixture(autouse=True)
def providers() -> None:
    for kind in ("mailbox", "in_app", "sms_gateway"):
        make_provider(
            "Mailbox" if kind == "mailbox" else "",
            kind,
            is_default=True,
            settings={"gateway_url": "https://sms.example"},
        )
    # Nothing is called: text messages stay here as well.
    Provider.objects.filter(kind="sms_gateway").update(kind="mailbox")


def test_one_journey_on_three_channels() -> None:
    campaign = campaign_of("sms", "in_app", "email")
    ada = make_profile("ada", traits={"name": "Ada", "email": "ada@example.com"}, phone="+436601234567")
    happens(ada)
    settle()
    delivery.deliver_due(float("inf"))
    settle()
    assert set(Message.objects.values_list("channel", "status", "address")) == {
        ("sms", "delivered", "+436601234567"),
        ("in_app", "sent", "in_app"),
        ("email", "delivered", "ada@example.com"),
    }
    names = set(Event.objects.filter(profile=ada).values_list("name", flat=True))
    assert {"SMS Sent", "In-App Sent", "Email Sent"} <= names
    totals = metrics.totals(campaign, None)
    assert sum(counts.get(Metric.SENT, 0) for step, counts in totals.items() if step) == 3


def test_trying_out_shows_what_each_channel_says() -> None:
    campaign = campaign_of("sms", "in_app", "email")
    who = {"name": "Ada", "email": "ada@example.com", "phone": "+436601234567"}
    found = simulate(Run(campaign, who, [Happens("Signed Up")], timezone.now()))
    assert {mail.text.strip() for mail in found.mails} >= {"Hi Ada", "News"}
    assert {mail.reason for mail in found.mails} == {None}


def test_a_channel_that_nobody_carries_is_warned_of() -> None:
    campaign = campaign_of("in_app")
    assert "provider" not in {finding.code for finding in preflight.warnings(campaign)}
    Provider.objects.filter(channel="in_app").delete()
    assert "provider" in {finding.code for finding in preflight.warnings(campaign)}
