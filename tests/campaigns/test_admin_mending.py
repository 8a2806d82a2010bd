"""Stuck journeys are set going again, one or many, and what was done is on record."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from campaigns import publishing, runner
from campaigns.models import Call, Campaign, Journey, Visit
from campaigns.reasons import Ending, Outcome
from messaging.models import Message
from tests.campaigns.flow import delay, happens, make_campaign, send, settle, statements
from tests.factories import make_profile

pytestmark = pytest.mark.django_db


def at(campaign: Campaign, page: str = "") -> str:
    return f"/admin/campaigns/campaign/{campaign.pk}/journeys/{page}"


def make_stuck(campaign: Campaign, count: int = 1, **columns: Any) -> list[Journey]:
    """Let people get stuck at the step they have come to."""
    people = [make_profile() for _ in range(count)]
    for person in people:
        happens(person)
    settle()
    found = Journey.objects.filter(profile__in=people)
    found.update(**{"state": "stuck", "error": "KeyError: 'x'", "due_at": timezone.now(), **columns})
    return list(found.order_by("pk"))


def mend(client: Client, campaign: Campaign, action: str, **data: Any) -> str:
    answer = client.post(at(campaign, "mend/"), {"action": action, "which": "chosen", **data}, follow=True)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def noted() -> list[str]:
    return list(LogEntry.objects.order_by("pk").values_list("change_message", flat=True))


def test_those_that_were_ticked_try_again_and_no_others(admin_client: Client) -> None:
    campaign = make_campaign(delay(3600), send())
    first, second, third = make_stuck(campaign, 3)
    said = mend(admin_client, campaign, "retry", journey=[first.pk, third.pk])
    assert "Trying again: 2 stuck journeys." in said
    assert list(Journey.objects.order_by("pk").values_list("state", "error")) == [
        ("waiting", ""),
        ("stuck", "KeyError: 'x'"),
        ("waiting", ""),
    ]
    assert noted() == [f"Trying again: 2 stuck journeys: {first.pk}, {third.pk}."]
    assert second.pk


def test_all_that_fit_the_filter_and_no_other_campaigns(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "BATCH", 2)
    campaign, other = make_campaign(delay(3600), send()), make_campaign(delay(3600), event="Signed Up", name="Other")
    make_stuck(campaign, 5)
    mend(admin_client, campaign, "retry", which="all", step="mail")
    assert not Journey.objects.filter(campaign=campaign, state="waiting").exists()
    mend(admin_client, campaign, "retry", which="all")
    assert Journey.objects.filter(campaign=campaign, state="waiting").count() == 5
    assert Journey.objects.filter(campaign=other, state="stuck").count() == 5


def test_a_skipped_step_is_left_behind_with_who_did_it(admin_client: Client) -> None:
    campaign = make_campaign(delay(3600), send(), delay(60, "rest"))
    (journey,) = make_stuck(campaign)
    mend(admin_client, campaign, "skip_step", journey=[journey.pk])
    journey.refresh_from_db()
    assert (journey.state, journey.step_id, journey.visit_number, journey.error) == ("waiting", "mail", 2, "")
    settle()
    assert Message.objects.count() == 1
    left = Visit.objects.get(number=1)
    assert (left.outcome, left.detail) == (Outcome.SKIPPED_BY_HAND, "by admin")


def test_a_journey_that_never_came_to_its_first_step_goes_on_behind_it(admin_client: Client) -> None:
    campaign = make_campaign(send(), delay(60))
    (journey,) = make_stuck(campaign, step_id="", visit_number=0, ended_at=None, ending="")
    Visit.objects.all().delete()
    mend(admin_client, campaign, "skip_step", journey=[journey.pk])
    journey.refresh_from_db()
    assert (journey.step_id, journey.visit_number) == ("wait", 1)


def test_behind_the_last_step_the_journey_is_over(admin_client: Client) -> None:
    campaign = make_campaign(delay(3600))
    (journey,) = make_stuck(campaign)
    mend(admin_client, campaign, "skip_step", journey=[journey.pk])
    journey.refresh_from_db()
    assert (journey.state, journey.ending) == ("ended", Ending.COMPLETED)


def test_a_call_behind_the_skipped_step_is_made(admin_client: Client) -> None:
    call = {"id": "hook", "kind": "call", "method": "POST", "url": "https://example.com/", "seconds": 60}
    campaign = make_campaign(delay(3600), call)
    (journey,) = make_stuck(campaign)
    mend(admin_client, campaign, "skip_step", journey=[journey.pk])
    assert Call.objects.get().step_id == "hook"


def test_many_are_stopped_at_once(admin_client: Client) -> None:
    campaign = make_campaign(delay(3600), send())
    journeys = make_stuck(campaign, 3)
    said = mend(admin_client, campaign, "stop", journey=[journey.pk for journey in journeys])
    assert "Stopped 3 stuck journeys." in said
    assert set(Journey.objects.values_list("state", "ending")) == {("ended", Ending.STOPPED)}
    assert set(Visit.objects.values_list("outcome", flat=True)) == {Outcome.INTERRUPTED}


@pytest.mark.parametrize("action", ["retry", "skip_step", "stop"])
def test_what_is_not_stuck_or_not_ticked_is_left(admin_client: Client, action: str) -> None:
    campaign = make_campaign(delay(3600), send())
    (journey,) = make_stuck(campaign, state="waiting", error="")
    for ticked in ([journey.pk], [], ["x", "9" * 30]):
        assert "Nothing was done" in mend(admin_client, campaign, action, journey=ticked)
    journey.refresh_from_db()
    assert (journey.state, journey.step_id) == ("waiting", "wait") and noted() == []


def test_an_unknown_action_does_nothing(admin_client: Client) -> None:
    campaign = make_campaign(delay(3600))
    (journey,) = make_stuck(campaign)
    mend(admin_client, campaign, "explode", journey=[journey.pk])
    journey.refresh_from_db()
    assert journey.state == "stuck"


def test_only_those_who_may_change_journeys_are_offered_it(client: Client) -> None:
    campaign = make_campaign(delay(3600))
    make_stuck(campaign)
    user = User.objects.create_user("looker", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_campaign", "change_campaign"]))
    client.force_login(user)
    assert 'id="mend"' not in client.get(at(campaign, "?state=stuck")).content.decode()
    assert client.post(at(campaign, "mend/"), {"action": "retry", "which": "all"}).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="change_journey"))
    page = client.get(at(campaign, "?state=stuck")).content.decode()
    assert 'id="mend"' in page and "every 10s" not in page, "a list that redraws itself would lose the ticks"
    assert 'id="mend"' not in client.get(at(campaign)).content.decode()


def test_skipping_costs_as_much_for_many_as_for_few() -> None:
    campaign = make_campaign(delay(3600), send())
    few, many = make_stuck(campaign, 2), make_stuck(campaign, 40)

    def skip(journeys: list[Journey]) -> int:
        chosen = Journey.objects.filter(pk__in=[journey.pk for journey in journeys])
        return statements(lambda: runner.skip_steps(chosen, "ada"))

    skip(few[:1])
    assert skip(few[1:]) == skip(many)


def test_the_journeys_page_skips_the_step_of_one(admin_client: Client) -> None:
    campaign = make_campaign(delay(3600), send())
    (journey,) = make_stuck(campaign)
    assert "Skip the step" in admin_client.get(at(campaign, f"{journey.pk}/")).content.decode()
    admin_client.post(at(campaign, f"{journey.pk}/skip_step/"))
    journey.refresh_from_db()
    assert (journey.state, journey.step_id) == ("waiting", "mail")


def test_a_wait_that_could_not_be_skipped_is_not_said_to_be(admin_client: Client) -> None:
    campaign = make_campaign(delay(3600), send())
    person = make_profile(is_test=True)
    happens(person)
    settle()
    journey = Journey.objects.get()
    publishing.pause(campaign)
    answer = admin_client.post(at(campaign, f"{journey.pk}/skip/"), follow=True).content.decode()
    assert "Not skipped: the campaign is paused" in answer and "The wait was skipped" not in answer
    answer = admin_client.post(at(campaign, f"{journey.pk}/skip/"), follow=True).content.decode()
    assert "Not skipped: the journey has just moved on" in answer


def test_calls_are_listed_with_their_state_and_their_journey(admin_client: Client) -> None:
    campaign = make_campaign(delay(3600), send())
    (journey,) = make_stuck(campaign)
    now = timezone.now()
    for visit, succeeded in enumerate((None, True, False), start=1):
        Call.objects.create(
            journey=journey,
            visit=visit,
            step_id="hook",
            method="POST",
            url=f"https://crm.example.com/{visit}",
            due_at=now,
            until=now,
            attempts=visit,
            succeeded=succeeded,
            detail="503 Down" if succeeded is False else "",
        )
    page = admin_client.get("/admin/campaigns/call/").content.decode()
    for words in ("not over yet", "answered", "failed", "503 Down", f"/journeys/{journey.pk}/", "3 times"):
        assert words in page
    failed = admin_client.get("/admin/campaigns/call/?state=failed").content.decode()
    assert "crm.example.com/3" in failed and "crm.example.com/1" not in failed
    call = Call.objects.get(visit=3)
    assert admin_client.get(f"/admin/campaigns/call/{call.pk}/change/").status_code == 200
    assert admin_client.post(f"/admin/campaigns/call/{call.pk}/delete/", {"post": "yes"}).status_code == 403
