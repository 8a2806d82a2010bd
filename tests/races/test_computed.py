"""Computed traits are exact while events come in, people are merged and erased, and definitions come, change and go."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.utils import timezone

from campaigns import enrollment
from events import merging, privacy
from events.audit import Actor
from events.computed import building, definitions, keeping, turning, writing
from events.ingest import ingest
from events.merging import CannotMerge
from events.models import ComputedTrait, ComputedValue, Profile
from tests.factories import make_source
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
    building.build(time.monotonic() + 5)
    time.sleep(0.1)


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
    people = list(Profile.objects.all())
    assert len(people) > 5
    for definition in definitions.current():
        meant = writing.preview(definition, [person.pk for person in people], now)
        waiting = ComputedValue.objects.filter(computed_id=definition.pk, look_at__lte=now)
        late = set(waiting.values_list("profile_id", flat=True))
        wrong = {
            person.pk: (person.traits.get(definition.name), meant[person.pk])
            for person in people
            if person.pk not in late and person.traits.get(definition.name) != meant[person.pk]
        }
        assert not wrong, definition.name
    assert not [person.pk for person in people if "passing" in person.traits]


def settle() -> None:
    deadline = time.monotonic() + 30
    building.build(deadline)
    while enrollment.enroll_pending(deadline) + turning.turn_batch(timezone.now() + timedelta(milliseconds=1)):
        pass
    building.build(deadline)
