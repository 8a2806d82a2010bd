"""A campaign is run for one person through weeks in a second, and nothing real is touched."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from django.apps import apps
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaigns import publishing
from campaigns import simulate as simulating
from campaigns.models import Campaign, Decision, Journey, Visit
from campaigns.reasons import Ending, Entry, Outcome
from campaigns.testing import Happens, Run, Simulated, SimulationError, simulate
from events import ingest, present
from events.models import Event, Profile, Segment, SegmentMember, Source
from events.segments import keeping
from messaging import caps
from messaging.models import FrequencyCap, Message, SendingLimits, Unsubscription
from messaging.reasons import Reason
from messaging.states import Status
from tests.campaigns.flow import delay, make_campaign, make_template, send, settle
from tests.factories import make_event, make_profile

pytestmark = pytest.mark.django_db
MONDAY = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)
ADA = {"email": "ada@example.com", "name": "Ada", "plan": "free"}


def drafted(*steps: dict[str, Any], **definition: Any) -> Campaign:
    draft = {"trigger": {"event": "Signed Up"}, "steps": list(steps) or [send()], **definition}
    number = Campaign.objects.count() + 1
    return Campaign.objects.create(name=f"Draft {number}", slug=f"draft-{number}", draft=draft)


def run(campaign: Campaign, *happenings: Happens, who: Any = ADA, **parts: Any) -> Simulated:
    return simulate(Run(campaign, who, happenings or [Happens("Signed Up", {"plan": "pro"})], MONDAY, **parts))


def rows() -> dict[str, Any]:
    """Return how many rows each table holds, and what campaigns are."""
    models = [
        m
        for room in ("events", "messaging", "campaigns")
        for m in apps.get_app_config(room).get_models()
        if m._meta.managed
    ]
    return {m.__name__: m._default_manager.count() for m in models} | {"drafts": list(Campaign.objects.values())}


def test_fourteen_days_with_six_steps_take_no_time_and_every_mail_is_shown() -> None:
    wait = {"id": "until", "kind": "wait", "event": "Order Completed", "seconds": 3 * 86_400}
    wait["paths"] = [{"id": "did", "steps": []}, {"id": "not", "steps": [send("reminder")]}]
    window = {"id": "hours", "kind": "window", "days": [0, 1, 2, 3, 4], "start": "09:00", "end": "17:00"}
    split = {"id": "b", "kind": "branch", "paths": [{"id": "p", "if": {"trait": "plan", "is": "free"}, "steps": []}]}
    campaign = drafted(delay(3600), window, send("first"), wait, split, delay(5 * 86_400, "week"), send("last"))
    before, began = rows(), time.monotonic()
    found = run(campaign)
    assert time.monotonic() - began < 10
    assert rows() == before
    assert [(mail.step, mail.status) for mail in found.mails] == [
        ("first", Status.DELIVERED),
        ("reminder", Status.DELIVERED),
        ("last", Status.DELIVERED),
    ]
    first = found.mails[0]
    assert (first.at, first.subject, first.address) == (MONDAY + timedelta(hours=1), "Hello Ada", "ada@example.com")
    assert "Unsubscribe" in first.html
    (journey,) = found.journeys
    assert journey.ending is Ending.COMPLETED and journey.ended_at == MONDAY + timedelta(days=8, hours=1)
    assert [visit.step for visit in journey.visits] == [
        "wait",
        "hours",
        "first",
        "until",
        "reminder",
        "b",
        "week",
        "last",
    ]
    assert "got it" in found.trace.answer


def test_what_happens_on_the_way_decides() -> None:
    campaign = drafted(delay(86_400), send(), goal={"event": "Order Completed"})
    assert len(run(campaign).mails) == 1
    found = run(campaign, Happens("Signed Up"), Happens("Order Completed", after=DAY / 2))
    assert found.mails == [] and found.journeys[0].ending is Ending.GOAL
    assert found.journeys[0].ended_at == MONDAY + DAY / 2
    late = run(campaign, Happens("Signed Up"), Happens("Order Completed", after=2 * DAY))
    assert len(late.mails) == 1 and late.journeys[0].converted_at == MONDAY + 2 * DAY


def test_traits_and_conditions_are_those_of_the_moment() -> None:
    pro = {"event": "Signed Up", "where": {"trait": "plan", "is": "pro"}, "grace_minutes": 0}
    campaign = drafted(trigger=pro, reentry={"rule": "always"})
    found = run(
        campaign, Happens("Signed Up"), Happens(traits={"plan": "pro"}, after=DAY), Happens("Signed Up", after=DAY)
    )
    assert [(each.at, each.entry) for each in found.entries] == [
        (MONDAY, Entry.FILTERED),
        (MONDAY + DAY, Entry.ENTERED),
    ]


def test_a_known_person_brings_their_past_and_the_campaign_is_new_to_them() -> None:
    ada = make_profile(traits=ADA)
    make_event(ada, "Order Completed", timestamp=MONDAY - DAY, received_at=MONDAY - DAY)
    often = {"event": "Order Completed", "count": {"gte": 2}, "within": "7d"}
    campaign = make_campaign(event="Order Completed", trigger={"event": "Order Completed", "where": often})
    found = run(campaign, Happens("Order Completed"), who=ada, live=True)
    assert [each.entry for each in found.entries] == [Entry.ENTERED]
    assert found.mails[0].subject == "Hello Ada"
    assert Profile.objects.get().last_seen_at == ada.last_seen_at and Event.objects.count() == 1


def test_segments_are_followed_and_the_real_ones_stay() -> None:
    keeping.save(Segment(slug="pro", name="Pro", condition={"trait": "plan", "is": "pro"}), {"condition"})
    Segment.objects.update(state="live")
    campaign = drafted(trigger={"kind": "segment", "segment": "pro"})
    ada = make_profile(traits=ADA)
    found = run(campaign, Happens(traits={"plan": "pro"}, after=DAY), who=ada)
    assert [(each.event, each.at) for each in found.entries] == [("Segment Entered", MONDAY + DAY)]
    assert not SegmentMember.objects.exists()
    again = run(campaign, Happens(traits={"plan": "free"}), who=ada)
    assert again.entries == []


def test_consent_caps_and_quiet_hours_hold_as_in_earnest() -> None:
    SendingLimits.objects.create(mode="hold", quiet_start="20:00", quiet_end="10:00")
    FrequencyCap.objects.create(most=1, window_length=7, window_unit="days", when_full="drop")
    campaign = drafted(send("one"), delay(86_400), send("two"))
    found = run(campaign)
    first, second = found.mails
    assert (first.step, first.reason, first.at) == ("one", None, MONDAY.replace(hour=10) + caps.GATHERING)
    assert second.reason is Reason.CAP_FULL
    bob = make_profile(traits=ADA)
    Unsubscription.objects.create(profile=bob)
    assert [mail.reason for mail in run(campaign, who=bob).mails] == [Reason.UNSUBSCRIBED] * 2


def test_web_addresses_answer_what_they_are_told_to() -> None:
    call = {"id": "ask", "kind": "call", "url": "https://example.com/coupon"}
    template = make_template("Coupon", subject="{{ journey.answers.ask.code }}")
    campaign = drafted(call, send() | {"template": template.pk})
    found = run(campaign, answers={"ask": {"code": "SPRING"}})
    assert found.journeys[0].visits[0].outcome is Outcome.ANSWERED
    assert found.mails[0].subject == "SPRING"


def test_the_live_version_and_the_draft_are_told_apart() -> None:
    campaign = make_campaign(send())
    campaign.draft = {**campaign.draft, "steps": [delay(3600), send()]}
    campaign.save()
    assert run(campaign, live=True).mails[0].at == MONDAY
    assert run(campaign).mails[0].at == MONDAY + timedelta(hours=1)


def test_what_cannot_be_run_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SimulationError, match="never published"):
        run(drafted(), live=True)
    with pytest.raises(SimulationError, match="no id"):
        run(drafted(), who=make_profile(user_id=None))
    monkeypatch.setattr(simulating, "MOST_MOMENTS", 3)
    back = {"id": "back", "kind": "goto", "to": "wait", "times": 100}
    with pytest.raises(SimulationError, match="never comes to rest"):
        run(drafted(delay(1), back))


def test_after_a_run_the_connection_sees_the_real_tables_again() -> None:
    run(drafted())
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_class WHERE relpersistence = 't' AND relname LIKE 'campaigns_%'")
        assert cursor.fetchone() == (0,)
        cursor.execute("SHOW transaction_read_only")
        assert cursor.fetchone() == ("off",)
    make_profile()


HOURS = st.integers(1, 72).map(lambda hours: hours * 3600)
LATER = st.integers(0, 10 * 24).map(lambda hours: timedelta(hours=hours))
TREES = st.sampled_from([{"trait": "plan", "is": "pro"}, {"event": "Bought", "count": {"gte": 2}}, {"event": "Bought"}])


@st.composite
def workflows(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw steps of the kinds that decide by time, by chance and by what happens."""
    steps: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, 4))):
        inner = [{"id": f"in-{number}", "kind": "delay", "seconds": draw(HOURS)}]
        ways = [{"id": "yes", "steps": inner}, {"id": "no", "steps": []}]
        kind = draw(st.sampled_from(["delay", "window", "branch", "split", "wait", "quiet", "send"]))
        step = {"id": f"step-{number}", "kind": kind}
        match kind:
            case "delay":
                step["seconds"] = draw(HOURS)
            case "window":
                step |= {"days": draw(st.sampled_from([[0, 1], [5, 6], [2]])), "start": "09:00", "end": "12:00"}
            case "branch":
                step["paths"] = [ways[0] | {"if": draw(TREES)}, ways[1]]
            case "split":
                step["paths"] = [ways[0] | {"weight": 1}, ways[1] | {"weight": 1}]
            case "wait":
                until = draw(st.sampled_from([{"event": "Bought"}, {"if": {"trait": "plan", "is": "pro"}}]))
                step |= {"seconds": draw(HOURS), "paths": ways, **until}
            case "quiet":
                step |= {"seconds": draw(HOURS), "event": "Bought"}
            case "send":
                step["template"] = make_template().pk
        steps.append(step)
    return steps


HAPPENINGS = st.lists(
    st.one_of(
        st.builds(Happens, st.sampled_from(["Signed Up", "Bought", "Left"]), after=LATER),
        st.builds(Happens, traits=st.sampled_from([{"plan": "pro"}, {"plan": "free"}]), after=LATER),
    ),
    max_size=8,
)
REENTRY = st.sampled_from([{"rule": "once"}, {"rule": "always"}, {"rule": "period", "hours": 48}])


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(workflows(), HAPPENINGS, REENTRY, st.booleans())
def test_the_run_decides_as_the_real_thing_does(
    steps: list[dict[str, Any]], happenings: list[Happens], reentry: dict[str, Any], leaves: bool
) -> None:
    """The same events are replayed by the real tables with the clock moved, hour by hour."""
    with transaction.atomic():
        exits = [{"when": "event", "event": "Left"}] if leaves else []
        goal = {"event": "Bought", "hours": 200} if not leaves else None
        campaign = drafted(*steps, reentry=reentry, exits=exits, goal=goal)
        ada = make_profile(traits=ADA)
        happenings = [Happens("Signed Up"), *happenings]
        found = simulate(Run(campaign, ada, happenings, MONDAY))
        _replay(campaign, ada, happenings)
        decided = Decision.objects.order_by("pk").values_list("entry", flat=True)
        assert list(decided) == [each.entry for each in found.entries]
        real = Visit.objects.order_by("journey_id", "number")
        assert [
            (visit.step, visit.entered_at, visit.left_at, visit.outcome or "", visit.detail)
            for journey in found.journeys
            for visit in journey.visits
        ] == list(real.values_list("step_id", "entered_at", "left_at", "outcome", "detail"))
        ended = Journey.objects.order_by("pk").values_list("ending", "ended_at", "converted_at")
        assert [(one.ending or "", one.ended_at, one.converted_at) for one in found.journeys] == list(ended)
        assert len(found.mails) == Message.objects.count()
        transaction.set_rollback(True)


def _replay(campaign: Campaign, ada: Profile, happenings: list[Happens]) -> None:
    source = Source.objects.create(name="Replay", site_id="replay")
    waiting = sorted(happenings, key=lambda each: each.after)
    for hour in range(14 * 24 + 1):
        now = MONDAY + timedelta(hours=hour)
        with present.at(now):
            if hour == 0:
                publishing.publish(campaign, None, "In earnest.")
            while waiting and MONDAY + waiting[0].after <= now:
                one = waiting.pop(0)
                traits = {key: msgspec.Raw(msgspec.json.encode(value)) for key, value in (one.traits or {}).items()}
                said = msgspec.json.encode(dict(one.traits or one.properties))
                kind = "identify" if one.traits else "track"
                item = ingest.Item(kind, str(uuid4()), now, ada.user_id, name=one.name, traits=traits, properties=said)
                ingest.ingest(source, [item], now)
                settle()
            if Journey.objects.filter(state="waiting", due_at__lte=now).exists():
                settle()
