"""What brings people into a campaign beside an application's events."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.utils import timezone

from campaigns import publishing
from campaigns.engine import starts
from campaigns.engine.definition import problems, start_of
from campaigns.listening import REQUESTED
from campaigns.models import Campaign, Decision, Journey, LivePeriod
from campaigns.publishing import NotPublishable
from events import log, traits, watching
from events.identifying import Person
from events.models import Event, Profile, Segment, WatchedTrait
from events.segments import changes
from tests.campaigns.flow import make_campaign, settle
from tests.factories import make_event, make_profile, make_source

pytestmark = pytest.mark.django_db


def started_by(trigger: dict[str, Any], name: str = "Vip") -> Campaign:
    return make_campaign(name=name, trigger=trigger)


def by_segment(slug: str = "vip", **more: Any) -> dict[str, Any]:
    Segment.objects.get_or_create(
        slug=slug, defaults={"name": slug.title(), "condition": {"trait": "plan", "is": slug}}
    )
    return {"kind": "segment", "segment": slug, **more}


def moved(name: str = "Segment Entered", segment: str = "vip", **columns: Any) -> Event:
    return make_event(make_profile(), name, {"segment": segment}, pending=True, received_at=timezone.now(), **columns)


def test_a_trigger_without_a_kind_listens_for_an_event() -> None:
    start = start_of({"trigger": {"event": "Signed Up"}})
    assert start == starts.OnEvent("Signed Up")
    assert start == start_of({"trigger": {"kind": "event", "event": "Signed Up"}})


def test_segments_tell_of_moves_by_the_names_that_starts_listen_for() -> None:
    assert (starts.SEGMENT_ENTERED, starts.SEGMENT_LEFT) == (changes.ENTERED, changes.LEFT)


@pytest.mark.parametrize(
    ("trigger", "place"),
    [
        ({"kind": "moon"}, "trigger.kind"),
        ({"kind": ["event"]}, "trigger.kind"),
        ({"kind": "event"}, "trigger.event"),
        ({"kind": "segment"}, "trigger.segment"),
        ({"kind": "segment", "segment": "vip", "moved": "sideways"}, "trigger.moved"),
        ({"kind": "trait"}, "trigger.trait"),
        ({"kind": "trait", "trait": "plan", "to": ["pro"]}, "trigger.to.is"),
    ],
)
def test_a_mistake_in_a_start_is_named_with_its_place(trigger: dict[str, Any], place: str) -> None:
    found = problems({"trigger": trigger, "steps": [{"id": "end", "kind": "exit"}]})
    assert place in [problem.path for problem in found]


def test_whoever_enters_the_segment_enters_the_campaign() -> None:
    started_by(by_segment())
    event = moved()
    settle()
    assert Journey.objects.get().profile_id == event.profile_id


def test_other_segments_and_leaving_mean_nothing_to_it() -> None:
    started_by(by_segment())
    moved(segment="others")
    moved("Segment Left")
    settle()
    assert not Decision.objects.exists()


def test_whoever_leaves_the_segment_enters_a_campaign_about_leaving() -> None:
    started_by(by_segment(moved="left"))
    moved()
    left = moved("Segment Left")
    settle()
    assert [journey.profile_id for journey in Journey.objects.all()] == [left.profile_id]


def test_an_application_cannot_pretend_that_somebody_entered_a_segment() -> None:
    started_by(by_segment())
    moved(source=make_source())
    settle()
    assert not Decision.objects.exists()


def test_further_conditions_hold_as_well() -> None:
    started_by(by_segment(where={"property": "name", "is": "Gold"}))
    moved()
    settle()
    assert [decision.entry for decision in Decision.objects.all()] == ["filtered"]


def test_a_segment_that_is_not_there_cannot_start_a_campaign() -> None:
    with pytest.raises(NotPublishable) as caught:
        started_by({"kind": "segment", "segment": "gone"})
    assert [problem.path for problem in caught.value.problems] == ["trigger.segment"]


@pytest.mark.parametrize("trigger", [{"kind": "request"}, {"event": "Never Happens"}])
def test_a_request_starts_a_campaign_whatever_it_begins_with(trigger: dict[str, Any]) -> None:
    started_by(trigger)
    log.append([log.Entry(make_profile().pk, REQUESTED, {"campaign": "vip", "size": 3}, timezone.now())])
    settle()
    assert Journey.objects.get().trigger["size"] == 3


def test_what_a_kind_asks_of_its_own_events_is_not_asked_of_a_request() -> None:
    started_by(by_segment())
    log.append([log.Entry(make_profile().pk, REQUESTED, {"campaign": "vip"}, timezone.now())])
    settle()
    assert Journey.objects.count() == 1


def test_a_request_for_another_campaign_starts_nothing() -> None:
    started_by({"kind": "request"})
    log.append([log.Entry(make_profile().pk, REQUESTED, {"campaign": "other"}, timezone.now())])
    settle()
    assert not Decision.objects.exists()


def test_a_paused_campaign_hears_nothing() -> None:
    campaign = started_by({"kind": "request"})
    publishing.pause(campaign)
    assert LivePeriod.objects.get().event == ""
    log.append([log.Entry(make_profile().pk, REQUESTED, {"campaign": "vip"}, timezone.now())])
    settle()
    assert not Decision.objects.exists()


def test_an_entry_with_a_key_is_stored_once() -> None:
    person = make_profile()
    now = timezone.now()
    entries = [log.Entry(person.pk, "Told", {"n": n}, now, key="told") for n in range(2)]
    other = log.Entry(person.pk, "Told", {"n": 9}, now)
    assert log.append([*entries, other]) == [entries[0], other]
    assert log.append([log.Entry(person.pk, "Told", {"n": 3}, now + timedelta(days=1), key="told")]) == []
    assert sorted(event.properties["n"] for event in Event.objects.all()) == [0, 9]


def by_trait(**more: Any) -> dict[str, Any]:
    return {"kind": "trait", "trait": "plan", **more}


def becomes(person: Profile, **said: Any) -> None:
    raw = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in said.items()}
    traits.apply({Person(profile_id=person.pk): traits.News(raw)})


def test_the_change_of_a_trait_is_told_by_the_name_that_starts_listen_for() -> None:
    assert starts.TRAIT_CHANGED == watching.CHANGED


@pytest.mark.parametrize(
    ("trigger", "enters"),
    [
        (by_trait(), True),
        (by_trait(trait="seats"), False),
        (by_trait(to="pro"), True),
        (by_trait(to="team"), False),
        (by_trait(**{"from": "free", "to": "pro"}), True),
        (by_trait(**{"from": None, "to": "pro"}), False),
        (by_trait(**{"from": "free", "to": None}), False),
        (by_trait(where={"property": "to", "contains": "p"}), True),
        (by_trait(where={"trait": "plan", "is": "free"}), False),
    ],
)
def test_whoever_changes_as_is_asked_enters(trigger: dict[str, Any], enters: bool) -> None:
    person = make_profile(traits={"plan": "free"})
    started_by(trigger)
    becomes(person, plan="pro", seats=None)
    settle()
    assert Journey.objects.exists() is enters


def test_none_as_the_value_before_or_after_means_that_it_is_not_known() -> None:
    known = make_profile(traits={"plan": "free"})
    started_by(by_trait(to=None), "Left")
    started_by(by_trait(**{"from": None}), "Came")
    becomes(known, plan=None)
    settle()
    becomes(known, plan="pro")
    settle()
    assert [journey.campaign.slug for journey in Journey.objects.order_by("pk")] == ["left", "came"]


def test_a_trait_is_watched_only_as_long_as_a_campaign_is_live() -> None:
    campaign = started_by(by_trait())
    assert [row.path for row in WatchedTrait.objects.all()] == [["plan"]]
    publishing.pause(campaign)
    assert not WatchedTrait.objects.exists()
    publishing.resume(campaign)
    campaign.draft["trigger"] = by_trait(trait="seats")
    campaign.save()
    publishing.publish(campaign, None, "Other")
    assert [row.path for row in WatchedTrait.objects.all()] == [["seats"]]


def test_an_application_cannot_pretend_that_a_trait_has_changed() -> None:
    started_by(by_trait())
    make_event(make_profile(), watching.CHANGED, {"trait": "plan", "to": "pro"}, pending=True, source=make_source())
    settle()
    assert not Decision.objects.exists()


def test_a_step_that_sets_the_trait_starts_the_campaign() -> None:
    update = {"id": "traits", "kind": "update", "traits": {"plan": "pro"}}
    make_campaign(update, event="Upgraded", name="First")
    started_by(by_trait(to="pro"))
    make_event(make_profile(), "Upgraded", pending=True)
    for _ in range(3):
        settle()
    assert Journey.objects.filter(campaign__slug="vip").count() == 1
