"""Dates come while many workers look, people change them, turn out to be one, and workers are killed."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from django.utils import timezone

from campaigns import dates, enrollment
from campaigns.listening import REQUESTED
from events import ingest, traits
from events.audit import Actor
from events.identifying import Person
from events.merging import merge_people
from events.models import Event
from tests.campaigns.flow import make_campaign
from tests.factories import make_profile
from tests.races.test_ingest import deadlocks
from tests.races.test_intakes import Killed
from tests.races.together import at_once

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]
TRIGGER = {"kind": "date", "trait": "renews", "days": 0, "at": "00:00"}
LATER = timedelta(days=5)


def asked() -> list[int]:
    return sorted(Event.objects.filter(name=REQUESTED).values_list("profile_id", flat=True))


def make_people(number: int) -> list[int]:
    day = (timezone.now() + LATER).date().isoformat()
    people = [make_profile(traits={"renews": day}).pk for _ in range(number)]
    make_campaign(trigger=TRIGGER, time_zone="UTC", reentry={"rule": "always"})
    return people


def work(at: datetime) -> None:
    deadline = time.monotonic() + 60
    enrollment.enroll_pending(deadline)
    dates.build(deadline, at)
    dates.turn_due(deadline, at)


def test_many_workers_ask_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dates, "PORTION", 7)
    people = make_people(50)
    work(timezone.now())
    at = timezone.now() + LATER
    before = deadlocks()
    at_once([lambda: work(at)] * 4)
    work(at)
    assert deadlocks() == before
    assert asked() == people


def test_a_worker_that_is_killed_again_and_again_asks_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dates, "PORTION", 4)
    people = make_people(30)
    reckon, calls, deaths = dates._reckon, [0], 0

    def dying(*arguments: Any, **more: Any) -> int:
        done = reckon(*arguments, **more)
        calls[0] += 1
        if calls[0] % 3 == 0:
            raise Killed
        return done

    monkeypatch.setattr(dates, "_reckon", dying)
    for moment in (timezone.now(), timezone.now() + LATER):
        for _ in range(40):
            try:
                work(moment)
                break
            except Killed:
                deaths += 1
    assert deaths > 3
    assert asked() == people


def test_dates_that_change_and_people_who_become_one_meanwhile() -> None:
    people = make_people(24)
    work(timezone.now())
    at = timezone.now() + LATER
    later = msgspec.Raw(msgspec.json.encode((at + timedelta(days=30)).date().isoformat()))
    moving, merged = people[:8], list(zip(people[8:16], people[16:], strict=True))

    def change() -> None:
        for person in moving:
            ingest.in_one_go(
                lambda person=person: traits.apply({Person(profile_id=person): traits.News({"renews": later})})
            )

    def merge() -> None:
        for pair in merged:
            merge_people(*pair, Actor("test"))

    at_once([change, merge, lambda: work(at), lambda: work(at)])
    work(at)
    found = asked()
    assert set(people[16:]) <= set(found) <= {*moving, *people[16:]}
    occurrences = Event.objects.filter(name=REQUESTED).values_list("properties__occurrence", flat=True)
    assert set(occurrences) == {at.date().isoformat()}
    assert all(found.count(person) == 1 for person in moving if person in found)
