"""Reporting webhooks: signed, once, in order, and for as long as it takes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings
from standardwebhooks import Webhook

from events import encryption
from messaging import consent, delivery, reporting
from messaging.channels import webhook
from messaging.models import Report, ReportEndpoint
from tests.factories import make_message, make_profile, make_provider
from tests.fakes import Answer, Call, Service

pytestmark = pytest.mark.django_db


class Program(Service):
    raw, status = True, 200

    def answer(self, call: Call) -> Answer:
        return self.status, {}, {}


@pytest.fixture
def program(settings: Settings) -> Iterator[Program]:
    settings.CALLS_TO_PRIVATE_ADDRESSES = True
    with Program() as running:
        yield running


def endpoint(program: Program, **columns: Any) -> tuple[ReportEndpoint, str]:
    secret = webhook.new_secret()
    made = ReportEndpoint.objects.create(name="CRM", url=program.url, secret=encryption.encrypt(secret), **columns)
    return made, secret


def post() -> int:
    return reporting.post_due(timezone.now(), float("inf"))


def send(name: str = "ada") -> None:
    make_message(make_profile(name, traits={"email": f"{name}@example.com"}))
    delivery.deliver_due(float("inf"))


def test_a_program_is_told_and_can_check_who_tells(program: Program) -> None:
    make_provider(is_default=True)
    _, secret = endpoint(program)
    send()
    assert post() == 2
    (call,) = program.calls
    said = Webhook(secret).verify(call.body, call.headers)
    assert [event["type"] for event in said["events"]] == ["Email Sent", "Email Delivered"]
    assert said["events"][0]["data"]["message_id"]
    assert not Report.objects.exists()
    assert post() == 0


def test_only_what_is_chosen_is_told_and_nothing_to_who_is_off(program: Program) -> None:
    make_provider(is_default=True)
    endpoint(program, deeds=["skipped"])
    ReportEndpoint.objects.create(name="Off", url=program.url, enabled=False)
    send()
    gone = make_profile("gone", traits={"email": "gone@example.com"})
    consent.unsubscribe(gone.pk, "manual")
    make_message(gone)
    delivery.deliver_due(float("inf"))
    assert list(Report.objects.values_list("body__type", flat=True)) == ["Email Skipped"]


def test_who_is_down_is_told_later_and_given_up_after_days(program: Program) -> None:
    make_provider(is_default=True)
    made, _ = endpoint(program)
    send()
    program.status = 503
    assert (post(), post()) == (0, 0)
    assert len(program.calls) == 1, "it rests"
    made.refresh_from_db()
    assert (made.failures, "503" in made.problem, made.enabled) == (1, True, True)
    ReportEndpoint.objects.update(next_at=timezone.now())
    program.status = 200
    assert post() == 2
    assert program.calls[0].headers["webhook-id"] == program.calls[1].headers["webhook-id"]
    send("bob")
    program.status = 500
    ReportEndpoint.objects.update(failing_since=timezone.now() - timedelta(days=4), next_at=timezone.now())
    post()
    made.refresh_from_db()
    assert not made.enabled


def test_the_secret_is_shown_once(admin_client: Client) -> None:
    said = {"name": "CRM", "url": "https://crm.example/hooks", "enabled": "on", "deeds": ["opened", "clicked"]}
    text = admin_client.post("/admin/messaging/reportendpoint/add/", said, follow=True).content.decode()
    assert "whsec_" in text
    made = ReportEndpoint.objects.get()
    assert made.deeds == ["opened", "clicked"]
    assert "whsec_" not in admin_client.get(f"/admin/messaging/reportendpoint/{made.pk}/change/").content.decode()
