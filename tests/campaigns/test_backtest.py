"""What a campaign would have done over the log is what it does over the same events in earnest."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from campaigns import publishing
from campaigns.backtest import Cancelled, Plan, Result, keeping, run
from campaigns.backtest.run import _stage
from campaigns.models import Admission, Backtest, Campaign, Decision, Journey, Visit
from campaigns.reasons import Ending, Entry
from events import ingest, present
from events.models import Event, Profile, Source
from messaging.models import FrequencyCap, Message, SendingLimits, Unsubscription
from messaging.reasons import Reason
from tests.campaigns.flow import delay, make_campaign, send, settle
from tests.campaigns.test_simulate import TREES, drafted, rows, workflows
from tests.factories import make_event, make_profile

pytestmark = pytest.mark.django_db
MONDAY = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def happened(profile: Profile, name: str, after: timedelta, **properties: Any) -> Event:
    at = MONDAY + after
    return make_event(profile, name, properties, timestamp=at, received_at=at)


def person(**traits: Any) -> Profile:
    return make_profile(traits={"email": "ada@example.com", **traits})


def outcome_of(campaign: Campaign, days: int = 14) -> Result:
    return run(Plan(campaign.pk, campaign.slug, campaign.draft, MONDAY, MONDAY + days * DAY), lambda percent: None)


def test_entries_mails_goals_and_days_are_added_up() -> None:
    ada, bob, test = person(), person(), person()
    Profile.objects.filter(pk=test.pk).update(is_test=True)
    for profile, after in ((ada, HOUR), (bob, DAY), (test, DAY), (ada, 3 * DAY)):
        happened(profile, "Signed Up", after)
    happened(ada, "Order Completed", 5 * HOUR)
    before = rows()
    campaign = drafted(delay(2 * 86_400), send(), goal={"event": "Order Completed"})
    before["Campaign"], before["drafts"] = before["Campaign"] + 1, list(Campaign.objects.values())
    before |= {name: rows()[name] for name in ("Template", "Provider")}
    found = outcome_of(campaign)
    assert rows() == before
    assert found.events == 3 and found.entries == {Entry.ENTERED: 2, Entry.NOT_AGAIN: 1} and found.people == 2
    assert found.endings == {Ending.GOAL: 1, Ending.COMPLETED: 1} and found.converted == 1
    assert found.mails == {"mail": 1} and found.reached == {"wait": 2, "mail": 1}
    assert found.days[:4] == [("2026-03-02", 1, 0), ("2026-03-03", 1, 0), ("2026-03-04", 0, 0), ("2026-03-05", 0, 1)]
    assert [sample.profile_id for sample in found.samples] == [ada.pk, bob.pk]


def test_what_would_not_go_out_is_told_with_the_reason() -> None:
    ada, nobody = person(), make_profile()
    gone = person()
    Unsubscription.objects.create(profile=gone)
    for profile in (ada, nobody, gone):
        happened(profile, "Signed Up", timedelta())
    FrequencyCap.objects.create(most=1, window_length=2, window_unit="days", when_full="drop")
    SendingLimits.objects.create(quiet_start="20:00", quiet_end="10:00")
    campaign = drafted(send("one"), delay(86_400), send("two"), delay(4 * 86_400, "more"), send("three"))
    found = outcome_of(campaign)
    assert found.mails == {"one": 1, "three": 1}
    assert found.refused == {Reason.NO_ADDRESS: 3, Reason.UNSUBSCRIBED: 3, Reason.CAP_FULL: 1}
    assert found.samples[0].mails[0][2] == (MONDAY + 2 * HOUR).isoformat()


def test_caps_that_wait_let_it_out_later() -> None:
    happened(person(), "Signed Up", timedelta())
    FrequencyCap.objects.create(most=1, window_length=2, window_unit="days")
    found = outcome_of(drafted(send("one"), delay(86_400), send("two")))
    assert found.mails == {"one": 1, "two": 1} and found.held == 1
    assert found.samples[0].mails[1][2] == (MONDAY + 2 * DAY).isoformat()


def test_control_groups_and_rollouts_hold_people_out() -> None:
    for _ in range(40):
        happened(person(), "Signed Up", HOUR)
    campaign = drafted()
    Admission.objects.create(campaign=campaign, holdout=50, stages=[50], stage=0)
    found = outcome_of(campaign)
    assert set(found.entries) == {Entry.ENTERED, Entry.HELD_OUT, Entry.NOT_ROLLED_OUT}
    assert found.people == found.entries[Entry.ENTERED] < 25


def test_conditions_look_at_the_past_as_it_was() -> None:
    ada = person()
    for after in (HOUR, 2 * HOUR, 3 * HOUR, 9 * DAY):
        happened(ada, "Visited", after)
    often = {"event": "Visited", "count": {"gte": 3}, "within": "7d"}
    found = outcome_of(drafted(trigger={"event": "Visited", "where": often}, reentry={"rule": "always"}))
    assert found.entries == {Entry.FILTERED: 3, Entry.ENTERED: 1}


def test_it_can_only_read_and_can_be_stopped() -> None:
    with _stage(), pytest.raises(DatabaseError, match="read-only transaction"):
        make_profile()
    happened(person(), "Signed Up", HOUR)
    campaign = drafted()

    def stop(percent: int) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        run(Plan(campaign.pk, campaign.slug, campaign.draft, MONDAY, MONDAY + DAY), stop)
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_read_only")
        assert cursor.fetchone() == ("off",)


# --- The same events in earnest ---

EVENTS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(["Signed Up", "Bought", "Left"]), st.integers(0, 12 * 24)), max_size=25
)
REENTRY = st.sampled_from(
    [
        {"rule": "once"},
        {"rule": "always"},
        {"rule": "period", "hours": 48},
        {"rule": "always", "parallel": True},
        {"rule": "once", "by": "order"},
        {"rule": "always", "by": "order", "parallel": True},
    ]
)


@settings(
    max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate]
)
@given(workflows(), EVENTS, REENTRY, st.booleans(), st.none() | TREES)
def test_it_says_what_the_real_thing_does(
    steps: list[dict[str, Any]],
    events: list[tuple[int, str, int]],
    reentry: dict[str, Any],
    leaves: bool,
    where: dict[str, Any] | None,
) -> None:
    """The events are reported by three people, hour by hour, to the real tables with the clock moved."""
    with transaction.atomic():
        exits = [{"when": "event", "event": "Left"}] if leaves else []
        goal = None if leaves else {"event": "Bought", "hours": 200}
        trigger = {"event": "Signed Up", "where": where, "grace_minutes": 0}
        campaign = drafted(*steps, trigger=trigger, reentry=reentry, exits=exits, goal=goal)
        people = [person(plan=plan) for plan in ("free", "pro", "free")]
        _replay(campaign, people, events)
        found = outcome_of(campaign)
        real = Journey.objects.exclude(ending=Ending.HELD_OUT)
        note(str([(v.journey_id, v.step_id, v.entered_at, v.left_at, v.outcome) for v in Visit.objects.order_by("pk")]))
        note(str([(s.ending, s.stays) for s in found.samples]))
        note(str(list(Event.objects.order_by("pk").values_list("pk", "name", "profile_id", "received_at"))))
        entered = real.values_list("trigger_event_id", "profile_id")
        assert sorted(found.entered) == sorted(entered)
        decided = Counter(Decision.objects.values_list("entry", flat=True))
        assert Counter(found.entries) == decided
        assert Counter(found.reached) == Counter(Visit.objects.values_list("step_id", flat=True))
        endings = Counter(real.exclude(ending="").values_list("ending", flat=True))
        endings["under_way"] = real.filter(ending="").count()
        assert Counter(found.endings) == +endings
        assert sum(found.mails.values()) == Message.objects.count()
        transaction.set_rollback(True)


def _replay(campaign: Campaign, people: list[Profile], events: list[tuple[int, str, int]]) -> None:
    """Report each event at an instant of its own, and do what is due whenever anything is."""
    source = Source.objects.create(name="Replay", site_id="replay")
    waiting = [
        (hour * HOUR + place * timedelta(minutes=1), who, name) for place, (who, name, hour) in enumerate(events)
    ]
    waiting.sort()
    now, end = MONDAY, MONDAY + 14 * DAY
    with present.at(now):
        publishing.publish(campaign, None, "In earnest.")
    while now < end:
        with present.at(now):
            if waiting and MONDAY + waiting[0][0] <= now:
                after, who, name = waiting.pop(0)
                said = msgspec.json.encode({"order": who + after // HOUR % 2})
                item = ingest.Item("track", str(uuid4()), now, people[who].user_id, name=name, properties=said)
                ingest.ingest(source, [item], now)
            settle()
        due = Journey.objects.filter(state="waiting", due_at__gt=now).order_by("due_at").first()
        following = [MONDAY + each[0] for each in waiting[:1]] + ([due.due_at] if due and due.due_at else [])
        now = min(following, default=end)


# --- The page ---


def done(campaign: Campaign) -> Backtest:
    """Do what a worker does, by this connection."""
    asked = keeping._claim()
    assert asked is not None and asked.campaign == campaign
    progress = keeping.Progress()
    keeping.run_into(Plan(campaign.pk, campaign.slug, asked.definition, asked.since, asked.until), progress)
    keeping.settle(asked, progress)
    asked.refresh_from_db()
    return asked


def test_the_page_compares_draft_and_live_version(admin_client: Client) -> None:
    campaign = make_campaign(delay(3600), send())
    make_event(person(), "Signed Up")
    url = f"/admin/campaigns/campaign/{campaign.pk}/backtest/"
    assert "What would it have done?" in admin_client.get(url).content.decode()
    assert admin_client.post(url, {"what": "both", "days": "7"}).status_code == 302
    assert 'hx-trigger="every 2s"' in admin_client.get(url, headers={"HX-Request": "true"}).content.decode()
    live, draft = done(campaign), done(campaign)
    assert (live.version, draft.version) == (1, None) and live.state == draft.state == "done"
    html = admin_client.get(url).content.decode()
    assert "Journeys that begin" in html and "Version 1, " in html and "Draft, " in html
    assert "Reach “Wait”" in html and "Still under way at the end" in html


def test_a_sample_shows_its_mail_and_a_run_can_be_cancelled(admin_client: Client) -> None:
    campaign = make_campaign()
    make_event(person(name="Ada"), "Signed Up")
    keeping.ask(campaign, campaign.draft, None, 7, "Ada")
    asked = done(campaign)
    url = f"/admin/campaigns/campaign/{campaign.pk}/backtest/{asked.pk}/0/0/"
    html = admin_client.get(url).content.decode()
    assert "Hello Ada" in html and "sandbox srcdoc" in html
    assert admin_client.get(url.replace("/0/0/", "/7/0/")).status_code == 404
    other = keeping.ask(campaign, campaign.draft, None, 7, "Ada")
    admin_client.post(f"/admin/campaigns/campaign/{campaign.pk}/backtest/{other.pk}/cancel/")
    other.refresh_from_db()
    assert other.state == "cancelled" and keeping._claim() is None
    keeping.settle(other, keeping.Progress(error="late"))
    other.refresh_from_db()
    assert other.state == "cancelled"


def test_a_draft_that_cannot_run_is_not_asked_about(admin_client: Client) -> None:
    draft = Campaign.objects.create(name="Draft", slug="draft", draft={"trigger": {"event": "Signed Up"}})
    answer = admin_client.post(f"/admin/campaigns/campaign/{draft.pk}/backtest/", {"what": "draft", "days": "7"})
    assert answer.status_code == 400 and "The draft cannot run yet" in answer.content.decode()
    assert not Backtest.objects.exists()


def test_what_fails_says_why_and_a_dead_worker_is_followed_by_another() -> None:
    campaign = make_campaign()
    keeping.ask(campaign, {"steps": []}, None, 7, "Ada")
    failed = done(campaign)
    assert failed.state == "failed" and "add at least one step" in failed.error
    keeping.ask(campaign, campaign.draft, None, 7, "Ada")
    first = keeping._claim()
    assert first is not None and keeping._claim() is None
    Backtest.objects.filter(pk=first.pk).update(lease_until=MONDAY)
    assert keeping._claim() == first


@pytest.mark.django_db(transaction=True)
def test_a_worker_runs_it_by_a_connection_of_its_own() -> None:
    campaign = make_campaign()
    make_event(person(), "Signed Up")
    asked = keeping.ask(campaign, campaign.draft, None, 7, "Ada")
    assert keeping.run_due() == 1
    asked.refresh_from_db()
    assert asked.state == "done" and asked.percent == 100 and asked.result["entries"] == {"entered": 1}
