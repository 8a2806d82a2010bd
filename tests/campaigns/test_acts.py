"""Steps that do something beside sending: traits, events, going back, and letting only so many through."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from campaigns import publishing, runner
from campaigns.listening import REQUESTED
from campaigns.models import Decision, Journey, Visit
from campaigns.reasons import Ending, Entry, Outcome
from events.models import ComputedTrait, Event, Profile
from messaging.models import Message, Subscription, Topic
from tests.campaigns.flow import delay, happens, make_campaign, send, settle, statements
from tests.factories import make_profile, make_source

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)


def update(**traits: Any) -> dict[str, Any]:
    return {"id": "traits", "kind": "update", "traits": traits}


def track(event: str = "Greeted", **properties: Any) -> dict[str, Any]:
    return {"id": "track", "kind": "track", "event": event, "properties": properties}


def visits(step_id: str) -> list[tuple[str, str]]:
    return list(Visit.objects.filter(step_id=step_id).order_by("pk").values_list("outcome", "detail"))


def test_traits_are_set_from_texts_numbers_and_what_the_event_said() -> None:
    make_campaign(
        update(
            stage="Hello {{ customer.name }}",
            total="{{ trigger.total }}",
            tags=["{{ trigger.kind }}", 1],
            gone=None,
            unknown="{{ trigger.nothing }}",
        )
    )
    person = make_profile(traits={"name": "Ada", "gone": 1, "unknown": "kept"})
    happens(person, properties={"total": 12.5, "kind": "big"})
    settle()
    person.refresh_from_db()
    assert person.traits == {
        "name": "Ada",
        "stage": "Hello Ada",
        "total": 12.5,
        "tags": ["big", 1],
        "unknown": "kept",
    }
    told = Event.objects.get(profile=person, type=Event.Type.IDENTIFY)
    assert told.properties["total"] == 12.5 and told.context["step"] == "traits"
    assert visits("traits") == [(Outcome.DONE, "")]


def test_what_follows_sees_the_traits_that_were_set() -> None:
    paths = [{"id": "yes", "if": {"trait": "stage", "is": "two"}, "steps": [send()]}, {"id": "else"}]
    make_campaign(update(stage="two"), {"id": "which", "kind": "branch", "paths": paths})
    happens(make_profile())
    settle()
    assert Message.objects.count() == 1


def test_what_is_computed_is_not_for_a_campaign_to_say() -> None:
    ComputedTrait.objects.create(name="orders", function="count", event="Order Completed", state="live")
    person = make_profile(traits={"orders": 3})
    make_campaign(update(orders=9))
    happens(person)
    settle()
    person.refresh_from_db()
    assert person.traits == {"orders": 3}


def test_an_event_is_tracked_once_and_other_campaigns_hear_of_it() -> None:
    make_campaign(track("Greeted", plan="{{ customer.plan }}", count=3), name="First")
    make_campaign(send(), event="Greeted", name="Second")
    person = make_profile(traits={"plan": "pro"})
    happens(person)
    settle()
    settle()
    event = Event.objects.get(profile=person, name="Greeted")
    assert event.properties == {"plan": "pro", "count": 3}
    assert event.context["made_by"] == "first"
    assert Message.objects.count() == 1


def test_two_campaigns_that_start_each_other_do_not_race() -> None:
    make_campaign(track("Pong"), event="Ping", reentry={"rule": "always"})
    make_campaign(track("Ping"), event="Pong", reentry={"rule": "always"})
    happens(make_profile(), "Ping")
    for _ in range(10):
        settle()
    assert Event.objects.filter(name__in=["Ping", "Pong"]).count() <= 4


def test_a_text_that_cannot_be_filled_in_fails_its_step_and_the_journey_goes_on() -> None:
    make_campaign(update(stage="{{ customer.name | nonsense }}"), track(x="{% if %}"), send())
    person = make_profile()
    happens(person)
    settle()
    [(outcome, detail)] = visits("traits")
    assert (outcome, "stage: " in detail) == (Outcome.FAILED, True)
    assert visits("track")[0][0] == Outcome.FAILED
    assert not Event.objects.filter(profile=person, name="Greeted").exists()
    assert Journey.objects.get().ending == Ending.COMPLETED and Message.objects.count() == 1


def test_a_topic_is_joined_and_left_with_the_campaign_as_the_source() -> None:
    topic = Topic.objects.create(slug="news", name="News")
    step = {"id": "leave", "kind": "subscribe", "topic": "news", "subscribed": False, "name": "No news"}
    make_campaign(step, {**step, "id": "join", "subscribed": True})
    person = make_profile()
    happens(person)
    settle()
    said = Subscription.objects.filter(profile=person, topic=topic).order_by("pk")
    assert list(said.values_list("state", "source")) == [("unsubscribed", "campaign"), ("subscribed", "campaign")]
    assert "No news" in said[0].basis
    assert list(Event.objects.filter(name__startswith="Topic").order_by("pk").values_list("name", flat=True)) == [
        "Topic Unsubscribed",
        "Topic Subscribed",
    ]


def test_a_topic_that_is_gone_fails_its_step_and_keeps_a_draft_from_being_published() -> None:
    step = {"id": "leave", "kind": "subscribe", "topic": "news", "subscribed": False}
    topic = Topic.objects.create(slug="news", name="News")
    campaign = make_campaign(step, send())
    topic.delete()
    happens(make_profile())
    settle()
    assert visits("leave") == [(Outcome.FAILED, "There is no topic news")]
    assert Message.objects.count() == 1
    assert [problem.path for problem in publishing.problems(campaign)] == ["steps[0].topic"]


def start(campaign: str, **properties: Any) -> dict[str, Any]:
    return {"id": "start", "kind": "start", "campaign": campaign, "properties": properties}


def test_another_campaign_is_started_with_what_it_is_given_and_by_its_own_rules() -> None:
    gift = {"event": "Never Happens", "where": {"property": "size", "gte": 2}}
    make_campaign(send("gift"), trigger=gift, name="Gift")
    make_campaign(start("gift", size="{{ trigger.size }}"), reentry={"rule": "always"}, name="First")
    person, small = make_profile(), make_profile()
    happens(person, properties={"size": 3})
    happens(small, properties={"size": 1})
    settle()
    settle()
    journey = Journey.objects.get(campaign__slug="gift")
    trigger = {"size": 3, "campaign": "gift", "reason": "step", "depth": 1}
    assert (journey.profile, journey.trigger) == (person, trigger)
    refused = Decision.objects.get(campaign__slug="gift", profile=small)
    assert refused.entry == Entry.FILTERED
    happens(person, properties={"size": 3})
    settle()
    settle()
    assert Decision.objects.filter(campaign__slug="gift", profile=person, entry=Entry.NOT_AGAIN).exists()
    assert Message.objects.count() == 1


def test_a_campaign_that_is_not_live_is_not_started_and_the_visit_says_so() -> None:
    paused = make_campaign(send("gift"), name="Gift", event="Never Happens")
    make_campaign(start("gift"), send(), name="First")
    publishing.pause(paused)
    happens(make_profile())
    settle()
    assert visits("start") == [(Outcome.FAILED, "The campaign gift is not live")]
    assert not Event.objects.filter(name=REQUESTED).exists()


def test_an_application_cannot_ask_for_a_start() -> None:
    make_campaign(send("gift"), name="Gift", event="Never Happens")
    happens(make_profile(), REQUESTED, {"campaign": "gift"}, source=make_source(), context={"made_by": "gift"})
    settle()
    assert not Journey.objects.exists()


def test_a_campaign_that_starts_itself_does_not_race() -> None:
    make_campaign(start("echo"), name="Echo", event="Shout", reentry={"rule": "always"})
    happens(make_profile(), "Shout")
    for _ in range(10):
        settle()
    assert Journey.objects.count() <= 2


def test_a_chain_of_campaigns_ends_after_ten_and_says_so() -> None:
    make_campaign(send(), event="Never", name="Link 15")
    for number in reversed(range(15)):
        make_campaign(
            {"id": "next", "kind": "start", "campaign": f"link-{number + 1}", "properties": {"depth": -5}},
            event="Shout" if number == 0 else f"Nothing {number}",
            name=f"Link {number}",
        )
    happens(make_profile(), "Shout")
    for _ in range(20):
        settle()
    assert Journey.objects.count() == 11, "the first, and ten that were started"
    depths = [event.properties["depth"] for event in Event.objects.filter(name=REQUESTED).order_by("pk")]
    assert depths == list(range(1, 11))
    outcome, detail = visits("next")[-1]
    assert (outcome, detail.startswith("10 campaigns have started each other")) == (Outcome.FAILED, True)


def test_going_back_repeats_the_steps_between_so_many_times() -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        make_campaign(send(), delay(60), {"id": "again", "kind": "goto", "to": "mail", "times": 2}, send("last"))
        happens(make_profile())
        for _ in range(4):
            settle()
            clock.shift(timedelta(minutes=1))
        settle()
    assert [Visit.objects.filter(step_id=step).count() for step in ("mail", "again", "last")] == [3, 3, 1]
    assert [outcome for outcome, _ in visits("again")] == [Outcome.WENT_BACK, Outcome.WENT_BACK, Outcome.DONE]
    assert Message.objects.count() == 4


def test_only_so_many_are_let_through_evenly_and_in_the_order_they_came() -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        make_campaign({"id": "pace", "kind": "limit", "number": 60, "seconds": 3600}, send())
        people = [make_profile() for _ in range(5)]
        for person in people[:3]:
            happens(person)
        settle()
        for person in people[3:]:
            happens(person)
        settle()
        assert Message.objects.count() == 1
        for minute in range(1, 5):
            clock.move_to(NOON + timedelta(minutes=minute))
            settle()
            assert Message.objects.count() == minute + 1
    assert list(Message.objects.order_by("pk").values_list("profile_id", flat=True)) == [p.pk for p in people]


def test_who_comes_from_a_step_that_acted_waits_for_a_turn_as_well() -> None:
    with time_machine.travel(NOON, tick=False):
        make_campaign(update(x=1), {"id": "pace", "kind": "limit", "number": 1, "seconds": 60}, send())
        for _ in range(3):
            happens(make_profile())
        settle()
    assert Message.objects.count() == 1


def test_turns_missed_in_a_pause_are_given_anew() -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        campaign = make_campaign({"id": "pace", "kind": "limit", "number": 1, "seconds": 60}, send())
        for _ in range(5):
            happens(make_profile())
        settle()
        publishing.pause(campaign)
        clock.shift(timedelta(hours=1))
        settle()
        publishing.resume(campaign)
        settle()
        assert Message.objects.count() == 2
        for _ in range(3):
            clock.shift(timedelta(minutes=1))
            settle()
    assert Message.objects.count() == 5


def test_statements_do_not_grow_with_the_batch() -> None:
    make_campaign(
        update(stage="{{ trigger.n }}"),
        track(n="{{ trigger.n }}"),
        {"id": "pace", "kind": "limit", "number": 1_000_000, "seconds": 1},
        {"id": "again", "kind": "goto", "to": "traits", "times": 1},
        send(),
    )

    def run(people: list[Profile]) -> int:
        from campaigns import enrollment

        for person in people:
            happens(person, properties={"n": person.pk})
        enrollment.enroll_pending(time.monotonic() + 30)
        return statements(lambda: runner.run_due(time.monotonic() + 30))

    with time_machine.travel(timezone.now(), tick=False):
        people = [make_profile() for _ in range(40)]
        run(people[:1])
        few, many = run(people[1:3]), run(people[3:])
    assert few == many
