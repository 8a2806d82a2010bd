"""Computed traits follow what comes in, time, merges and erasures; nobody else can say what they are."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any
from weakref import WeakKeyDictionary

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from campaigns import enrollment
from events import log, merging, privacy
from events.audit import Actor
from events.computed import building, definitions, turning, writing
from events.ingest import ingest
from events.log import Entry
from events.models import ComputedTrait, ComputedValue, Profile, Segment, SegmentMember
from tests.factories import make_profile, make_source
from tests.races.test_ingest import identify, track

pytestmark = pytest.mark.django_db
ACTOR = Actor("test")


def make(name: str = "recent_views", function: str = "last_values", **columns: Any) -> ComputedTrait:
    columns = {"event": "Viewed", "state": ComputedTrait.State.LIVE, **columns}
    if function not in definitions.WITHOUT_PROPERTY:
        columns.setdefault("properties", ["sku"])
    return ComputedTrait.objects.create(name=name, function=function, **columns)


def view(person: Profile, *skus: str, days_ago: float = 0) -> None:
    at = timezone.now() - timedelta(days=days_ago)
    log.append([Entry(person.pk, "Viewed", {"sku": sku}, at) for sku in skus])
    while enrollment.enroll_batch(500):
        pass


def traits(person: Profile) -> dict[str, Any]:
    found: dict[str, Any] = Profile.objects.values_list("traits", flat=True).get(pk=person.pk)
    return found


def test_an_event_changes_what_is_computed_before_segments_are_asked() -> None:
    make()
    make("views", "count")
    segment = Segment.objects.create(slug="fans", name="Fans", condition={"trait": "views", "gte": 3})
    ada = make_profile("ada", traits={"plan": "pro"})
    view(ada, "a", "b")
    assert traits(ada) == {"plan": "pro", "recent_views": ["b", "a"], "views": 2}
    view(ada, "a")
    assert traits(ada) == {"plan": "pro", "recent_views": ["a", "b"], "views": 3}
    assert list(SegmentMember.objects.values_list("segment", "profile")) == [(segment.pk, ada.pk)]


def test_what_is_late_counts_in_its_place() -> None:
    make()
    ada = make_profile("ada")
    view(ada, "new")
    view(ada, "old", days_ago=3)
    assert traits(ada) == {"recent_views": ["new", "old"]}


def test_time_alone_takes_away() -> None:
    make("views", "count", within="30d")
    segment = Segment.objects.create(slug="fans", name="Fans", condition={"trait": "views", "gte": 2})
    ada = make_profile("ada")
    view(ada, "a", days_ago=29)
    view(ada, "b", days_ago=28)
    assert traits(ada) == {"views": 2}
    assert SegmentMember.objects.filter(segment=segment).exists()
    soon = timezone.now() + timedelta(days=1)
    assert turning.turn_batch(soon - timedelta(minutes=5)) == 0
    assert turning.turn_batch(soon) == 1
    assert traits(ada) == {"views": 1}
    assert not SegmentMember.objects.filter(segment=segment).exists()
    assert turning.turn_batch(soon + timedelta(days=1)) == 1
    assert traits(ada) == {}
    assert not ComputedValue.objects.exists()


def test_nobody_else_can_say_what_is_computed() -> None:
    make("views", "count")
    ada = make_profile("ada")
    view(ada, "a")
    source = make_source()
    ingest(source, [identify("ada", traits={"views": 900, "plan": '"pro"'})], timezone.now())
    assert traits(ada) == {"views": 1, "plan": "pro"}
    ingest(source, [identify("ada", traits={"views": "null"})], timezone.now())
    assert traits(ada) == {"views": 1, "plan": "pro"}


def test_history_that_no_campaign_hears_of_counts() -> None:
    make("views", "count")
    ada = make_profile("ada")
    segment = Segment.objects.create(slug="fans", name="Fans", condition={"trait": "views", "gte": 1})
    ingest(make_source(), [track(user_id="ada", name="Viewed", pending=False)], timezone.now())
    assert traits(ada) == {}
    assert turning.turn_batch(timezone.now() + timedelta(milliseconds=1)) == 1
    assert traits(ada) == {"views": 1}
    assert SegmentMember.objects.filter(segment=segment, profile=ada).exists()
    assert enrollment.enroll_batch(500) == 0, "no campaign hears of it"


def test_merging_reckons_anew() -> None:
    make("views", "count")
    make("favourite", "most_frequent")
    ada, ben = make_profile("ada", traits={"plan": "pro"}), make_profile("ben")
    view(ada, "a")
    view(ben, "b", "b")
    merging.merge_people(ben.pk, ada.pk, ACTOR)
    assert turning.turn_batch(timezone.now() + timedelta(milliseconds=1)) == 1
    assert traits(ada) == {"plan": "pro", "views": 3, "favourite": "b"}
    assert set(ComputedValue.objects.values_list("profile_id", flat=True)) == {ada.pk}


def test_erasing_leaves_nothing() -> None:
    make()
    ada = make_profile("ada")
    view(ada, "a")
    privacy.erase([ada.pk], ACTOR)
    assert not ComputedValue.objects.exists()


def test_the_number_of_statements_depends_on_neither_events_nor_traits_that_are_not_meant() -> None:
    make()
    make("views", "count")
    people = [make_profile() for _ in range(30)]
    view(people[0], "warm")

    def statements(number: int) -> int:
        log.append([Entry(each.pk, "Viewed", {"sku": "x"}, timezone.now()) for each in people[:number] for _ in "ab"])
        with CaptureQueriesContext(connection) as caught:
            enrollment.enroll_batch(500)
        return len(caught)

    few, many = statements(2), statements(30)
    assert few == many
    for number in range(5):
        make(f"orders_{number}", "count", event="Ordered")
    definitions.current()
    assert statements(3) == few


def test_a_new_one_is_built_for_everybody_and_one_that_goes_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "SLICE", 2)
    people = [make_profile() for _ in range(5)]
    for person in people[:4]:
        view(person, "a")
    segment = Segment.objects.create(slug="fans", name="Fans", condition={"trait": "views", "gte": 1})
    row = make("views", "count", state=ComputedTrait.State.BUILDING)
    slices = 0
    while building.build_slice():
        slices += 1
    assert slices == 4
    assert [traits(person) for person in people] == [{"views": 1}] * 4 + [{}]
    row.refresh_from_db()
    assert row.state == ComputedTrait.State.LIVE
    assert SegmentMember.objects.filter(segment=segment).count() == 4
    ComputedTrait.objects.update(state=ComputedTrait.State.GOING)
    while building.build_slice():
        pass
    assert [traits(person) for person in people] == [{}] * 5
    assert not ComputedTrait.objects.exists()
    assert not SegmentMember.objects.exists()
    assert enrollment.enroll_batch(500) == 0, "nobody is told"


def test_days_are_those_of_the_persons_time_zone() -> None:
    make("views", "count", where={"property": "at", "before": "2026-05-02"})
    make("all_views", "count")
    ada = make_profile("ada")
    log.append([Entry(ada.pk, "Viewed", {"at": "2026-05-01T23:00:00Z"}, timezone.now())])
    enrollment.enroll_batch(500)
    assert traits(ada) == {"views": 1, "all_views": 1}
    ingest(make_source(), [identify("ada", traits={"timezone": '"Asia/Tokyo"'})], timezone.now())
    assert ComputedValue.objects.exclude(look_at=None).count() == 1
    turning.turn_batch(timezone.now() + timedelta(milliseconds=1))
    assert traits(ada) == {"timezone": "Asia/Tokyo", "all_views": 1}


def test_another_zone_of_the_installation_computes_what_compares_days_anew(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = {"property": "at", "before": "2026-05-02"}
    make("may", "count", where=where, reckoned_in="Asia/Tokyo")
    make("views", "count", reckoned_in="Asia/Tokyo")
    make("as_ever", "count", where=where)
    ada = make_profile("ada")
    log.append([Entry(ada.pk, "Viewed", {"at": "2026-05-01T23:00:00Z"}, timezone.now())])
    settings.FALLBACK_TIME_ZONE = "Asia/Tokyo"
    building.begin_in_zone()
    settings.FALLBACK_TIME_ZONE = "America/New_York"
    building.begin_in_zone()
    states = dict(ComputedTrait.objects.values_list("name", "state"))
    assert states == {"may": "building", "views": "live", "as_ever": "building"}
    assert set(ComputedTrait.objects.values_list("reckoned_in", flat=True)) == {"America/New_York"}
    # As the processes that are started with it.
    monkeypatch.setattr(writing, "_made", WeakKeyDictionary())
    building.build(time.monotonic() + 30)
    assert traits(ada) == {"may": 1, "as_ever": 1}
    building.begin_in_zone()
    assert not ComputedTrait.objects.exclude(state="live").exists()
