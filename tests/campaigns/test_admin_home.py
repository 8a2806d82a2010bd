"""The home page and the menu: pulse, troubles, first steps."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns.admin import home, newcomer
from campaigns.models import Campaign, CampaignVersion, Journey, Metric, StepCount
from config import sidebar
from events.models import EventCount, Pending
from messaging.states import Status
from tests.factories import make_event, make_key, make_message, make_profile, make_provider, make_source, make_template

pytestmark = pytest.mark.django_db

PAGE = "/admin/"


def make_campaign(name: str = "Welcome", status: str = Campaign.Status.LIVE) -> CampaignVersion:
    campaign = Campaign.objects.create(name=name, slug=name.lower(), status=status)
    return CampaignVersion.objects.create(campaign=campaign, number=1, definition={}, reason="test")


def make_journey(version: CampaignVersion, state: str) -> Journey:
    return Journey.objects.create(
        campaign=version.campaign, version=version, profile=make_profile(), state=state, trigger_at=timezone.now()
    )


def test_a_newcomer_sees_what_to_do_first(admin_client: Client) -> None:
    text = admin_client.get(PAGE).content.decode()
    assert "Set up, step by step" in text
    assert "Connect a source" in text
    assert "No campaign is live" in text


def test_the_first_steps_are_ticked_one_by_one_and_vanish_when_all_are_done() -> None:
    assert [step.done for step in newcomer.checklist()] == [False] * 6
    source = make_source()
    make_key(source)
    make_event(make_profile(), source=source)
    make_provider(is_default=True)
    make_template()
    make_campaign()
    assert [step.done for step in newcomer.checklist()] == [True] * 5 + [False]
    make_message(status=Status.OPENED)
    assert newcomer.checklist() == []


def test_a_real_provider_counts_only_once_its_connection_was_checked() -> None:
    provider = make_provider(kind="sendgrid", is_default=True)
    assert not newcomer.checklist()[2].done
    provider.check_ok = True
    provider.save(update_fields=["check_ok"])
    assert newcomer.checklist()[2].done


def test_the_pulse_shows_events_by_the_hour_and_mails_apart(admin_client: Client) -> None:
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    EventCount.objects.create(hour=hour, name="Signed Up", count=1200)
    EventCount.objects.create(hour=hour - timedelta(hours=3), name="[page]", count=30)
    EventCount.objects.create(hour=hour - timedelta(hours=40), name="Signed Up", count=7)
    EventCount.objects.create(hour=hour, name="Email Sent", count=55)
    context = admin_client.get(PAGE).context
    assert (context["events_hour"], context["events_day"]) == (1200, 1230)
    assert dict(context["mails"])["Sent"] == 55
    assert "1,230" in admin_client.get(PAGE).content.decode()


def test_parked_events_and_stuck_journeys_call_for_a_look(admin_client: Client) -> None:
    event = make_event(make_profile(), pending=True)
    Pending.objects.filter(pk=event.pk).update(parked_at=timezone.now())
    version = make_campaign("Welcome")
    make_journey(version, Journey.State.STUCK)
    text = admin_client.get(PAGE).content.decode()
    assert "1 parked event" in text
    assert "1 stuck journey in Welcome" in text
    assert f"/admin/campaigns/campaign/{version.campaign_id}/journeys/?state=stuck" in text


def test_live_campaigns_stand_with_todays_figures(admin_client: Client) -> None:
    version = make_campaign("Welcome")
    make_campaign("Resting", Campaign.Status.PAUSED)
    today = timezone.now().date()
    for day, count in ((today, 12), (today - timedelta(days=1), 99)):
        StepCount.objects.create(
            campaign=version.campaign, version=version, step_id="", day=day, metric=Metric.ENTERED, count=count
        )
    live = admin_client.get(PAGE).context["live"]
    assert [(row.campaign.name, row.entered) for row in live] == [("Welcome", 12)]


def test_a_capped_count_says_when_there_are_more() -> None:
    for _ in range(4):
        make_profile()
    profiles = type(make_profile()).objects.all()
    assert str(home.capped(profiles, 3)) == "3+"
    assert str(home.capped(profiles, 5)) == "5"
    assert not home.capped(profiles.none(), 5)


def test_the_number_of_statements_does_not_grow_with_the_data(admin_client: Client) -> None:
    make_event(make_profile(), source=make_source())
    make_campaign("First")
    admin_client.get(PAGE)
    with CaptureQueriesContext(connection) as few:
        admin_client.get(PAGE)
    for number in range(9):
        make_event(make_profile(), source=make_source())
        make_journey(make_campaign(f"More {number}"), Journey.State.WAITING)
    with CaptureQueriesContext(connection) as many:
        admin_client.get(PAGE)
    assert len(many) == len(few)


def test_who_may_not_see_people_sees_no_events(client: Client, django_user_model: Any) -> None:
    make_event(make_profile("secret-person"), source=make_source())
    client.force_login(django_user_model.objects.create_user("viewer", is_staff=True))
    answer = client.get(PAGE)
    assert answer.status_code == 200
    assert "secret-person" not in answer.content.decode()


def test_the_menu_holds_only_what_a_user_may_open(client: Client, django_user_model: Any) -> None:
    client.force_login(django_user_model.objects.create_user("viewer", is_staff=True))
    menu = client.get(PAGE).context["sidebar_navigation"]
    assert [item["title"] for group in menu for item in group["items"]] == ["Home"]


def test_a_page_that_does_not_exist_is_left_out_of_the_menu(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sidebar, "GROUPS", (("Odd", (sidebar.Entry("Gone", "x", "no_such_page"),)), *sidebar.GROUPS))
    answer = admin_client.get(PAGE)
    assert answer.status_code == 200
    assert "Gone" not in answer.content.decode()


def test_every_page_of_the_menu_exists_and_opens(admin_client: Client) -> None:
    menu = admin_client.get(PAGE).context["sidebar_navigation"]
    links = [item["link"] for group in menu for item in group["items"]]
    assert len(links) == sum(len(entries) for _, entries in sidebar.GROUPS)
    for link in links:
        answer = admin_client.get(link)
        assert answer.status_code == 200, link
        shown = [
            item["link"] for group in answer.context["sidebar_navigation"] for item in group["items"] if item["active"]
        ]
        assert shown == [link], "exactly the page one is on is marked"


def test_log_in_without_a_destination_leads_home(client: Client, django_user_model: Any) -> None:
    django_user_model.objects.create_superuser("boss", "boss@example.com", "a long password")
    answer = client.post("/admin/login/", {"username": "boss", "password": "a long password"})
    assert answer["Location"] == PAGE
