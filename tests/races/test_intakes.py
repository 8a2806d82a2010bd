"""People are let in by the clock by many workers at once, which are killed in the middle."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from campaigns import intakes, publishing, timetables
from campaigns.listening import REQUESTED
from campaigns.models import Intake, Journey
from events.models import Event
from tests.campaigns.flow import make_campaign, settle
from tests.factories import make_profile
from tests.races.test_ingest import deadlocks
from tests.races.together import at_once

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]
DAILY = {"kind": "schedule", "repeat": "daily", "at": "09:00", "whose": "campaign"}


class Killed(BaseException):
    """What ends a worker whatever it is doing."""


def asked() -> list[int]:
    return sorted(Event.objects.filter(name=REQUESTED).values_list("profile_id", flat=True))


def just_after_nine() -> datetime:
    """Return a minute after the next 09:00: much later would be too late to begin."""
    now = timezone.now()
    nine = now.replace(hour=9, minute=1, second=0, microsecond=0)
    return nine if nine > now + timedelta(minutes=1) else nine + timedelta(days=1)


def work(at: datetime) -> None:
    timetables.open_due(at)
    intakes.run_due(time.monotonic() + 60, at)


def test_two_workers_at_once_ask_everybody_once(monkeypatch: pytest.MonkeyPatch) -> None:
    people = [make_profile().pk for _ in range(60)]
    make_campaign(trigger=DAILY, reentry={"rule": "always"})
    monkeypatch.setattr(intakes, "LOOK", 7)
    monkeypatch.setattr(intakes, "PORTION", 5)
    at = just_after_nine()
    before = deadlocks()
    at_once([lambda: work(at)] * 4)
    work(at)
    assert deadlocks() == before
    assert asked() == people
    settle()
    assert Journey.objects.count() == len(people)


def test_a_worker_that_is_killed_again_and_again_loses_and_doubles_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    people = [make_profile().pk for _ in range(40)]
    make_campaign(trigger=DAILY, reentry={"rule": "always"})
    monkeypatch.setattr(intakes, "LOOK", 6)
    monkeypatch.setattr(intakes, "PORTION", 4)
    at, ask, calls = just_after_nine(), intakes._ask, [0]

    def dying(intake: Intake, some: Any) -> int:
        done = ask(intake, some)
        calls[0] += 1
        if calls[0] % 3 == 0:
            raise Killed
        return done

    monkeypatch.setattr(intakes, "_ask", dying)
    deaths = 0
    while not Intake.objects.filter(state="done").exists():
        try:
            work(at)
        except Killed:
            deaths += 1
    assert deaths > 3
    assert asked() == people
    assert Intake.objects.get().asked == len(people)


def test_a_pause_in_the_middle_loses_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    people = [make_profile().pk for _ in range(60)]
    campaign = make_campaign(trigger=DAILY, reentry={"rule": "always"})
    monkeypatch.setattr(intakes, "LOOK", 4)
    monkeypatch.setattr(intakes, "PORTION", 3)
    at = just_after_nine()

    def stop_and_go() -> None:
        for _ in range(5):
            publishing.pause(campaign)
            publishing.resume(campaign)

    at_once([lambda: work(at), lambda: work(at), stop_and_go])
    work(at)
    settle()
    assert sorted(Journey.objects.values_list("profile_id", flat=True)) == people
