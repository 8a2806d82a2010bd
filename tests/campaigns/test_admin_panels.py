"""What campaigns show on a person's page and on an event's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.http import HttpRequest
from django.test import Client

from campaigns import entering
from campaigns.admin import refused, starts
from campaigns.models import Campaign, Decision, Journey
from campaigns.reasons import Entry
from events import panels
from events.models import Event
from tests.campaigns.flow import delay, happens, make_campaign, settle, statements
from tests.factories import make_event, make_profile, planned

pytestmark = pytest.mark.django_db


@pytest.fixture
def ask() -> Callable[[str, object], str]:
    """Ask for the campaigns' panel of a place as a super-user."""
    request = HttpRequest()
    request.user = User.objects.create_superuser("admin")

    def shown(place: str, subject: object) -> str:
        titles = {"Journeys", "What it triggered", "Campaigns that start on it"}
        return "".join(panel.html for panel in panels.shown(place, subject, request) if panel.title in titles)

    return shown


def test_a_person_shows_journeys_and_what_started_none(ask: Callable[[str, object], str]) -> None:
    campaign = make_campaign(delay(3600), name="Pricing")
    ada = make_profile("ada")
    assert "In no campaign so far" in ask(panels.PROFILE, ada)
    happens(ada)
    happens(ada)
    settle()
    html = ask(panels.PROFILE, ada)
    journey = Journey.objects.get()
    assert f"/admin/campaigns/campaign/{campaign.pk}/journeys/{journey.pk}/" in html
    assert "Waiting at “Wait” until" in html
    refused = {str(Entry.ALREADY_IN.label), str(Entry.NOT_AGAIN.label)}
    assert any(label in html for label in refused)


def test_an_event_shows_what_it_meant_to_each_campaign(ask: Callable[[str, object], str]) -> None:
    make_campaign(delay(3600), name="For all")
    make_campaign(name="For pros", trigger={"event": "Signed Up", "where": {"trait": "plan", "is": "pro"}})
    event = Event.objects.get(pk=happens(make_profile("ada")))
    assert "No campaign has looked at it yet" in ask(panels.EVENT, event)
    settle()
    html = ask(panels.EVENT, event)
    assert "For all" in html and "Waiting at “Wait”" in html
    assert "For pros" in html and "It enters only if plan is “pro”" in html


def test_an_event_that_nobody_listens_for_says_so(ask: Callable[[str, object], str]) -> None:
    event = make_event(make_profile(), "Something Else")
    assert "none starts on “Something Else”" in ask(panels.EVENT, event)
    assert "campaigns start on what people do" in ask(
        panels.EVENT, make_event(make_profile(), "", type=Event.Type.IDENTIFY)
    )


def test_a_campaign_that_would_listen_is_named_when_nothing_was_triggered(ask: Callable[[str, object], str]) -> None:
    campaign = make_campaign(name="Too late", event="Something Else")
    Campaign.objects.filter(pk=campaign.pk).update(status=Campaign.Status.PAUSED)
    html = ask(panels.EVENT, make_event(make_profile(), "Something Else"))
    assert "were not live then" in html and "Too late" in html and "Paused now" in html


@pytest.mark.parametrize("chosen", [{"All": False}, {"All": True, "Cuebird": False}, {"Cuebird": False}])
def test_an_event_that_its_sender_kept_from_us_says_so(
    ask: Callable[[str, object], str], chosen: dict[str, bool]
) -> None:
    event = make_event(make_profile(), "Something Else", extra={"integrations": chosen})
    assert "switched Cuebird off" in ask(panels.EVENT, event)


def test_the_panels_ask_as_much_for_a_long_history_as_for_a_short_one(ask: Callable[[str, object], str]) -> None:
    for number in range(6):
        make_campaign(delay(3600), name=f"Campaign {number}")
    ada, bob = make_profile("ada"), make_profile("bob")
    make_campaign(delay(60), name="Only one", event="Only One")
    happens(bob, "Only One")
    happens(ada)
    happens(ada)
    settle()
    assert Journey.objects.filter(profile=ada).count() == 6
    few = statements(lambda: ask(panels.PROFILE, bob))
    assert statements(lambda: ask(panels.PROFILE, ada)) <= few + 2


def test_the_pages_show_the_panels_only_to_those_who_may_see_campaigns(client: Client) -> None:
    make_campaign(delay(3600), name="Pricing")
    ada = make_profile("ada")
    happens(ada)
    settle()
    user = User.objects.create_user("looker", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_profile"))
    client.force_login(user)
    url = f"/admin/events/profile/{ada.pk}/change/"
    assert "Waiting at “Wait”" not in client.get(url).content.decode()
    user.user_permissions.add(Permission.objects.get(codename="view_campaign"))
    assert "Waiting at “Wait”" in client.get(url).content.decode()


def test_a_planned_event_shows_the_campaigns_that_start_on_it(ask: Callable[[str, object], str]) -> None:
    make_campaign(delay(60), event="Order Completed", name="Thanks")
    assert "Thanks" in ask(panels.DEFINITION, planned("Order Completed"))
    assert "None." in ask(panels.DEFINITION, planned("Signed Up"))


@pytest.mark.parametrize(
    ("name", "properties", "said"),
    [
        ("Campaign Start Requested", {"campaign": "a", "reason": "hand"}, "let in by hand"),
        ("Campaign Start Requested", {"campaign": "a", "reason": "of tomorrow"}, "it was asked for"),
        ("Trait Changed", {"trait": "plan", "from": None, "to": "pro"}, "plan went from nothing to “pro”"),
        ("Segment Left", {"segment": "vip"}, "left the segment vip"),
        ("Signed Up", {"segment": "vip"}, ""),
    ],
)
def test_what_our_own_events_tell_is_said_in_words(name: str, properties: dict[str, Any], said: str) -> None:
    assert starts.because(name, properties) == said


def test_a_start_that_was_turned_away_says_who_asked_for_it() -> None:
    campaign = make_campaign(name="Gift", trigger={"kind": "request"})
    person = make_profile()
    for key in ("first", "second"):
        entering.enter(campaign, [person.pk], "me", key)
    settle()
    refusals = refused.refusals(list(Decision.objects.exclude(entry="entered")))
    assert [refusal.cause for refusal in refusals] == ["let in by hand"]
