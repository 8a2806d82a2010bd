"""Marketing is held where too much goes wrong with a provider, a sending domain or the mailboxes at a provider."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from campaigns import alerts, guards, watch
from campaigns.models import Finding, Safeguards
from events.models import AuditEntry
from messaging import carrier_counts, delivery, feedback
from messaging.carrier_counts import Happened
from messaging.models import CarrierCount, Hold, Message, Provider
from messaging.reasons import Reason
from messaging.states import Status
from tests.campaigns.test_calling import receiving
from tests.factories import make_message, make_profile, make_version
from tests.fakes import FakeSendGrid
from tests.messaging.services import sendgrid_provider

pytestmark = pytest.mark.django_db


def send(provider: Provider, address: str, **columns: Any) -> Message:
    return make_message(make_profile(traits={"email": address}), provider=provider, **columns)


def deliver() -> None:
    delivery.deliver_due(time.monotonic() + 20)


def report(message: Message, kind: str, **columns: Any) -> None:
    key = f"{kind}:{message.pk}"
    feedback.record([feedback.Report(kind, key, timezone.now(), message_public_id=str(message.public_id), **columns)])


def figures(name: str) -> dict[str, int]:
    found = carrier_counts.by_mailboxes(timezone.now() - timedelta(hours=1))
    return {
        key: count
        for key, count in next(row for row in found if row["name"] == name).items()
        if count and key != "name"
    }


def test_what_is_sent_and_comes_back_is_counted_once_by_whose_mailboxes_they_are() -> None:
    with FakeSendGrid() as fake:
        provider = sendgrid_provider(fake, from_email="Acme <hello@acme.example>")
        version = make_version()
        sent = [send(provider, f"p{n}@gmail.com", template_version=version) for n in range(3)]
        send(provider, "ada@acme.example", template_version=version)
        deliver()
        for _ in range(2):
            report(sent[0], "bounced", hard=True)
        report(sent[1], "complained")
        report(sent[1], "unsubscribed")
        report(sent[2], "opened")
    assert figures("Gmail") == {"sent": 3, "bounced": 1, "complained": 1, "unsubscribed": 1}
    assert figures("others") == {"sent": 1}
    assert set(CarrierCount.objects.values_list("provider", "sender")) == {(provider.pk, "acme.example")}
    rows = CarrierCount.objects.count()
    carrier_counts.fold(timezone.now())
    assert CarrierCount.objects.count() < rows
    assert figures("Gmail") == {"sent": 3, "bounced": 1, "complained": 1, "unsubscribed": 1}


def test_old_figures_are_kept_by_the_hour_and_then_forgotten() -> None:
    with FakeSendGrid() as fake:
        provider = sendgrid_provider(fake)
    noon = timezone.now().replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=3)
    for minutes in (0, 10, 20):
        at = noon + timedelta(minutes=minutes)
        carrier_counts.add([Happened("sent", at, provider.pk, "a@acme.example", "x@gmail.com")])
    carrier_counts.add([Happened("sent", noon - timedelta(days=60), provider.pk, "a@acme.example", "x@gmail.com")])
    carrier_counts.fold(timezone.now())
    assert CarrierCount.objects.values_list("bucket", "sent").get() == (noon, 3)


def run_wild(provider: Provider, address: str = "x@gmail.com", metric: str = "bounced", sent: int = 100) -> None:
    now = timezone.now()
    happened = [Happened("sent", now, provider.pk, "hello@acme.example", address) for _ in range(sent)]
    happened += [Happened(metric, now, provider.pk, "hello@acme.example", address) for _ in range(sent // 5)]
    carrier_counts.add(happened)


@pytest.mark.parametrize("metric", ["bounced", "complained", "unsubscribed", "failed", "rejected"])
def test_a_breach_holds_what_causes_it(metric: str) -> None:
    with FakeSendGrid() as fake:
        provider = sendgrid_provider(fake, name="SendGrid")
    run_wild(provider, metric=metric)
    assert set(guards.check_carriers(timezone.now())) == {
        ("provider", str(provider.pk)),
        ("sender", "acme.example"),
        ("mailboxes", "Gmail"),
    }
    assert guards.check_carriers(timezone.now()) == [], "once"
    hold = Hold.objects.get(kind="provider")
    assert (hold.label, str(hold)) == ("SendGrid", "Provider SendGrid")
    assert "of the last hour" in hold.because


def test_few_mails_and_the_mailboxes_of_everybody_else_hold_nothing() -> None:
    with FakeSendGrid() as fake:
        provider, other = sendgrid_provider(fake), sendgrid_provider(fake)
    run_wild(provider, sent=40)
    assert guards.check_carriers(timezone.now()) == []
    Safeguards.objects.update_or_create(pk=1, defaults={"bounce_limit": None})
    run_wild(other, sent=1000)
    assert guards.check_carriers(timezone.now()) == [], "nobody watches bounces"
    Safeguards.objects.update(bounce_limit=10)
    CarrierCount.objects.all().delete()
    run_wild(other, "x@acme.example")
    assert {kind for kind, _ in guards.check_carriers(timezone.now())} == {"provider", "sender"}


def test_marketing_waits_for_a_hold_receipts_do_not_and_whoever_lifts_it_lets_it_go(admin_client: Client) -> None:
    with FakeSendGrid() as fake:
        provider = sendgrid_provider(fake, from_email="hello@acme.example")
        run_wild(provider)
        guards.check_carriers(timezone.now())
        version = make_version()
        marketing = send(provider, "ada@example.com", template_version=version)
        send(provider, "ben@example.com", template_version=version, purpose="transactional")
        deliver()
        assert len(fake.taken) == 1
        marketing.refresh_from_db()
        assert (marketing.status, marketing.reason) == (Status.QUEUED, Reason.HELD)
        page = admin_client.get("/admin/messaging/sendingdomain/").content.decode()
        assert page.count("Let marketing go on") == 3
        for hold in Hold.objects.all():
            admin_client.post(f"/admin/messaging/sendingdomain/holds/{hold.pk}/lift/")
        assert not Hold.open().exists()
        assert Hold.objects.first().lifted_by == "admin"  # type: ignore[union-attr]
        assert AuditEntry.objects.filter(action="holds").count() == 3
        assert guards.check_carriers(timezone.now()) == [], "what was sent before counts no more"
        deliver()
        assert len(fake.taken) == 2


def test_operators_are_told_by_mail_and_by_webhook_with_what_to_do(settings: Settings) -> None:
    settings.CALLS_TO_PRIVATE_ADDRESSES = True
    with FakeSendGrid() as fake:
        provider = sendgrid_provider(fake)
    run_wild(provider)
    now = timezone.now()
    guards.check_carriers(now)
    with receiving() as receiver:
        Safeguards.objects.update_or_create(
            pk=1, defaults={"operators": "ops@acme.example", "webhook": f"{receiver.url}/alerts"}
        )
        watch.look(now)
        assert alerts.tell(now) == 3
        told = json.loads(receiver.heard[0][3])["data"]
    assert {row["kind"] for row in told} == {"held"}
    assert {row["subject"].partition(" ")[0] for row in told} == {"provider", "sender", "mailboxes"}
    body = str(mail.outbox[0].body)
    assert "Marketing is held: Mailboxes at Gmail. 20 % of the 100 messages of the last hour bounced" in body
    assert "let marketing go on there" in body and "/admin/messaging/sendingdomain/" in body
    Hold.objects.update(lifted_at=now)
    watch.look(now)
    assert Finding.objects.filter(until=None).count() == 0
