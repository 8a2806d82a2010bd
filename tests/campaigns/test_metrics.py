"""Figures are exact at any moment, before and after folding, and replays do not move them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns import metrics
from campaigns.models import StepCount, StepCountChange
from events import log
from messaging.models import Message
from tests.campaigns.flow import happens, make_campaign, settle
from tests.factories import make_profile

pytestmark = pytest.mark.django_db


def report(name: str, **properties: object) -> None:
    message = Message.objects.latest("id")
    values = {"message_id": str(message.public_id), **properties}
    log.append([log.Entry(message.profile_id, name, values, timezone.now())])


def test_what_messaging_reports_counts_for_the_step_that_sent() -> None:
    campaign = make_campaign()
    happens(make_profile())
    settle()
    for name in ("Email Sent", "Email Delivered", "Email Opened", "Email Clicked"):
        report(name)
    report("Email Clicked", first=False, url="https://example.com/2")
    settle()
    figures = metrics.totals(campaign)
    assert figures["mail"] == {"visited": 1, "sent": 1, "delivered": 1, "opened": 1, "clicked": 1}
    assert figures[""] == {"entered": 1, "ended": 1}


def test_folding_changes_no_figure() -> None:
    campaign = make_campaign()
    for _ in range(3):
        happens(make_profile())
        settle()
    before = metrics.totals(campaign)
    metrics.fold()
    assert not StepCountChange.objects.exists()
    assert metrics.totals(campaign) == before
    happens(make_profile())
    settle()
    metrics.fold()
    metrics.fold()
    assert metrics.totals(campaign)[""]["entered"] == 4
    assert StepCount.objects.filter(metric="entered").count() == 1


def test_figures_by_day_by_version_and_over_all_campaigns() -> None:
    campaign = make_campaign()
    happens(make_profile())
    settle()
    today = timezone.now().date()
    assert (today, "", "entered", 1) in metrics.by_day(campaign, today)
    assert metrics.by_day(campaign, today + timedelta(days=1)) == []
    assert metrics.totals(campaign, campaign.live_version)[""]["entered"] == 1
    assert metrics.of_campaigns(today)[campaign.pk]["visited"] == 1


def test_an_application_cannot_fake_a_report() -> None:
    campaign, ada = make_campaign(), make_profile()
    happens(ada)
    settle()
    from tests.factories import make_source

    message_id = str(Message.objects.get().public_id)
    happens(ada, "Email Opened", {"message_id": message_id}, source=make_source())
    settle()
    assert "opened" not in metrics.totals(campaign)["mail"]
