"""The whole way, nothing faked but the provider at its end: client library, web, worker, beat, webhooks, figures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import segment.analytics.client as segment

from campaigns import metrics
from campaigns.models import Campaign, Decision, Journey, Visit
from events.models import ApiToken, hash_key
from messaging import credentials
from messaging.models import Message, Provider, Suppression, Template, Unsubscription
from tests import stack
from tests.campaigns.flow import make_campaign
from tests.factories import make_key
from tests.fakes import FakePostmark, FakeSendGrid, Service

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
SECRET = "hook:secret"
TOKEN = "cb_for_the_test"
ALL_DAYS = {"id": "hours", "kind": "window", "days": list(range(7)), "start": "00:00", "end": "00:00"}


@pytest.fixture
def running() -> Iterator[stack.Stack]:
    ApiToken.objects.create(label="test", key_hash=hash_key(TOKEN))
    with stack.running(WEBHOOK_SECRET=SECRET) as processes:
        yield processes


def make_provider(kind: str, service: Service, **secrets: str) -> Provider:
    provider = Provider(name=kind, kind=kind, from_email="Acme <hello@acme.test>", settings={"api_url": service.url})
    provider.is_default = kind == Provider.Kind.SENDGRID
    credentials.store(provider, secrets)
    provider.save()
    return provider


def make_pricing_campaign(provider: Provider) -> Campaign:
    template = Template.objects.create(
        name=f"Pricing by {provider}",
        provider=provider,
        subject="{{ customer.first_name | capitalize }}, {{ trigger.plan_name }} in short",
        html="<p>The {{ trigger.plan_name }} plan</p><a href='{{ unsubscribe_url }}'>Unsubscribe</a>",
    )
    pro = {"id": "pro", "if": {"trait": "plan", "is": "pro"}, "steps": [{"id": "out", "kind": "exit"}]}
    return make_campaign(
        {"id": "wait", "kind": "delay", "name": "Wait", "seconds": 120},
        ALL_DAYS,
        {"id": "which", "kind": "branch", "paths": [pro]},
        {"id": "mail", "kind": "send", "name": "Mail", "template": template.pk},
        event="Visited Pricing Page",
        trigger={"event": "Visited Pricing Page", "where": {"property": "visits", "gte": 2}},
        reentry={"rule": "always"},
        goal={"event": "Order Completed", "hours": 24},
        speed=60,
    )


def report(running: stack.Stack, key: str, calls: list[tuple[str, tuple[Any, ...]]]) -> None:
    """Send calls with Segment's own library, unchanged but for the host."""
    errors: list[Any] = []
    client = segment.Client(key, host=running.base_url, on_error=lambda error, batch: errors.append(error))
    for method, arguments in calls:
        getattr(client, method)(*arguments)
    client.shutdown()
    assert errors == []


def visit_pricing(user_id: str, **traits: Any) -> list[tuple[str, tuple[Any, ...]]]:
    traits = {"email": f"{user_id}@example.com", "first_name": user_id, **traits}
    track = ("track", (user_id, "Visited Pricing Page", {"plan_name": "Team", "visits": 3}))
    return [("identify", (user_id, traits)), track]


def post_reports(running: stack.Stack, kind: str, reports: Any) -> None:
    address = f"{running.base_url}/webhooks/anymail/{kind}/tracking/"
    assert requests.post(address, json=reports, timeout=10).status_code == 400, "a webhook without the secret"
    user, password = SECRET.split(":")
    assert requests.post(address, json=reports, auth=(user, password), timeout=10).status_code == 200


def delivery(running: stack.Stack, message_id: str) -> dict[str, Any]:
    address = f"{running.base_url}/api/v1/manage/deliveries/{message_id}/"
    answer = requests.get(address, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def test_from_client_library_to_figures_by_sendgrid(running: stack.Stack) -> None:
    key = make_key()
    with FakeSendGrid() as sendgrid:
        campaign = make_pricing_campaign(make_provider("sendgrid", sendgrid, api_key="SG.test"))
        pro = visit_pricing("pro", plan="pro")
        few = [("track", ("grace", "Visited Pricing Page", {"visits": 1}))]
        report(running, key, [*visit_pricing("ada"), *pro, *few])
        stack.wait_for(lambda: sendgrid.taken, 30, "the mail")
        mail = sendgrid.taken[0].body
        assert mail["personalizations"][0]["to"] == [{"email": "ada@example.com"}]
        assert mail["subject"] == "Ada, Team in short"
        message_id = sendgrid.message_ids()[0]
        for event in ("delivered", "open", "delivered", "click"):
            post_reports(running, "sendgrid", sendgrid.reports(event, url="https://acme.test/"))
        stack.wait_for(lambda: metrics.totals(campaign).get("mail", {}).get("clicked"), 30, "the figures")
        assert metrics.totals(campaign)["mail"] == dict.fromkeys(
            ["visited", "sent", "delivered", "opened", "clicked"], 1
        )
        found = delivery(running, message_id)
        assert found["status"] == "clicked"
        assert sorted(event["type"] for event in found["events"]) == ["clicked", "delivered", "delivered", "opened"]
        assert sorted(Journey.objects.values_list("profile__user_id", "ending")) == [
            ("ada", "completed"),
            ("pro", "exit_step"),
        ]
        assert Decision.objects.get(profile__user_id="grace").entry == "filtered"
        assert Visit.objects.get(step_id="mail").message == Message.objects.get()
        unsubscribe_in_one_click(mail)
        assert Unsubscription.objects.get().profile.user_id == "ada"
        report(running, key, visit_pricing("ada")[1:])
        stack.wait_for(lambda: Message.objects.filter(reason="unsubscribed", status="skipped").exists(), 30, "the skip")
        assert len(sendgrid.taken) == 1


def unsubscribe_in_one_click(mail: dict[str, Any]) -> None:
    """Do what a mail program's button does: one POST, no cookies."""
    headers = mail["headers"]
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    address = re.search(r"<(http[^>]+)>", headers["List-Unsubscribe"])
    assert address
    assert requests.get(address[1], timeout=10).status_code == 200
    assert not Unsubscription.objects.exists(), "looking is not unsubscribing: scanners follow every link"
    answer = requests.post(address[1], data={"List-Unsubscribe": "One-Click"}, timeout=10)
    assert answer.status_code == 200


def test_a_bounce_at_postmark_suppresses_the_address_and_a_goal_stops_the_mail(running: stack.Stack) -> None:
    key = make_key()
    with FakePostmark() as postmark:
        campaign = make_pricing_campaign(make_provider("postmark", postmark, server_token="token"))
        ordered = [*visit_pricing("bought"), ("track", ("bought", "Order Completed", {"total": 29}))]
        report(running, key, [*visit_pricing("ada"), *ordered])
        stack.wait_for(lambda: postmark.taken, 30, "the mail")
        message = Message.objects.get()
        stack.wait_for(lambda: Message.objects.filter(status="sent").exists(), 10, "the settled message")
        message.refresh_from_db()
        bounce = {
            "RecordType": "Bounce",
            "Type": "HardBounce",
            "TypeCode": 1,
            "MessageID": message.provider_message_id,
            "Metadata": {"message_id": str(message.public_id)},
            "Description": "The server was unable to deliver your message.",
            "Details": "smtp;550 5.1.1 The email account does not exist.",
            "Email": "ada@example.com",
            "BouncedAt": "2026-11-20T10:00:00Z",
            "ID": 42,
        }
        for _ in range(2):
            post_reports(running, "postmark", bounce)
        assert delivery(running, message.provider_message_id)["status"] == "bounced"
        assert Suppression.objects.get().address == "ada@example.com"
        stack.wait_for(lambda: metrics.totals(campaign)["mail"].get("bounced"), 30, "the figures")
        assert metrics.totals(campaign)["mail"]["bounced"] == 1
        report(running, key, visit_pricing("ada")[1:])
        stack.wait_for(lambda: Message.objects.filter(reason="suppressed", status="skipped").exists(), 30, "the skip")
        assert Journey.objects.get(profile__user_id="bought").ending == "goal"
        assert len(postmark.taken) == 1
