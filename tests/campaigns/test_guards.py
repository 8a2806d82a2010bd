"""The circuit breaker: campaigns whose messages go wrong are stopped, with the reason, and resumed by hand."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from campaigns import guards, metrics, publishing, rollouts, tasks
from campaigns.models import Campaign, Journey, LivePeriod, RecentCount, Safeguards
from events import log, testers
from messaging.models import Message
from tests.campaigns.flow import delay, happens, make_campaign, send, settle, statements
from tests.factories import make_profile

pytestmark = pytest.mark.django_db


def count(campaign: Campaign, at: datetime, **figures: int) -> None:
    for metric, number in figures.items():
        RecentCount.objects.create(campaign=campaign, at=metrics.minute(at), metric=metric, count=number)


def check(now: datetime | None = None) -> list[int]:
    return guards.check(now or timezone.now())


def state(campaign: Campaign) -> tuple[str, str]:
    campaign.refresh_from_db()
    return campaign.status, campaign.paused_because


def report(messages: list[Message], name: str, at: datetime | None = None) -> None:
    log.append(
        [log.Entry(m.profile_id, name, {"message_id": str(m.public_id)}, at or timezone.now()) for m in messages]
    )
    settle()


def test_too_many_bounces_pause_the_campaign_and_say_why() -> None:
    campaign, well = make_campaign(send()), make_campaign(send(), event="Logged In")
    now = timezone.now()
    count(campaign, now - timedelta(minutes=5), sent=100, bounced=31)
    count(well, now - timedelta(minutes=5), sent=100, bounced=3)
    assert check() == [campaign.pk]
    because = "31 % of the 100 messages of the last hour bounced, more than 10 %"
    assert state(campaign) == ("paused", because)
    assert state(well) == ("live", "")
    assert not LivePeriod.objects.filter(campaign=campaign, ended_at=None).exists()
    assert check() == [], "it is paused already"


def test_nobody_enters_and_nobody_moves_on_while_it_is_stopped() -> None:
    campaign = make_campaign(delay(60), send())
    happens(make_profile())
    settle()
    count(campaign, timezone.now(), sent=100, bounced=31)
    check()
    happens(make_profile())
    with time_machine.travel(timezone.now() + timedelta(minutes=5)):
        settle()
    assert list(Journey.objects.values_list("state", flat=True)) == ["paused"]
    assert not Message.objects.exists()


def test_a_resume_by_hand_starts_the_count_anew() -> None:
    campaign = make_campaign(send())
    with time_machine.travel(datetime.fromisoformat("2026-03-02T10:00:30+00:00"), tick=False) as clock:
        count(campaign, timezone.now(), sent=100, bounced=31)
        assert check()
        publishing.resume(campaign)
        assert state(campaign) == ("live", "")
        assert check() == [], "what led to the halt does not do so again"
        clock.shift(timedelta(minutes=5))
        count(campaign, timezone.now(), sent=60, bounced=2)
        assert check() == []
        clock.shift(timedelta(minutes=1))
        count(campaign, timezone.now(), sent=60, bounced=30)
        assert check() == [campaign.pk]


def test_a_slow_poison_is_seen_over_the_day_and_a_sudden_one_over_the_hour() -> None:
    slow, sudden = make_campaign(send()), make_campaign(send(), event="Logged In")
    now = timezone.now()
    for hours in range(2, 20):
        count(slow, now - timedelta(hours=hours), sent=10, bounced=2)
        count(sudden, now - timedelta(hours=hours), sent=1_000, bounced=1)
    count(sudden, now - timedelta(minutes=20), sent=60, bounced=20)
    assert check() == [slow.pk, sudden.pk]
    assert "of the last day bounced" in state(slow)[1] and "of the last hour bounced" in state(sudden)[1]


def test_what_is_older_than_a_day_counts_no_more() -> None:
    campaign = make_campaign(send())
    count(campaign, timezone.now() - timedelta(hours=25), sent=100, bounced=90)
    assert check() == []


def test_the_workspace_sets_the_limits_and_can_take_them_away() -> None:
    campaign = make_campaign(send())
    count(campaign, timezone.now(), sent=100, bounced=31)
    row = Safeguards.objects.create(bounce_limit=None)
    assert check() == []
    row.bounce_limit, row.sample = 5, 101
    row.save()
    assert check() == [], "too few messages"
    row.sample = 100
    row.save()
    assert check() == [campaign.pk]


def test_a_halted_roll_out_lets_nobody_in_and_stays_at_its_stage() -> None:
    campaign = make_campaign(send())
    admission = rollouts.set_up(campaign, rollouts.Wanted(0, True, [10, 100], 1))
    count(campaign, timezone.now(), sent=100, bounced=31)
    later = timezone.now() + timedelta(minutes=50)
    assert check(later) == [campaign.pk]
    assert rollouts.advance_due(later + timedelta(days=1)) == 0
    admission.refresh_from_db()
    assert admission.share == 10


def test_a_report_counts_for_the_minute_in_which_its_message_was_sent() -> None:
    campaign = make_campaign(send())
    for _ in range(3):
        happens(make_profile(email="ada@example.com"))
    settle()
    sent_at = timezone.now() - timedelta(hours=3)
    messages = list(Message.objects.all())
    Message.objects.update(sent_at=sent_at, status="sent")
    report(messages, "Email Sent", sent_at)
    report(messages[:2], "Email Bounced")
    report(messages[2:], "Email Rejected")
    metrics.fold()
    found = RecentCount.objects.exclude(metric="entered").order_by("metric").values_list("at", "metric", "count")
    at = metrics.minute(sent_at)
    assert list(found) == [(at, "bounced", 2), (at, "rejected", 1), (at, "sent", 3)]
    assert metrics.totals(campaign)["mail"]["bounced"] == 2, "and the figures by day are what they were"
    (reading,) = guards.read(timezone.now())
    assert (reading.samples["hour"].bounced, reading.samples["day"].bounced) == (0, 2)


def test_test_people_stop_nothing() -> None:
    make_campaign(send())
    ada = make_profile(email="ada@example.com")
    testers.switch([ada.pk], True)
    happens(ada)
    settle()
    report(list(Message.objects.all()), "Email Bounced")
    metrics.fold()
    assert guards.read(timezone.now()) == []


def test_the_task_folds_and_stops_in_one_go() -> None:
    campaign = make_campaign(send())
    for number in range(60):
        happens(make_profile(email=f"p{number}@example.com"))
    settle()
    messages = list(Message.objects.all())
    Message.objects.update(sent_at=timezone.now(), status="sent")
    report(messages, "Email Sent")
    report(messages[:20], "Email Bounced")
    tasks.fold_counts()
    assert state(campaign)[0] == "paused"


def test_looking_costs_the_same_however_many_campaigns_there_are() -> None:
    first = statements(check)
    for number in range(5):
        count(make_campaign(send(), event=f"Event {number}"), timezone.now(), sent=100, bounced=1)
    assert statements(check) == first == 2


def test_somebody_who_resumed_between_the_look_and_the_halt_is_not_overruled() -> None:
    campaign = make_campaign(send())
    assert not publishing.halt(campaign.pk, "of a look that is over", timezone.now())
    assert state(campaign) == ("live", "")


def test_the_campaigns_page_says_why_and_what_the_rates_are(admin_client: Client) -> None:
    campaign = make_campaign(send())
    count(campaign, timezone.now(), sent=100, bounced=31)
    page = f"/admin/campaigns/campaign/{campaign.pk}/rollout/"
    said = " ".join(admin_client.get(page).content.decode().split())
    assert "31.00 % (31 of 100)" in said and "Stopped by itself" not in said
    check()
    said = " ".join(admin_client.get(page).content.decode().split())
    assert "Stopped by itself: 31 % of the 100 messages of the last hour bounced, more than 10 %." in said
    assert "31.00 % (31 of 100)" in said, "whoever looks why still sees the rates"
    admin_client.post(f"/admin/campaigns/campaign/{campaign.pk}/resume/")
    assert state(campaign) == ("live", "")


def test_recent_figures_are_forgotten_and_the_others_stay() -> None:
    campaign = make_campaign(send())
    now = timezone.now()
    count(campaign, now - timedelta(days=10), sent=1)
    count(campaign, now, sent=2)
    metrics.forget_recent(now)
    assert RecentCount.objects.get().count == 2
