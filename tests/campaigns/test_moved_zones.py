"""People who change their time zone while they wait: what is reckoned by the clock on their wall is reckoned anew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from campaigns.models import Journey
from events.models import Profile
from tests.campaigns.flow import WINDOW, happens, make_campaign, send, settle
from tests.factories import make_profile

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)  # a Wednesday: 21:00 in Tokyo, 07:00 in New York
UNTIL_NINE = {"id": "nine", "kind": "delay", "until": {"days_of_week": [0, 1, 2, 3, 4, 5, 6], "at": "09:00"}}
UNTIL_RENEWAL = {"id": "date", "kind": "delay", "until": {"trait": "renews", "at": "09:00"}}


def moves(person: Profile, zone: str) -> None:
    """Let a call come from another zone, as the tracking API stores it."""
    Profile.objects.filter(pk=person.pk).update(time_zone=zone)
    happens(person, "Looked Around", timestamp=timezone.now())


@pytest.mark.parametrize("step", [WINDOW, UNTIL_NINE, UNTIL_RENEWAL], ids=["window", "day", "date"])
def test_who_moves_west_is_waited_for_until_nine_o_clock_there(step: dict[str, Any]) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        make_campaign(step, send())
        person = make_profile(time_zone="Asia/Tokyo", traits={"renews": "2026-11-19"})
        happens(person, timestamp=timezone.now())
        settle()
        assert Journey.objects.get().due_at == datetime(2026, 11, 19, 0, tzinfo=UTC)
        clock.shift(timedelta(hours=1))
        moves(person, "America/Los_Angeles")
        settle()
    expected = {"window": 18, "nine": 18, "hours": 18, "date": 19}
    assert Journey.objects.get().due_at == datetime(2026, 11, expected[step["id"]], 17, tzinfo=UTC)


@pytest.mark.parametrize("step", [WINDOW, UNTIL_NINE, UNTIL_RENEWAL], ids=["window", "day", "date"])
def test_who_moves_east_does_not_have_to_wait_for_the_old_nine_o_clock(step: dict[str, Any]) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        make_campaign(step, send())
        person = make_profile(time_zone="America/Los_Angeles", traits={"renews": "2026-11-18"})
        happens(person, timestamp=timezone.now())
        settle()
        assert Journey.objects.get().due_at == datetime(2026, 11, 18, 17, tzinfo=UTC)
        clock.shift(timedelta(hours=2, minutes=30))
        moves(person, "America/New_York")  # 09:30 there
        settle()
    assert Journey.objects.get().state == "ended"


def test_a_call_from_the_same_zone_wakes_nobody() -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        make_campaign(WINDOW, send())
        people = [make_profile(time_zone="Asia/Tokyo"), make_profile()]
        for person in people:
            happens(person, timestamp=timezone.now())
        settle()
        waiting = Journey.objects.filter(state="waiting")
        before = set(waiting.values_list("profile_id", "due_at"))
        clock.shift(timedelta(minutes=10))
        for person in people:
            happens(person, "Looked Around", timestamp=timezone.now())
        settle()
        assert set(waiting.values_list("profile_id", "due_at")) == before
        assert {journey.wakes[0] for journey in waiting if journey.wakes} == {"zone Asia/Tokyo"}


def test_a_zone_that_becomes_known_counts_instead_of_the_campaigns() -> None:
    with time_machine.travel(NOON.replace(hour=3), tick=False):
        make_campaign(WINDOW, send(), time_zone="Europe/Vienna")
        person = make_profile()
        happens(person, timestamp=timezone.now())
        settle()
        assert Journey.objects.get().due_at == datetime(2026, 11, 18, 8, tzinfo=UTC)
        moves(person, "Asia/Tokyo")  # noon there
        settle()
    assert Journey.objects.get().state == "ended"
