"""Computed traits look no further back than their events are kept."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from events import aging, retention
from events.audit import Actor
from events.computed import building, keeping, reach, turning
from events.models import ComputedTrait, EventDefinition
from tests.events.computed.test_following import traits, view
from tests.factories import make_profile

pytestmark = pytest.mark.django_db
ACTOR = Actor("test")


def build() -> None:
    while building.build_slice():
        pass


def test_another_age_of_its_events_has_it_computed_anew_and_deleting_them_changes_nothing() -> None:
    ada = make_profile("ada")
    row = ComputedTrait(name="views", function="count", event="Viewed")
    keeping.save(row, ACTOR)
    build()
    view(ada, "old", days_ago=20)
    view(ada, "new", days_ago=5)
    assert traits(ada) == {"views": 2}
    assert reach.follow() == 0
    EventDefinition.objects.update_or_create(name="Viewed", defaults={"retention_days": 10})
    assert reach.follow() == 1
    build()
    assert traits(ada) == {"views": 1}
    aging.sweep(timezone.now(), None, time.monotonic() + 60)
    assert turning.turn_batch(timezone.now()) == 0
    assert traits(ada) == {"views": 1}
    assert turning.turn_batch(timezone.now() + timedelta(days=5)) == 1, "at the very instant it comes of age"
    assert traits(ada) == {}


def test_what_holds_for_all_events_holds_for_it() -> None:
    row = ComputedTrait(name="views", function="count", event="Viewed", within="30d")
    keeping.save(row, ACTOR)
    retention.choose({retention.EVENTS: 7}, ACTOR)
    assert reach.follow() == 1
    row.refresh_from_db()
    assert (row.reach_days, row.state) == (7, "building")
