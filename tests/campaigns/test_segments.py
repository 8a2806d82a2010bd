"""What is new of segments is acted on by whoever has claimed the events that made it, in the same batch."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from campaigns import enrollment
from campaigns.models import Journey
from events.models import Event, EventCountChange, Pending, Segment, SegmentMember
from tests.campaigns.flow import delay, happens, make_campaign, statements
from tests.factories import make_profile

pytestmark = pytest.mark.django_db
BUYERS = {"event": "Bought", "within": "30d"}
ENTERED = {"event": "Segment Entered", "where": {"property": "segment", "is": "buyers"}}


def make_segment(slug: str, condition: dict[str, Any]) -> Segment:
    live = Segment.State.LIVE
    return Segment.objects.create(slug=slug, name=slug.title(), condition=condition, state=live)


def test_a_campaign_on_a_segment_starts_in_the_batch_of_the_event_that_lets_the_person_in() -> None:
    make_segment("buyers", BUYERS)
    make_campaign(delay(), trigger=ENTERED)
    ada, bob = make_profile("ada"), make_profile("bob")
    happens(ada, "Bought")
    happens(bob, "Looked")
    assert enrollment.enroll_batch(10) == 2
    journey = Journey.objects.get()
    news = Event.objects.get(name="Segment Entered")
    assert (journey.profile, journey.trigger_event_id) == (ada, news.pk)
    assert journey.trigger == news.properties == {"segment": "buyers", "name": "Buyers"}
    assert journey.trigger_at == news.timestamp
    assert set(Pending.objects.values_list("name", flat=True)) == {"Journey Started"}


def test_news_of_segments_is_counted_and_reaches_goals() -> None:
    make_segment("buyers", BUYERS)
    ada = make_profile("ada")
    make_campaign(delay(), goal={"event": "Segment Entered", "hours": 24}, name="Goal")
    make_campaign(delay(), trigger={"event": "Bought"}, name="Buys")
    happens(ada)
    enrollment.enroll_batch(10)
    happens(ada, "Bought")
    enrollment.enroll_batch(10)
    assert "Segment Entered" in EventCountChange.objects.values_list("name", flat=True)
    assert Journey.objects.get(campaign__name="Goal").converted_at is not None
    assert Journey.objects.get(campaign__name="Buys").converted_at is None


def test_a_segment_that_asks_for_another_follows_at_once_and_its_own_news_is_claimed() -> None:
    make_segment("buyers", BUYERS)
    make_segment("fans", {"segment": "buyers"})
    make_campaign(delay(), trigger={"event": "Segment Entered", "where": {"property": "segment", "is": "fans"}})
    happens(make_profile("ada"), "Bought")
    enrollment.enroll_batch(10)
    assert SegmentMember.objects.count() == 2
    assert not Journey.objects.exists()
    assert Pending.objects.get().name == "Segment Entered"
    enrollment.enroll_batch(10)
    assert Journey.objects.count() == 1


def test_segments_that_ask_for_each_other_go_round_batch_by_batch() -> None:
    make_segment("one", {"any": [{"event": "Bought", "within": "1d"}, {"not": {"segment": "two"}}]})
    make_segment("two", {"not": {"segment": "one"}})
    happens(make_profile("ada"), "Bought")
    rounds = 0
    while enrollment.enroll_batch(10):
        rounds += 1
        assert rounds < 10
    assert SegmentMember.objects.get().segment.slug == "one"


def test_a_test_person_in_a_segment_is_a_test_person_in_its_campaigns() -> None:
    make_segment("buyers", BUYERS)
    make_campaign(delay(), trigger=ENTERED)
    happens(make_profile("tess", is_test=True), "Bought")
    enrollment.enroll_batch(10)
    assert Journey.objects.get().is_test


def test_statements_do_not_grow_with_the_news() -> None:
    make_segment("buyers", BUYERS)
    make_campaign(delay(), trigger=ENTERED)
    people = [make_profile(f"p{number}") for number in range(23)]

    def batch(some: list[Any]) -> int:
        for person in some:
            happens(person, "Bought", received_at=timezone.now())
        return statements(lambda: enrollment.enroll_batch(100))

    batch(people[:1])
    Pending.objects.all().delete()
    few = batch(people[1:3])
    Pending.objects.all().delete()
    assert batch(people[3:]) == few
