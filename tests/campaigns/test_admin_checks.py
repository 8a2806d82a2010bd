"""The page "Check set-up": four checks, each with what to do next."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from campaigns import publishing
from campaigns.admin import checks
from campaigns.admin.checks import Case, Check
from campaigns.models import Campaign, Journey
from campaigns.reasons import Entry
from events.models import Event, Pending, Profile
from messaging.models import DeliveryEvent, Message
from messaging.reasons import Reason
from tests.campaigns.flow import delay, happens, make_campaign, send, settle, statements
from tests.factories import make_event, make_profile, make_source

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("admin"))
    return client


@pytest.fixture
def ada() -> Profile:
    return make_profile("ada", email="ada@example.com")


def look(campaign: Campaign, profile: Profile) -> list[Check]:
    campaign.refresh_from_db()
    profile.refresh_from_db()
    return checks.checks(Case(campaign, profile, timezone.now()))


def states(found: list[Check]) -> str:
    return " ".join(check.state for check in found)


def at(campaign: Campaign, page: str = "") -> str:
    return f"/admin/campaigns/campaign/{campaign.pk}/check/{page}"


# --- The way of an event ---


def test_before_anything_has_happened_everything_waits(ada: Profile) -> None:
    found = look(make_campaign(), ada)
    assert states(found) == "waiting waiting waiting waiting"
    assert found[0].text == "Nothing has come in from ada yet." and "“Signed Up”" in found[0].advice


def test_another_event_points_to_the_name(ada: Profile) -> None:
    campaign = make_campaign()
    happens(ada, "signed up")
    found = look(campaign, ada)
    assert found[0].state == "waiting" and "The last that came in was “signed up”" in found[0].text
    assert "capitals included" in found[0].advice


def test_an_event_is_followed_to_the_mailbox(ada: Profile) -> None:
    campaign = make_campaign(delay(3600), send())
    event = happens(ada, source=make_source("Shop"))
    found = look(campaign, ada)
    assert states(found) == "done done waiting waiting"
    assert found[0].text == "“Signed Up” came in from Shop." and found[0].links[0].url.endswith(f"{event}/change/")
    assert found[2].text == "The event is being evaluated."

    settle()
    found = look(campaign, ada)
    assert states(found) == "done done done waiting"
    assert found[2].text.startswith("Waiting at “Wait” until") and not found[2].skip_url
    assert found[3].parts[0].text == "The journey has not come to this step yet."

    Journey.objects.update(due_at=timezone.now(), step_entered_at=timezone.now() - timedelta(hours=2))
    settle()
    assert look(campaign, ada)[3].parts[0].text == "Waiting to be sent."
    Message.objects.update(status="sent", sent_at=timezone.now())
    found = look(campaign, ada)
    assert states(found) == "done done done waiting" and "webhook" in found[3].parts[0].advice
    Message.objects.update(status="delivered")
    found = look(campaign, ada)
    assert states(found) == "done done done done" and found[3].text == "1 of 1 arrived."


def test_every_mail_of_the_campaign_is_a_line_of_its_own(ada: Profile) -> None:
    campaign = make_campaign(send("one"), delay(60), send("two"))
    happens(ada)
    settle()
    Message.objects.update(status="opened")
    check = look(campaign, ada)[3]
    assert [(part.state, part.text) for part in check.parts] == [
        ("done", "Opened."),
        ("waiting", "The journey has not come to this step yet."),
    ]
    assert check.state == "waiting" and check.text == "1 of 2 arrived."


def test_a_mail_that_is_not_on_the_persons_way_is_no_failure(ada: Profile) -> None:
    paths = [{"id": "pro", "name": "Pro", "if": {"trait": "plan", "is": "pro"}, "steps": [send("pro-mail")]}]
    campaign = make_campaign({"id": "split", "kind": "branch", "paths": paths}, send("all"))
    happens(ada)
    settle()
    Message.objects.update(status="delivered")
    check = look(campaign, ada)[3]
    assert check.state == "done" and "Not on this person’s way" in check.parts[0].text


# --- What goes wrong, and what to do ---


def test_a_person_without_an_address_is_found_out_before_sending(ada: Profile) -> None:
    campaign = make_campaign()
    Profile.objects.update(email="")
    found = look(campaign, ada)
    assert found[1].state == "failed" and "no email address" in found[1].text and "email trait" in found[1].advice


def test_a_trigger_still_to_be_chosen_is_named(ada: Profile) -> None:
    campaign = Campaign.objects.create(name="Idea", slug="idea", draft={})
    found = look(campaign, ada)
    assert states(found) == "failed waiting waiting waiting" and "trigger" in found[0].text


@pytest.mark.parametrize(
    ("prepare", "text", "advice"),
    [
        (lambda campaign: None, "not published: nobody can enter.", "Publish it"),
        (
            lambda campaign: publishing.publish(campaign, None, "Now"),
            "came in while this campaign was not live",
            "once more",
        ),
        (
            lambda campaign: (publishing.publish(campaign, None, "Now"), publishing.pause(campaign)),
            "The campaign is paused.",
            "Resume it",
        ),
    ],
)
def test_an_event_that_came_while_the_campaign_was_not_live(
    ada: Profile, prepare: Callable[[Campaign], Any], text: str, advice: str
) -> None:
    campaign = Campaign.objects.create(
        name="Idea", slug="idea", draft={"trigger": {"event": "Signed Up"}, "steps": [send()]}
    )
    happens(ada, received_at=timezone.now() - timedelta(minutes=5))
    settle()
    prepare(campaign)
    check = look(campaign, ada)[2]
    assert check.state == "failed" and text in check.text and advice in check.advice


def test_an_event_that_nobody_evaluates_points_to_the_worker(ada: Profile) -> None:
    campaign = make_campaign()
    happens(ada)
    Event.objects.update(received_at=timezone.now() - timedelta(minutes=2))
    assert "worker and beat" in look(campaign, ada)[2].advice
    Pending.objects.update(parked_at=timezone.now(), error="KeyError: 'x'")
    check = look(campaign, ada)[2]
    assert check.state == "failed" and "KeyError: 'x'" in check.text


def test_whoever_is_turned_away_learns_the_rule(ada: Profile) -> None:
    campaign = make_campaign(trigger={"event": "Signed Up", "where": {"trait": "plan", "is": "pro"}})
    happens(ada)
    settle()
    assert look(campaign, ada)[2].state == "waiting", "the plan may yet be told"
    Profile.objects.filter(pk=ada.pk).update(traits={"plan": "free"})
    happens(ada)
    settle()
    check = look(campaign, ada)[2]
    assert check.state == "failed"
    assert check.text == f"{Entry.FILTERED.label}. It enters only if plan is “pro”" and check.advice


def test_whoever_is_in_already_is_shown_where(ada: Profile) -> None:
    campaign = make_campaign(delay(3600), send(), reentry={"rule": "always"})
    for _ in range(2):
        happens(ada)
        settle()
    found = look(campaign, ada)
    assert found[2].state == "done" and "Waiting at" in found[2].text and "An earlier event" in found[2].advice


def test_a_stuck_journey_is_a_failure(ada: Profile) -> None:
    campaign = make_campaign(delay(3600), send())
    happens(ada)
    settle()
    Journey.objects.update(state="stuck", error="KeyError")
    check = look(campaign, ada)[2]
    assert check.state == "failed" and "KeyError" in check.text and "try again" in check.advice


@pytest.mark.parametrize(("reason", "advice"), checks.NEXT.items())
def test_a_mail_that_was_not_sent_says_why_and_what_to_do(ada: Profile, reason: Reason, advice: str) -> None:
    campaign = make_campaign()
    happens(ada)
    settle()
    Message.objects.update(status="skipped", reason=reason, detail="in detail")
    check = look(campaign, ada)[3]
    assert check.state == "failed"
    assert check.parts[0].text == f"Not sent: {reason.label}: in detail" and check.parts[0].advice == advice


def test_a_bounce_quotes_the_provider(ada: Profile) -> None:
    campaign = make_campaign()
    happens(ada)
    settle()
    message = Message.objects.get()
    Message.objects.update(status="bounced")
    for number, words in enumerate(("queued", "550 5.1.1 unknown mailbox")):
        DeliveryEvent.objects.create(
            message=message,
            type=("deferred", "bounced")[number],
            event_key=str(number),
            timestamp=timezone.now() + timedelta(seconds=number),
            description=words,
        )
    check = look(campaign, ada)[3]
    assert check.parts[0].text == "Bounced: 550 5.1.1 unknown mailbox" and check.parts[0].state == "failed"


# --- The page ---


def test_a_person_is_chosen_once_and_remembered(browser: Client, ada: Profile) -> None:
    campaign, other = make_campaign(), make_campaign(event="Other")
    assert "Four checks" in browser.get(at(campaign)).content.decode()
    assert browser.get(at(campaign, "?person=ADA@example.com"))["Location"] == at(campaign)
    assert "0 of 4 done" in browser.get(at(other)).content.decode()
    bob = make_profile("bob", email="bob@example.com")
    browser.get(at(campaign, "?person=bob"))
    html = browser.get(at(campaign)).content.decode()
    assert ">bob<" in html and f"?profile={ada.pk}" in html
    browser.get(at(campaign, f"?profile={ada.pk}"))
    assert f"?profile={bob.pk}" in browser.get(at(campaign)).content.decode()


def test_somebody_unknown_and_an_address_of_two_are_answered(browser: Client, ada: Profile) -> None:
    campaign = make_campaign()
    assert "Nobody is known as “eve”" in browser.get(at(campaign, "?person=eve")).content.decode()
    bob = make_profile("bob", email="Ada@example.com")
    html = browser.get(at(campaign, "?person=ada@example.com")).content.decode()
    assert "Several people" in html and f"?profile={ada.pk}" in html and f"?profile={bob.pk}" in html


def test_the_checklist_is_sent_again_only_when_it_has_changed(browser: Client, ada: Profile) -> None:
    campaign = make_campaign()
    browser.get(at(campaign, "?person=ada"))
    first = browser.get(at(campaign), headers={"HX-Request": "true"}).content.decode()
    assert first.strip().startswith("<section") and "0 of 4 done" in first
    again = first.split("?seen=")[1].split('"')[0]
    assert browser.get(at(campaign, f"?seen={again}"), headers={"HX-Request": "true"}).status_code == 204
    make_event(ada, "Signed Up")
    answer = browser.get(at(campaign, f"?seen={again}"), headers={"HX-Request": "true"})
    assert answer.status_code == 200 and "2 of 4 done" in answer.content.decode()


def test_only_a_test_persons_wait_can_be_skipped_from_here(browser: Client, ada: Profile) -> None:
    campaign = make_campaign(delay(3600), send())
    happens(ada)
    settle()
    browser.get(at(campaign, "?person=ada"))
    assert "Skip the wait" not in browser.get(at(campaign)).content.decode()
    test = make_profile("test", email="test@example.com", is_test=True)
    happens(test)
    settle()
    browser.get(at(campaign, "?person=test"))
    html = browser.get(at(campaign)).content.decode()
    journey = Journey.objects.get(profile=test)
    url = f"/admin/campaigns/campaign/{campaign.pk}/journeys/{journey.pk}/skip/"
    assert f'formaction="{url}"' in html
    assert browser.post(url, {"next": at(campaign)})["Location"] == at(campaign)
    assert Message.objects.get().profile_id == test.pk


def test_a_person_becomes_a_test_person_and_back(browser: Client, ada: Profile) -> None:
    campaign = make_campaign()
    for wanted in ("1", "0"):
        browser.post(at(campaign, "test/"), {"profile": ada.pk, "is_test": wanted})
        ada.refresh_from_db()
        assert ada.is_test == (wanted == "1")


def test_the_switch_is_for_those_who_may_change_people(client: Client, ada: Profile) -> None:
    campaign = make_campaign()
    user = User.objects.create_user("looker", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_campaign", "change_campaign"]))
    client.force_login(user)
    client.get(at(campaign, "?person=ada"))
    assert "Make a test person" not in client.get(at(campaign)).content.decode()
    assert client.post(at(campaign, "test/"), {"profile": ada.pk, "is_test": "1"}).status_code == 403


def test_the_checks_ask_as_much_with_a_long_history_as_with_a_short_one(ada: Profile) -> None:
    campaign = make_campaign(delay(3600), send("one"), send("two"), reentry={"rule": "always"})
    happens(ada)
    settle()
    look(campaign, ada)
    one = statements(lambda: checks.checks(Case(campaign, ada, timezone.now())))
    for _ in range(10):
        happens(ada)
    settle()
    assert statements(lambda: checks.checks(Case(campaign, ada, timezone.now()))) <= one + 1 <= 9
