"""Why somebody got a campaign or not: every reason there is appears in plain words, with what to do."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from campaigns import explain, publishing
from campaigns.explain import Trace
from campaigns.models import Admission, Campaign, Decision, Journey
from campaigns.reasons import Ending, Entry, Outcome
from events.models import Profile
from messaging.models import Message, Unsubscription
from messaging.reasons import Reason
from messaging.states import Status
from tests.campaigns.flow import delay, happens, make_campaign, settle, statements
from tests.factories import make_event, make_profile

pytestmark = pytest.mark.django_db
PRO = {"all": [{"trait": "plan", "is": "pro"}, {"property": "seats", "gt": 3}]}


def person(**traits: Any) -> Profile:
    return make_profile(traits={"email": "ada@example.com", **traits})


def told(campaign: Campaign, profile: Profile) -> Trace:
    campaign.refresh_from_db()
    return explain.trace(campaign, profile, timezone.now())


def text(trace: Trace) -> str:
    lines = [line for section in trace.sections for line in section.lines]
    return "\n".join([trace.answer, *(f"{line.text} | {line.advice}" for line in lines)])


def test_who_got_it_is_told_so_with_the_whole_way() -> None:
    campaign, ada = make_campaign(), person()
    happens(ada)
    settle()
    trace = told(campaign, ada)
    assert trace.tone == "info" or "Queued" in trace.answer
    assert "Entered the campaign" in text(trace) and "Say hello: Message handed to the outbox" in text(trace)
    assert [section.title.partition(" of")[0] for section in trace.sections][-1] == "Journey"


def test_who_did_nothing_is_told_what_it_waits_for() -> None:
    campaign, ada = make_campaign(), person()
    assert "Nothing at all has come in from this person" in text(told(campaign, ada))
    make_event(ada, "Sined Up")
    trace = told(campaign, ada)
    assert trace.tone == "warn" and "has not entered: nothing that starts" in trace.answer
    assert "The last that came in from them was “Sined Up”" in text(trace)


def test_each_part_of_the_condition_with_what_was_seen() -> None:
    campaign, ada = make_campaign(trigger={"event": "Signed Up", "where": PRO, "grace_minutes": 0}), person(plan="free")
    happens(ada, properties={"seats": 5})
    settle()
    trace = told(campaign, ada)
    assert trace.answer.startswith(f"{ada} has not entered: “Signed Up”: The trigger's conditions were not met")
    (line,) = trace.sections[1].lines
    assert [(part.matches, part.decides) for part in line.parts] == [(False, True), (False, True), (True, False)]
    assert "free" in line.parts[1].seen


@pytest.mark.parametrize("entry", [entry for entry in Entry if entry is not Entry.ENTERED])
def test_every_reason_not_to_enter_is_in_plain_words(entry: Entry) -> None:
    campaign, ada = make_campaign(), person()
    event = make_event(ada, "Signed Up")
    Decision.objects.create(
        campaign=campaign, version=campaign.live_version, profile=ada, event_id=event.pk, entry=entry
    )
    trace = told(campaign, ada)
    assert entry.label in trace.answer and entry.advice in text(trace)


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_not_to_send_is_in_plain_words(reason: Reason) -> None:
    campaign, ada = make_campaign(), person()
    happens(ada)
    settle()
    waits = reason in (Reason.QUIET_HOURS, Reason.CAPPED)
    status = Status.UNKNOWN if reason is Reason.OUTCOME_UNKNOWN else Status.QUEUED if waits else Status.SKIPPED
    Message.objects.update(status=status, reason=reason, due_at=timezone.now() + timedelta(hours=1))
    said = text(told(campaign, ada))
    if reason is Reason.OUTCOME_UNKNOWN:
        assert "Sending was cut off" in said
    else:
        assert reason.label in said and (waits or reason.advice in said)


@pytest.mark.parametrize("status", list(Status))
def test_every_state_of_a_message_is_in_plain_words(status: Status) -> None:
    campaign, ada = make_campaign(), person()
    happens(ada)
    settle()
    Message.objects.update(status=status, reason="")
    assert any(line.about and line.about.kind == "message" for line in told(campaign, ada).sections[-1].lines)


@pytest.mark.parametrize("ending", list(Ending))
@pytest.mark.parametrize("outcome", [Outcome.DONE])
def test_every_ending_is_in_plain_words(ending: Ending, outcome: Outcome) -> None:
    campaign, ada = make_campaign(delay()), person()
    happens(ada)
    settle()
    Journey.objects.update(state="ended", ending=ending, ended_at=timezone.now())
    assert ending.label in text(told(campaign, ada))


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_of_a_step_is_in_plain_words(outcome: Outcome) -> None:
    campaign, ada = make_campaign(delay()), person()
    happens(ada)
    settle()
    Journey.objects.get().visits.update(outcome=outcome, left_at=timezone.now())
    assert outcome.label in text(told(campaign, ada))


def test_what_would_come_of_it_now() -> None:
    campaign, ada = make_campaign(reentry={"rule": "once"}), person()
    assert "The rules of entry would let them in" in text(told(campaign, ada))
    assert "“Hello” could be sent to ada@example.com" in text(told(campaign, ada))
    Unsubscription.objects.create(profile=ada)
    Admission.objects.create(campaign=campaign, stages=[1], stage=0)
    said = text(told(campaign, make_profile(traits={})))
    assert Reason.NO_ADDRESS.advice in said
    outside = next(p for p in (person() for _ in range(20)) if Entry.NOT_ROLLED_OUT.label in text(told(campaign, p)))
    assert outside and Reason.UNSUBSCRIBED.label in text(told(campaign, ada))
    Admission.objects.all().delete()
    happens(ada)
    settle()
    assert Entry.NOT_AGAIN.label in text(told(campaign, ada)) or Entry.ALREADY_IN.label in text(told(campaign, ada))


def test_drafts_and_paused_campaigns_say_so() -> None:
    draft = Campaign.objects.create(name="Draft", slug="draft", draft={"trigger": {"event": "Signed Up"}})
    assert told(draft, person()).answer.endswith("has got nothing: the campaign was never published.")
    campaign = make_campaign()
    publishing.pause(campaign)
    assert "It is paused." in text(told(campaign, person()))


def test_a_long_history_costs_no_more_statements() -> None:
    campaign = make_campaign(reentry={"rule": "always", "parallel": True})
    few, many = person(), person()
    happens(few)
    for _ in range(12):
        happens(many)
    settle()
    campaign.refresh_from_db()
    told(campaign, few)
    counts = [statements(lambda p=p: explain.trace(campaign, p, timezone.now())) for p in (few, many)]  # type: ignore[misc]
    assert counts[0] == counts[1] <= 30


def test_two_clicks_from_the_campaign_and_from_the_profile(admin_client: Client) -> None:
    campaign, ada = make_campaign(), person()
    home = admin_client.get(f"/admin/events/profile/{ada.pk}/change/").content.decode()
    assert 'action="/admin/campaigns/campaign/why/"' in home
    answer = admin_client.get("/admin/campaigns/campaign/why/", {"campaign": campaign.slug, "profile": ada.pk})
    url = f"/admin/campaigns/campaign/{campaign.pk}/why/"
    assert answer.headers["Location"] == f"{url}?profile={ada.pk}"
    shown = admin_client.get(f"{url}?profile={ada.pk}").content.decode()
    assert "nothing that starts the campaign has happened to them" in shown
    person()
    assert "Which one?" in admin_client.get(f"{url}?person=ada@example.com").content.decode()
    assert "Nobody is known as" in admin_client.get(f"{url}?person=bob").content.decode()
    assert "The whole story" in admin_client.get(url).content.decode()
