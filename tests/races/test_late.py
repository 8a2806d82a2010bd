"""Events of one person come out of order to several workers: whoever takes which of them, the outcome is the same."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns import enrollment
from campaigns.models import Decision, Journey
from campaigns.reasons import Entry
from events.models import Pending
from tests.campaigns.flow import delay, happens, make_campaign
from tests.factories import make_profile
from tests.races.together import at_once

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]
PEOPLE, WRITERS = 60, 3
# Minutes ago: the last two are the third and the fourth within ten minutes.
CLICKS = (30, 9, 5, 2, 1)


def enroll(writers: list[bool]) -> None:
    """Take events a few at a time until nobody writes and none is left."""
    while writers or Pending.objects.exists():
        enrollment.enroll_batch(2)


def test_events_that_several_workers_take_in_any_order_come_to_the_same() -> None:
    often = {"event": "Clicked", "count": {"gt": 2}, "within": "10m"}
    make_campaign(delay(), trigger={"event": "Clicked", "where": often}, reentry={"rule": "always"})
    make_campaign(delay(), trigger={"event": "Ordered", "where": {"event": "Clicked", "count": {"is": 5}}})
    now, writing = timezone.now(), [True] * WRITERS
    people = [make_profile() for _ in range(PEOPLE)]
    happened: dict[int, int] = {}

    def writer(number: int) -> Callable[[], None]:
        """Return what brings a third of everybody's events, the order's among them, in an order of its own."""
        mine = [
            (person, minutes)
            for person in people
            for place, minutes in enumerate((*CLICKS, 0))
            if (person.pk + place) % WRITERS == number
        ]
        random.Random(number).shuffle(mine)

        def write() -> None:
            for person, minutes in mine:
                at = now - timedelta(minutes=minutes)
                happened[happens(person, "Clicked" if minutes else "Ordered", timestamp=at, received_at=now)] = minutes
                time.sleep(0.001)
            writing.pop()

        return write

    at_once([*map(writer, range(WRITERS)), *[lambda: enroll(writing)] * 3])
    met = Decision.objects.exclude(entry=Entry.FILTERED)
    assert sorted((who, happened[event]) for who, event in met.values_list("profile", "event_id")) == sorted(
        (person.pk, minutes) for person in people for minutes in (2, 1, 0)
    )
    assert Journey.objects.filter(trigger_name="Clicked").count() == PEOPLE
    assert Journey.objects.filter(trigger_name="Ordered").count() == PEOPLE
    assert met.filter(entry=Entry.ALREADY_IN).count() == PEOPLE
