"""Who is in a segment follows what comes in, and time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events import groups, log, merging, privacy
from events.audit import Actor
from events.log import Entry
from events.models import Event, Profile, Segment, SegmentHour, SegmentMember, SegmentTurn
from events.segments import building, changes, membership, turning
from tests.factories import make_profile

pytestmark = pytest.mark.django_db
ACTOR = Actor("test")


def make_segment(condition: dict[str, Any] | None, slug: str = "s", **columns: Any) -> Segment:
    return Segment.objects.create(slug=slug, name=slug.title(), condition=condition, **columns)


def hear(person: Profile, *names: str, days_ago: float = 0, **properties: Any) -> list[str]:
    """Let these events be stored and followed; return the news of segments that this made."""
    at = timezone.now() - timedelta(days=days_ago)
    log.append([Entry(person.pk, name, properties, at) for name in names])
    return follow()


def follow(now: datetime | None = None) -> list[str]:
    """Follow all that is pending, and what comes of it; return the news."""
    news: list[str] = []
    while True:
        with transaction.atomic():
            claimed = log.claim_pending(500)
            membership.follow(claimed, now or timezone.now())
        if not claimed:
            return news
        told = [event for event in claimed if event.name in (changes.ENTERED, changes.LEFT)]
        news += [f"{event.name.split()[1]} {event.properties['segment']}" for event in told]


def members(segment: Segment) -> set[int]:
    return set(SegmentMember.objects.filter(segment=segment).values_list("profile_id", flat=True))


def test_an_event_lets_its_person_enter_and_leave() -> None:
    buyers = make_segment({"event": "Bought"}, "buyers")
    idle = make_segment({"not": {"event": "Bought", "within": "30d"}}, "idle")
    ada, ben = make_profile("ada"), make_profile("ben")
    assert hear(ada, "Viewed") == []
    assert hear(ada, "Bought") == ["Entered buyers"]
    assert hear(ada, "Bought") == [], "she is in it"
    assert hear(ben, "Bought", days_ago=31) == ["Entered buyers", "Entered idle"]
    assert hear(ben, "Bought") == ["Left idle"]
    assert members(buyers) == {ada.pk, ben.pk}
    assert members(idle) == set()


def test_traits_and_groups_count_as_soon_as_they_are_told() -> None:
    make_segment({"trait": "plan", "is": "pro"}, "pro")
    make_segment({"group": "company", "trait": "plan", "is": "big"}, "big")
    ada, ben = make_profile("ada"), make_profile("ben")
    Profile.objects.filter(pk=ada.pk).update(traits={"plan": "pro"})
    Event.objects.create(profile=ada, type="identify", timestamp=timezone.now())
    assert hear(ada, "Viewed") == [], "no event of a kind that brings traits is pending"
    claimed = log.ClaimedEvent(1, timezone.now(), timezone.now(), ada.pk, None, "identify", "", {}, False)
    membership.follow([claimed], timezone.now())
    assert follow() == ["Entered pro"]
    for person in (ada, ben):
        groups.relate(person.pk, "company", "acme", {})
    groups.save_object("company", "acme", {"plan": "big"})
    membership.follow([replace(claimed, type="group", name="acme")], timezone.now())
    turning.turn_batch(timezone.now())
    assert follow() == ["Entered big", "Entered big"], "her colleague as well, whom no call was about"


def test_one_segment_can_ask_for_another() -> None:
    make_segment({"event": "Bought"}, "buyers")
    make_segment({"all": [{"segment": "buyers"}, {"not": {"segment": "vip"}}]}, "plain")
    vip = make_segment(None, "vip", kind=Segment.Kind.MANUAL)
    ada = make_profile("ada")
    assert hear(ada, "Bought") == ["Entered buyers", "Entered plain"]
    assert vip.size == 0


def test_a_turn_is_not_put_off_by_each_event_but_when_it_comes() -> None:
    recent = make_segment({"event": "Viewed", "within": "1d"})
    ada = make_profile("ada")
    start = timezone.now()
    hear(ada, "Viewed", days_ago=0.5)
    first = SegmentTurn.objects.get().look_at
    hear(ada, "Viewed")
    assert SegmentTurn.objects.get().look_at == first, "the row is left alone"
    assert turning.turn_batch(first) == 1
    last = SegmentTurn.objects.get().look_at
    assert last > start + timedelta(days=1)
    assert members(recent) == {ada.pk}
    turning.turn_batch(last)
    assert members(recent) == set()
    assert not SegmentTurn.objects.exists()


def test_time_alone_moves_people_at_their_minute() -> None:
    idle = make_segment({"not": {"event": "Bought", "within": "30d"}}, "idle")
    ada = make_profile("ada")
    assert hear(ada, "Bought", days_ago=29) == []
    due = SegmentTurn.objects.get().look_at
    assert abs(due - timezone.now() - timedelta(days=1)) < timedelta(minutes=1)
    assert turning.turn_batch(due - timedelta(seconds=1)) == 0
    assert turning.turn_batch(due) == 1
    assert follow() == ["Entered idle"]
    assert members(idle) == {ada.pk}
    assert not SegmentTurn.objects.exists(), "nothing more can change by itself"


def test_a_new_condition_is_asked_of_everybody_and_tells_nobody() -> None:
    people = [make_profile(f"p{number}", traits={"plan": "pro" if number % 2 else "free"}) for number in range(7)]
    segment = make_segment(
        {"trait": "plan", "is": "pro"}, state=Segment.State.BUILDING, build_started_at=timezone.now()
    )
    slices = 0
    while building.build_slice():
        slices += 1
    assert slices == 2, "one of people and one to find that nobody is left"
    assert members(segment) == {person.pk for person in people[1::2]}
    assert follow() == []
    changes.fold()
    segment.refresh_from_db()
    assert (segment.state, segment.size) == (Segment.State.LIVE, 3)
    assert segment.build_seconds is not None


def test_what_comes_in_while_it_is_built_is_told_only_of_those_who_were_asked() -> None:
    ada, ben = make_profile("ada"), make_profile("ben")
    segment = make_segment({"event": "Bought"}, state=Segment.State.BUILDING, built_to=ada.pk)
    assert hear(ada, "Bought") == ["Entered s"]
    assert hear(ben, "Bought") == [], "he may have been in it for years"
    assert members(segment) == {ada.pk, ben.pk}


def test_sizes_and_hours_are_folded_and_test_people_not_counted() -> None:
    segment = make_segment({"event": "Bought"})
    for number in range(3):
        hear(make_profile(f"p{number}"), "Bought")
    tester = make_profile("tester")
    Profile.objects.filter(pk=tester.pk).update(is_test=True)
    hear(tester, "Bought")
    assert changes.fold() > 0
    segment.refresh_from_db()
    assert (segment.size, len(members(segment)), segment.changed_by) == (3, 4, "Bought")
    hour = SegmentHour.objects.get()
    assert (hour.entered, hour.gone, hour.size) == (3, 0, 3)


def test_the_number_of_statements_does_not_depend_on_the_number_of_people() -> None:
    make_segment({"event": "Bought", "count": {"gte": 1}})

    def statements(people: int) -> int:
        for _ in range(people):
            log.append([Entry(make_profile().pk, "Bought", {}, timezone.now())])
        with transaction.atomic():
            claimed = log.claim_pending(500)
            with CaptureQueriesContext(
                connection,
            ) as captured:
                membership.follow(claimed, timezone.now())
        follow()
        return len(captured)

    statements(1)
    assert statements(1) == statements(40)


def test_who_merges_is_asked_again_and_keeps_the_lists_of_both() -> None:
    buyers = make_segment({"event": "Bought"}, "buyers")
    lists = make_segment(None, "list", kind=Segment.Kind.MANUAL)
    ada, visitor = make_profile("ada"), make_profile(None, anonymous_ids=("phone",))
    hear(visitor, "Bought")
    SegmentMember.objects.create(segment=lists, profile=visitor)
    merging.merge_people(visitor.pk, ada.pk, ACTOR)
    turning.turn_batch(timezone.now())
    assert members(buyers) == members(lists) == {ada.pk}
    while changes.fold():
        pass
    assert set(Segment.objects.values_list("slug", "size")) == {("buyers", 1), ("list", 0)}


def test_an_erased_person_is_in_no_segment() -> None:
    segment = make_segment({"event": "Bought", "within": "30d"})
    ada = make_profile("ada")
    hear(ada, "Bought")
    privacy.erase([ada.pk], ACTOR)
    assert members(segment) == set()
    assert not SegmentTurn.objects.exists()
    while changes.fold():
        pass
    segment.refresh_from_db()
    assert segment.size == 0


def test_an_unreadable_condition_harms_no_other() -> None:
    make_segment({"no such": "thing"}, "broken")
    make_segment({"event": "Bought"}, "buyers")
    assert hear(make_profile("ada"), "Bought") == ["Entered buyers"]


def test_a_person_ahead_of_our_clock_enters_at_once() -> None:
    make_segment({"event": "Bought"}, "buyers")
    ada = make_profile("ada")
    log.append([Entry(ada.pk, "Bought", {}, timezone.now())])
    assert follow(now=datetime(2026, 1, 1, tzinfo=UTC)) == ["Entered buyers"]
