"""Who is in a campaign, where they stand, what they wait for, and who did not enter."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from campaigns.models import Campaign, Journey
from campaigns.reasons import Ending, Entry
from events.models import Profile
from messaging.models import Message
from tests.campaigns.flow import delay, happens, make_campaign, send, settle, statements
from tests.factories import make_profile

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("admin"))
    return client


def at(campaign: Campaign, page: str = "") -> str:
    return f"/admin/campaigns/campaign/{campaign.pk}/journeys/{page}"


def text(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return response.content.decode()


def table(html: str) -> list[str]:
    """The rows of the table, as text."""
    rows = re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)[1:]
    return [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in rows]


def enter(campaign: Campaign, **columns: Any) -> Journey:
    profile = make_profile(**columns)
    happens(profile)
    settle()
    return Journey.objects.get(campaign=campaign, profile=profile)


# --- The list ---


def test_each_person_stands_there_with_what_they_wait_for(browser: Client) -> None:
    campaign = make_campaign(delay(3600), send())
    enter(campaign, user_id="ada")
    (row,) = table(text(browser, at(campaign)))
    assert re.fullmatch(
        r"ada Under way Waiting at “Wait” until (\w+ )?\d\d:\d\d UTC in 60 min (just now|\d+ s ago) 1", row
    ), row


def test_the_window_is_said_in_the_persons_zone(browser: Client) -> None:
    today = timezone.now().weekday()
    window = {
        "id": "hours",
        "kind": "window",
        "name": "Later",
        "days": [(today + 3) % 7],
        "start": "09:00",
        "end": "10:00",
    }
    campaign = make_campaign(window, send())
    enter(campaign, user_id="ada", time_zone="Asia/Tokyo")
    assert "At “Later”: outside these hours until" in text(browser, at(campaign))
    assert "day 09:00 Asia/Tokyo" in text(browser, at(campaign))


def test_the_list_is_narrowed_by_state_step_and_person(browser: Client) -> None:
    campaign = make_campaign(delay(3600), send())
    waiting = enter(campaign, user_id="ada", email="ada@example.com")
    stuck = enter(campaign, user_id="bob", anonymous_ids=("anon-7",))
    Journey.objects.filter(pk=stuck.pk).update(state="stuck", error="KeyError: 'x'")
    enter(campaign, user_id="cyd")
    Journey.objects.filter(profile__user_id="cyd").update(state="ended", ending=Ending.GOAL, step_id="wait")
    make_campaign(delay(60), event="Logged In")
    happens(make_profile("dan"), "Logged In")
    settle()

    def people(query: str) -> list[str]:
        return [row.split()[0] for row in table(text(browser, at(campaign, query)))]

    assert people("") == ["cyd", "bob", "ada"]
    assert people("?state=stuck") == ["bob"]
    assert people("?state=ended") == ["cyd"]
    assert people("?step=wait") == ["bob", "ada"]
    assert people("?step=mail") == []
    assert people("?person=ADA@example.com") == people("?person=ada") == ["ada"]
    assert people("?person=anon-7") == ["bob"]
    assert people("?person=ad") == people("?person=dan") == []
    assert people("?state=nonsense&before=x") == ["cyd", "bob", "ada"]
    assert "KeyError: &#x27;x&#x27;" in text(browser, at(campaign))
    assert f"{waiting.pk}/" in text(browser, at(campaign))


def test_pages_are_turned_without_losing_the_filter(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("campaigns.admin.journeys.PAGE", 2)
    campaign = make_campaign(delay(3600))
    ids = [enter(campaign, user_id=f"user-{number}").pk for number in range(3)]
    html = text(browser, at(campaign, "?state=waiting"))
    assert len(table(html)) == 2 and 'hx-trigger="every 10s' in html
    older = re.search(r'href="([^"]+)">Older', html)
    assert older and older[1].replace("&amp;", "&").endswith(f"?state=waiting&before={ids[1]}")
    html = text(browser, older[1].replace("&amp;", "&"))
    assert [row.split()[0] for row in table(html)] == ["user-0"] and "every 10s" not in html


def test_a_refresh_brings_only_the_list(browser: Client) -> None:
    campaign = make_campaign(delay(3600))
    enter(campaign, user_id="ada")
    html = browser.get(at(campaign), headers={"HX-Request": "true"}).content.decode()
    assert 'id="journeys-list"' in html and "<html" not in html


def test_the_list_asks_as_much_for_many_journeys_as_for_one(browser: Client) -> None:
    campaign = make_campaign(delay(3600))
    enter(campaign)
    text(browser, at(campaign))
    one = statements(lambda: text(browser, at(campaign)))
    for _ in range(20):
        happens(make_profile())
    settle()
    assert statements(lambda: text(browser, at(campaign))) == one <= 12


def test_an_empty_list_says_what_to_do(browser: Client) -> None:
    campaign = make_campaign()
    assert "Nobody has entered yet" in text(browser, at(campaign))
    assert f"{at(campaign, 'refused/')}?person=eve" in text(browser, at(campaign, "?person=eve"))


# --- One journey ---


def test_a_journeys_page_tells_the_way_so_far(browser: Client) -> None:
    campaign = make_campaign(delay(3600), send(), delay(60, "later"))
    journey = enter(campaign, user_id="ada", email="ada@example.com")
    Journey.objects.filter(pk=journey.pk).update(due_at=timezone.now())
    Journey.objects.update(step_entered_at=timezone.now() - timedelta(hours=2))
    settle()
    message = Message.objects.get()
    Message.objects.update(status="bounced", detail="550 no such mailbox")
    html = text(browser, at(campaign, f"{journey.pk}/"))
    for words in (
        "Waited until the time had come",
        "Message handed to the outbox",
        "Bounced",
        "550 no such mailbox",
        f"/admin/messaging/message/{message.pk}/change/",
        f"/admin/events/event/{journey.trigger_event_id}/change/",
        f"/admin/events/profile/{journey.profile_id}/change/",
        "Waiting at “Wait” until",
    ):
        assert words in html
    assert 'aria-current="step"' in html


def test_a_journey_of_another_campaign_is_not_found(browser: Client) -> None:
    journey = enter(make_campaign(delay(60)))
    other = make_campaign(delay(60), event="Other")
    assert browser.get(at(other, f"{journey.pk}/")).status_code == 404


def test_only_test_people_are_offered_to_skip_the_wait(browser: Client) -> None:
    campaign = make_campaign(delay(3600), send())
    real, test = enter(campaign), enter(campaign, is_test=True)
    assert "Skip the wait" not in text(browser, at(campaign, f"{real.pk}/"))
    assert "Skip the wait" in text(browser, at(campaign, f"{test.pk}/"))
    browser.post(at(campaign, f"{real.pk}/skip/"))
    browser.post(at(campaign, f"{test.pk}/skip/"))
    real.refresh_from_db()
    test.refresh_from_db()
    assert (real.state, test.state) == ("waiting", "ended")
    assert Message.objects.get().profile_id == test.profile_id


def test_whoever_became_a_test_person_later_is_counted_and_waits(browser: Client) -> None:
    campaign = make_campaign(delay(3600), send())
    journey = enter(campaign)
    Profile.objects.update(is_test=True)
    assert "Skip the wait" not in text(browser, at(campaign, f"{journey.pk}/"))
    answer = browser.post(at(campaign, f"{journey.pk}/skip/"), follow=True)
    assert "Not skipped: only the waits of test people can be skipped." in answer.content.decode()
    journey.refresh_from_db()
    assert journey.state == "waiting"


def test_a_journey_is_stopped_and_a_stuck_one_tries_again(browser: Client) -> None:
    campaign = make_campaign(delay(3600))
    going, stuck = enter(campaign), enter(campaign)
    Journey.objects.filter(pk=stuck.pk).update(state="stuck", error="KeyError")
    assert "Try again" not in text(browser, at(campaign, f"{going.pk}/"))
    assert "Try again" in text(browser, at(campaign, f"{stuck.pk}/"))
    browser.post(at(campaign, f"{going.pk}/stop/"))
    browser.post(at(campaign, f"{stuck.pk}/retry/"))
    going.refresh_from_db()
    stuck.refresh_from_db()
    assert (going.state, going.ending, stuck.state, stuck.error) == ("ended", Ending.STOPPED, "waiting", "")
    assert "Stop the journey" not in text(browser, at(campaign, f"{going.pk}/"))


def test_journeys_are_moved_only_by_those_who_may(client: Client) -> None:
    campaign = make_campaign(delay(3600))
    journey = enter(campaign, is_test=True)
    user = User.objects.create_user("looker", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_campaign", "change_campaign"]))
    client.force_login(user)
    assert "Stop the journey" not in text(client, at(campaign, f"{journey.pk}/"))
    assert client.post(at(campaign, f"{journey.pk}/stop/")).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="change_journey"))
    assert client.post(at(campaign, f"{journey.pk}/stop/")).status_code == 302


def test_a_button_never_leads_to_another_site(browser: Client) -> None:
    campaign = make_campaign(delay(3600))
    journey = enter(campaign)
    answer = browser.post(at(campaign, f"{journey.pk}/stop/"), {"next": "https://evil.example/"})
    assert answer["Location"] == at(campaign, f"{journey.pk}/")


# --- Who did not enter ---


def test_whoever_did_not_enter_is_listed_with_the_reason(browser: Client) -> None:
    campaign = make_campaign(trigger={"event": "Signed Up", "where": {"trait": "plan", "is": "pro"}})
    enter(campaign, user_id="ada", traits={"plan": "pro"})
    happens(make_profile("bob", traits={"plan": "free"}))
    happens(Profile.objects.get(user_id="ada"))
    settle()
    rows = table(text(browser, at(campaign, "refused/")))
    assert [row.split()[0] for row in rows] == ["ada", "bob"]
    assert Entry.NOT_AGAIN.label in rows[0] and "a single time" in rows[0]
    assert "It enters only if plan is “pro”" in rows[1]
    assert len(table(text(browser, at(campaign, "refused/?person=bob")))) == 1
    assert len(table(text(browser, at(campaign, f"refused/?reason={Entry.NOT_AGAIN}")))) == 1
    assert "Nobody fits" in text(browser, at(campaign, "refused/?person=eve"))


def test_the_refusals_ask_as_much_for_many_as_for_one(browser: Client) -> None:
    campaign = make_campaign(trigger={"event": "Signed Up", "where": {"trait": "plan", "is": "pro"}})
    happens(make_profile())
    settle()
    text(browser, at(campaign, "refused/"))
    one = statements(lambda: text(browser, at(campaign, "refused/")))
    for _ in range(10):
        happens(make_profile())
    settle()
    assert statements(lambda: text(browser, at(campaign, "refused/"))) == one <= 10
