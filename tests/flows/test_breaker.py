"""Control group and circuit breaker with everything running: from the tracking API to a campaign that is stopped."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from campaigns import metrics
from campaigns.engine import groups
from campaigns.models import Admission, Campaign, Decision, Finding, Journey
from campaigns.reasons import Entry
from events.models import Profile
from messaging import credentials
from messaging.models import Provider, Template
from tests import stack
from tests.campaigns.flow import make_campaign
from tests.factories import make_key
from tests.fakes import FakeSendGrid, sendgrid_report

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
SECRET = "hook:secret"
PEOPLE = 120


def make_mailing(service: FakeSendGrid) -> Campaign:
    provider = Provider(name="SendGrid", kind="sendgrid", from_email="Acme <hello@acme.test>", is_default=True)
    provider.settings = {"api_url": service.url}
    credentials.store(provider, {"api_key": "SG.test"})
    provider.save()
    template = Template.objects.create(name="Hello", subject="Hello", html="<a href='{{ unsubscribe_url }}'>Out</a>")
    goal = {"event": "Order Completed", "hours": 24}
    campaign = make_campaign({"id": "mail", "kind": "send", "name": "Mail", "template": template.pk}, goal=goal)
    Admission.objects.create(campaign=campaign, holdout=30)
    return campaign


def track(running: stack.Stack, key: str, calls: list[dict[str, Any]]) -> None:
    answer = requests.post(f"{running.base_url}/v1/batch", json={"batch": calls}, auth=(key, ""), timeout=20)
    assert answer.status_code == 200, answer.text


def signs_up(number: int) -> list[dict[str, Any]]:
    who = f"person-{number}"
    return [
        {"type": "identify", "userId": who, "traits": {"email": f"{who}@example.com"}},
        {"type": "track", "userId": who, "event": "Signed Up"},
    ]


def test_a_campaign_that_bounces_is_stopped_within_seconds_and_the_control_group_is_measured() -> None:
    with stack.running(WEBHOOK_SECRET=SECRET) as running, FakeSendGrid() as sendgrid:
        campaign, key = make_mailing(sendgrid), make_key()
        track(running, key, [call for number in range(PEOPLE) for call in signs_up(number)])
        stack.wait_for(lambda: Decision.objects.count() == PEOPLE, 60, "the decisions")
        held = {p.pk for p in Profile.objects.all() if groups.is_held_out(campaign.pk, p.pk, 30)}
        assert set(Decision.objects.filter(entry=Entry.HELD_OUT).values_list("profile", flat=True)) == held
        stack.wait_for(lambda: len(sendgrid.taken) == PEOPLE - len(held), 60, "the mails")
        someone_held = Profile.objects.get(pk=min(held))
        track(running, key, [{"type": "track", "userId": someone_held.user_id, "event": "Order Completed"}])
        bounces = [
            sendgrid_report("bounce", call.body, type="bounce", reason="550 5.1.1 no such user")
            for call in sendgrid.taken[: len(sendgrid.taken) * 3 // 10]
        ]
        address = f"{running.base_url}/webhooks/anymail/sendgrid/tracking/"
        assert requests.post(address, json=bounces, auth=tuple(SECRET.split(":")), timeout=20).status_code == 200
        stack.wait_for(lambda: Campaign.objects.get().status == "paused", 40, "the halt")
        assert "bounced, more than 10 %" in Campaign.objects.get().paused_because
        track(running, key, signs_up(PEOPLE + 1))
        stack.wait_for(lambda: Finding.objects.filter(kind="halted", until=None).exists(), 60, "the finding")
        assert not Journey.objects.filter(profile__user_id=f"person-{PEOPLE + 1}").exists()
        stack.wait_for(lambda: metrics.totals(campaign)[""].get("held_out_goal") == 1, 30, "the conversion")
        assert metrics.totals(campaign)[""]["held_out"] == len(held)
