"""Computed traits are exact while events come in, people are merged and erased, and definitions come, change and go."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from threading import Event as Signal
from typing import Any

import msgspec
import pytest
from django.db import transaction
from django.utils import timezone

from campaigns import enrollment
from events import merging, older, people, privacy
from events.audit import Actor
from events.computed import building, definitions, keeping, turning, writing
from events.ingest import ingest
from events.merging import CannotMerge
from events.models import ComputedTrait, ComputedValue, Profile, Segment, SegmentMember
from events.segments import building as segments_building
from events.segments import keeping as segments_keeping
from events.segments import turning as segments_turning
from tests.factories import make_profile, make_source
from tests.races.test_ingest import track
from tests.races.test_segments import until
from tests.races.together import at_once

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]
ACTOR = Actor("test")
PEOPLE = 40
SECONDS = 5
TRAITS: dict[str, dict[str, Any]] = {
    "views": {"function": "count"},
    "spent": {"function": "sum", "properties": ["price"]},
    "recent": {"function": "last_values", "properties": ["sku"], "number": 3},
    "favourite": {"function": "most_frequent", "properties": ["sku"]},
    # Soon over, so that time changes it as well.
    "lately": {"function": "count", "within": "1m"},
}


def report() -> None:
    now = timezone.now()
    calls = []
    for number in random.sample(range(PEOPLE), 5):
        words = {"sku": random.choice("abcdef"), "price": random.randrange(9)}
        at = now - timedelta(seconds=random.uniform(55, 62))
        item = track(user_id=f"u{number}", name="Viewed", properties=msgspec.json.encode(words))
        calls.append(replace(item, timestamp=at, pending=random.random() < 0.8))
    ingest(make_source(), calls, now)


def merge_two() -> None:
    two = random.sample(list(Profile.objects.values_list("pk", flat=True)) or [0, 0], 2)
    with suppress(CannotMerge):
        merging.merge_people(two[0], two[1], ACTOR)
    time.sleep(0.2)


def erase_one() -> None:
    privacy.erase(random.sample(list(Profile.objects.values_list("pk", flat=True)), 1), ACTOR)
    time.sleep(0.3)


def come_and_go() -> None:
    row = ComputedTrait(name="passing", function="count", event="Viewed")
    keeping.save(row, ACTOR)
    building.build(time.monotonic() + 5)
    keeping.remove(row, ACTOR)
    # Its slices may be in the hands of whoever builds something else at this moment: the name is free only once it is
    # gone.
    while ComputedTrait.objects.filter(name="passing").exists():
        building.build(time.monotonic() + 5)
        time.sleep(0.05)


def build_again() -> None:
    row = ComputedTrait.objects.get(name="recent")
    row.number = 5 - row.number
    keeping.save(row, ACTOR)
    building.build(time.monotonic() + 5)
    time.sleep(0.1)


def test_values_are_exact_when_all_is_quiet_again() -> None:
    for name, columns in TRAITS.items():
        keeping.save(ComputedTrait(name=name, event="Viewed", **columns), ACTOR)
    building.build(time.monotonic() + 5)
    for _ in range(PEOPLE):
        report()
    end = time.monotonic() + SECONDS
    work = [
        report,
        report,
        lambda: enrollment.enroll_pending(end),
        lambda: enrollment.enroll_pending(end),
        lambda: turning.turn_due(end),
        merge_two,
        erase_one,
        come_and_go,
        build_again,
    ]
    assert min(at_once([until(end, each) for each in work])) > 0
    settle()
    now = timezone.now()
    everybody = list(Profile.objects.all())
    assert len(everybody) > 5
    for definition in definitions.current():
        meant = writing.preview(definition, [person.pk for person in everybody], now)
        waiting = ComputedValue.objects.filter(computed_id=definition.pk, look_at__lte=now)
        late = set(waiting.values_list("profile_id", flat=True))
        wrong = {
            person.pk: (person.traits.get(definition.name), meant[person.pk])
            for person in everybody
            if person.pk not in late and person.traits.get(definition.name) != meant[person.pk]
        }
        assert not wrong, definition.name
    assert not [person.pk for person in everybody if "passing" in person.traits]


def settle() -> None:
    deadline = time.monotonic() + 30
    building.build(deadline)
    while enrollment.enroll_pending(deadline) + turning.turn_batch(timezone.now() + timedelta(milliseconds=1)):
        pass
    building.build(deadline)


def test_what_is_being_stored_while_a_definition_is_made_is_not_missed() -> None:
    """History that is stored by somebody who does not know of the definition, and seen by nobody before the commit."""
    now = timezone.now()
    ada = make_profile("u1", last_seen_at=now)
    source, stored = make_source(), Signal()

    def store() -> None:
        item = track(user_id="u1", name="Viewed")
        with transaction.atomic():
            ingest(source, [replace(item, timestamp=now - timedelta(days=2), pending=False)], now)
            stored.set()
            time.sleep(1)

    def define() -> None:
        assert stored.wait(10)
        keeping.save(ComputedTrait(name="views", function="count", event="Viewed"), ACTOR)
        segments_keeping.save(Segment(slug="viewers", name="Viewers", condition={"event": "Viewed"}), ["condition"])
        for build in (building.build, segments_building.build):
            assert build(time.monotonic() + 10) is False

    at_once([store, define])
    turning.turn_due(time.monotonic() + 5)
    segments_turning.turn_due(time.monotonic() + 5)
    ada.refresh_from_db()
    assert ada.traits == {"views": 1}
    assert SegmentMember.objects.get().profile_id == ada.pk


@pytest.mark.parametrize("waits_for", ["nothing", "time", "this look"])
def test_what_is_stored_between_a_look_and_its_note_is_looked_at_again(
    monkeypatch: pytest.MonkeyPatch, waits_for: str
) -> None:
    now = timezone.now()
    ada = make_profile("u1", last_seen_at=now)
    source, looked, stored = make_source(), Signal(), Signal()
    keeping.save(ComputedTrait(name="views", function="count", event="Viewed"), ACTOR)
    building.build(time.monotonic() + 5)
    item = replace(track(user_id="u1", name="Viewed"), timestamp=now - timedelta(days=2), pending=False)
    ingest(source, [item], now)
    turning.turn_due(time.monotonic() + 5)
    at = {"nothing": None, "time": now + timedelta(days=1), "this look": now - timedelta(hours=1)}[waits_for]
    ComputedValue.objects.update(look_at=at)
    write = writing._write

    def write_later(*answers: Any) -> Any:
        looked.set()
        assert stored.wait(10)
        return write(*answers)

    monkeypatch.setattr(writing, "_write", write_later)

    def look() -> None:
        with transaction.atomic():
            people.hold([ada.pk])
            writing.reckon({definitions.current()[0]: [ada.pk]}, now)

    def store() -> None:
        assert looked.wait(10)
        ingest(source, [replace(item, message_id="another")], now)
        stored.set()

    at_once([look, store])
    monkeypatch.undo()
    turning.turn_due(time.monotonic() + 5)
    ada.refresh_from_db()
    assert ada.traits == {"views": 2}


def test_a_transaction_that_somebody_forgot_to_end_does_not_hold_up_building_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(older, "UNDER_WAY", older.UNDER_WAY.replace("1 minute", "1 second"))
    make_profile("u1")
    forgotten, built = Signal(), Signal()

    def forget() -> None:
        with transaction.atomic():
            Profile.objects.exists()
            forgotten.set()
            assert built.wait(20)

    def build() -> None:
        assert forgotten.wait(10)
        keeping.save(ComputedTrait(name="views", function="count", event="Viewed"), ACTOR)
        began = time.monotonic()
        assert building.build(began + 0.3) is True, "it waits"
        assert building.build(began + 15) is False
        built.set()
        assert 1 < time.monotonic() - began < 15

    at_once([forget, build])
    assert ComputedTrait.objects.get().state == ComputedTrait.State.LIVE


def test_identify_cannot_replace_a_computed_value_at_the_moment_it_is_defined() -> None:
    thirty = [make_profile(f"u{number}", last_seen_at=timezone.now()) for number in range(30)]
    source = make_source()
    end = time.monotonic() + 4

    def say() -> None:
        words = {"orders": msgspec.Raw(b'"many"'), "plan": msgspec.Raw(f'"{random.random()}"'.encode())}
        for each in random.sample(thirty, 10):
            item = track(user_id=each.user_id or "", name="Bought")
            ingest(source, [replace(item, traits=words)], timezone.now())

    def define() -> None:
        row = ComputedTrait(name="orders", function="count", event="Bought")
        keeping.save(row, ACTOR)
        building.build(time.monotonic() + 5)
        time.sleep(0.1)
        keeping.remove(row, ACTOR)
        while ComputedTrait.objects.exists():
            building.build(time.monotonic() + 5)

    assert min(
        at_once([until(end, say), until(end, say), until(end, define), lambda: enrollment.enroll_pending(end)])[:3]
    )
    row = ComputedTrait(name="orders", function="count", event="Bought")
    at_once([say, lambda: keeping.save(row, ACTOR), say])
    settle()
    (definition,) = definitions.current()
    meant = writing.preview(definition, [each.pk for each in thirty], timezone.now())
    assert {each.pk: each.traits.get("orders") for each in Profile.objects.all()} == meant
