"""What stands still or runs wild is found, told of once, and once more when it is over."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from campaigns import alerts, outgoing, publishing, watch
from campaigns.models import Campaign, Finding, Journey, LivePeriod, Parked, RecentCount, Safeguards
from events.models import Pending
from tests.campaigns.flow import delay, happens, make_campaign, send, settle, statements
from tests.factories import make_event, make_profile

pytestmark = pytest.mark.django_db
Kind = Finding.Kind
NOON = datetime.fromisoformat("2026-03-04T12:30:00+00:00")  # a Wednesday


@pytest.fixture
def operators() -> Safeguards:
    return Safeguards.objects.create(operators="ops@example.com\nlead@example.com")


def found() -> list[tuple[str, int | None]]:
    return list(Finding.objects.filter(until=None).order_by("pk").values_list("kind", "campaign"))


def look(now: datetime | None = None) -> None:
    watch.look(now or timezone.now())


def make_journey(campaign: Campaign, **columns: Any) -> Journey:
    happens(make_profile())
    settle()
    journey = Journey.objects.filter(campaign=campaign).latest("pk")
    Journey.objects.filter(pk=journey.pk).update(**columns)
    return journey


def entries(campaign: Campaign, per_hour: int, *, days: range = range(1, 8), now: datetime = NOON) -> None:
    """Let so many enter in each hour of the days before."""
    for back in days:
        for hour in range(24):
            at = (now - timedelta(days=back)).replace(hour=hour, minute=0)
            RecentCount.objects.create(campaign=campaign, at=at, metric="entered", count=per_hour)
    LivePeriod.objects.filter(campaign=campaign).update(started_at=now - timedelta(days=30))


# --- What is found ---


def test_nothing_is_found_where_all_is_well() -> None:
    make_journey(make_campaign(delay(3600), send()))
    look()
    assert found() == []


def test_a_timer_that_is_a_minute_late_is_overdue() -> None:
    campaign, now = make_campaign(delay(3600), send()), timezone.now()
    journey = make_journey(campaign, due_at=now - timedelta(seconds=50))
    look(now)
    assert found() == []
    Journey.objects.filter(pk=journey.pk).update(due_at=now - timedelta(seconds=70))
    look(now)
    assert found() == [(Kind.OVERDUE, None)]
    assert Finding.objects.get().says.startswith("1 journey that should have moved on, the first at")
    Journey.objects.filter(pk=journey.pk).update(state="paused")
    look(now)
    assert found() == []


def test_stuck_journeys_and_parked_events_are_found_with_their_campaign() -> None:
    campaign = make_campaign(delay(3600), send())
    make_journey(campaign, state="stuck", error="KeyError")
    event = make_event(make_profile(), pending=True)
    Pending.objects.filter(pk=event.pk).update(parked_at=timezone.now())
    Parked.objects.create(
        event_id=event.pk,
        event_timestamp=event.timestamp,
        campaign=campaign,
        version=campaign.live_version,
        profile=event.profile,
        error="too slow",
    )
    look()
    assert set(found()) == {(Kind.STUCK, campaign.pk), (Kind.PARKED, None), (Kind.PARKED_BY_CAMPAIGN, campaign.pk)}


def test_a_campaign_that_was_stopped_is_found_until_somebody_resumes_it() -> None:
    campaign = make_campaign(send())
    publishing.halt(campaign.pk, "31 % bounced", None)
    look()
    assert found() == [(Kind.HALTED, campaign.pk)]
    publishing.resume(campaign)
    look()
    assert found() == []


def test_a_campaign_that_somebody_paused_is_none() -> None:
    publishing.pause(make_campaign(send()))
    look()
    assert found() == []


def test_a_campaign_that_nobody_enters_today_is_silent_until_somebody_does() -> None:
    campaign, quiet = make_campaign(send()), make_campaign(send(), event="Logged In")
    entries(campaign, 3)
    entries(quiet, 1)
    look(NOON.replace(hour=4))
    assert found() == [], "by four o'clock only twelve had entered on the other days"
    look(NOON)
    assert found() == [(Kind.SILENT, campaign.pk)]
    assert "on the days before about 36 had by now" in Finding.objects.get().says
    look(NOON + timedelta(hours=13))
    assert found() == [(Kind.SILENT, campaign.pk)], "a new day that is young says nothing"
    at = (NOON + timedelta(hours=13)).replace(minute=0)
    RecentCount.objects.create(campaign=campaign, at=at, metric="entered", count=1)
    look(NOON + timedelta(hours=13, minutes=10))
    assert found() == []


def test_a_pause_explains_silence() -> None:
    campaign = make_campaign(send())
    entries(campaign, 10)
    LivePeriod.objects.filter(campaign=campaign).update(started_at=NOON - timedelta(minutes=10))
    look(NOON)
    assert found() == []


def test_far_more_than_usual_is_hot() -> None:
    campaign = make_campaign(send())
    entries(campaign, 3)
    RecentCount.objects.create(campaign=campaign, at=NOON.replace(minute=0), metric="entered", count=3 * 13 * 5)
    look(NOON)
    assert found() == []
    RecentCount.objects.update(count=3)
    RecentCount.objects.filter(at=NOON.replace(minute=0)).update(count=3 * 13 * 5 + 1)
    look(NOON)
    assert found() == [(Kind.HOT, campaign.pk)]


def test_looking_costs_the_same_however_much_is_the_matter() -> None:
    campaign = make_campaign(delay(3600), send())
    look()
    few = statements(look)
    for number in range(5):
        make_campaign(send(), event=f"Event {number}")
        make_journey(campaign, due_at=timezone.now() - timedelta(hours=1))
    look()
    assert statements(look) <= few + 2 <= 18


# --- Who is told ---


def test_operators_are_told_once_and_once_more_when_it_is_over(operators: Safeguards) -> None:
    campaign, now = make_campaign(send()), timezone.now()
    publishing.halt(campaign.pk, "31 % bounced", None)
    for minutes in range(3):
        look(now + timedelta(minutes=minutes))
        alerts.tell(now + timedelta(minutes=minutes))
    (message,) = mail.outbox
    assert message.to == ["ops@example.com", "lead@example.com"]
    assert message.subject == "[Cuebird] A campaign was stopped by itself"
    assert "31 % bounced" in message.body and f"/admin/campaigns/campaign/{campaign.pk}/rollout/" in message.body
    publishing.resume(campaign)
    look(now + timedelta(minutes=5))
    assert alerts.tell(now + timedelta(minutes=6)) == 0, "it may come back"
    assert alerts.tell(now + timedelta(minutes=11)) == 1
    assert alerts.tell(now + timedelta(minutes=12)) == 0
    assert mail.outbox[1].subject == "[Cuebird] Over: A campaign was stopped by itself"


def test_what_flickers_is_one_finding_and_one_mail(operators: Safeguards) -> None:
    campaign, now = make_campaign(delay(3600), send()), timezone.now()
    journey = make_journey(campaign, state="stuck")
    for minute in range(0, 40, 2):
        Journey.objects.filter(pk=journey.pk).update(state="stuck" if minute % 4 == 0 else "waiting")
        look(now + timedelta(minutes=minute))
        alerts.tell(now + timedelta(minutes=minute))
    assert Finding.objects.count() == len(mail.outbox) == 1


def test_what_mostly_passes_by_itself_is_told_of_only_when_it_lasts(operators: Safeguards) -> None:
    campaign, now = make_campaign(delay(3600), send()), timezone.now()
    make_journey(campaign, due_at=now - timedelta(minutes=2))
    look(now)
    assert found() == [(Kind.OVERDUE, None)] and alerts.tell(now + timedelta(minutes=3)) == 0
    assert alerts.tell(now + timedelta(minutes=5)) == 1


def test_several_findings_make_one_mail(operators: Safeguards) -> None:
    for number in range(3):
        publishing.halt(make_campaign(send(), event=f"Event {number}").pk, f"reason {number}", None)
    look()
    assert alerts.tell() == 3
    assert mail.outbox[0].subject.endswith("and 2 more")
    assert all(f"reason {number}" in mail.outbox[0].body for number in range(3))


def test_a_mail_that_cannot_be_sent_is_sent_later(operators: Safeguards, monkeypatch: pytest.MonkeyPatch) -> None:
    publishing.halt(make_campaign(send()).pk, "31 % bounced", None)
    now = timezone.now()
    look(now)

    def refuse(*args: Any, **more: Any) -> None:
        raise ConnectionRefusedError

    with monkeypatch.context() as patch:
        patch.setattr(alerts, "send_mail", refuse)
        assert alerts.tell(now) == 0
    assert alerts.tell(now + timedelta(minutes=1)) == 0, "somebody may still be about it"
    assert alerts.tell(now + timedelta(minutes=4)) == 1
    assert len(mail.outbox) == 1


def test_without_addresses_those_of_the_setting_are_told_and_else_nobody(settings: Any) -> None:
    publishing.halt(make_campaign(send()).pk, "31 % bounced", None)
    settings.ADMINS = [("", "root@example.com")]
    look()
    alerts.tell()
    assert mail.outbox[0].to == ["root@example.com"]
    settings.ADMINS = []
    publishing.halt(make_campaign(send(), event="Other").pk, "40 % bounced", None)
    look()
    assert alerts.tell() == 1 and len(mail.outbox) == 1


def test_a_web_address_is_told_the_same_signed(operators: Safeguards, monkeypatch: pytest.MonkeyPatch) -> None:
    operators.webhook = "https://ops.example.com/hook"
    operators.save()
    campaign = make_campaign(send())
    publishing.halt(campaign.pk, "31 % bounced", None)
    calls: list[tuple[Any, ...]] = []

    def call(*arguments: Any) -> outgoing.Reply:
        calls.append(arguments)
        return outgoing.Reply(500, "Down", b"")

    monkeypatch.setattr(outgoing, "call", call)
    look()
    assert alerts.tell() == 1, "the mail went out"
    ((method, url, headers, body),) = calls
    assert (method, url) == ("POST", "https://ops.example.com/hook")
    assert headers["webhook-id"] and headers["webhook-signature"].startswith("v1,")
    (row,) = json.loads(body)["data"]
    assert (row["kind"], row["campaign"], row["until"]) == ("halted", campaign.slug, None)


# --- Worker and beat ---


def test_the_web_server_notices_that_no_worker_lives_and_that_one_does_again(operators: Safeguards) -> None:
    now = timezone.now()
    watch.note_worker(False, now)
    watch.note_worker(False, now + timedelta(seconds=30))
    assert found() == [(Kind.NO_WORKER, None)]
    look(now + timedelta(seconds=40))
    assert found() == [(Kind.NO_WORKER, None)], "the beat does not judge itself"
    assert alerts.tell(now + timedelta(seconds=50)) == 0
    assert alerts.tell(now + timedelta(seconds=70)) == 1
    watch.note_worker(True, now + timedelta(minutes=3))
    assert found() == []
    assert statements(lambda: watch.note_worker(True, now)) <= 3


# --- Pages ---


def test_the_home_page_and_the_list_show_findings_and_lead_to_what_to_do(admin_client: Client) -> None:
    campaign = make_campaign(send(), name="Welcome")
    publishing.halt(campaign.pk, "31 % bounced", None)
    look()
    home = admin_client.get("/admin/").content.decode()
    assert "A campaign was stopped by itself" in home and "31 % bounced" in home
    assert f'href="/admin/campaigns/campaign/{campaign.pk}/rollout/"' in home
    listed = admin_client.get("/admin/campaigns/finding/").content.decode()
    assert "31 % bounced" in listed and "still so" in listed
    publishing.resume(campaign)
    look()
    assert "31 % bounced" not in admin_client.get("/admin/").content.decode()
    assert "31 % bounced" in admin_client.get("/admin/campaigns/finding/").content.decode()


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_of_finding_has_a_page_and_advice(kind: Finding.Kind) -> None:
    about = None if kind in (Kind.OVERDUE, Kind.PARKED, Kind.NO_WORKER) else make_campaign(send())
    assert alerts.address(Finding(kind=kind, campaign=about)).startswith("/admin/")
    assert alerts.ADVICE[kind]
