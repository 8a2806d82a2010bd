"""Several workers meet events of the same person at the same instant: waiting for quiet, and cooling down."""

from __future__ import annotations

import time
from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns import enrollment
from campaigns.models import Decision, Journey, PutOff
from campaigns.reasons import Entry
from events.models import Pending
from tests.campaigns.flow import delay, happens, make_campaign
from tests.factories import make_profile
from tests.races.together import at_once

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]
PEOPLE, TIMES = 15, 12


def claim() -> None:
    """Take events a few at a time, so that those of one person come to different workers."""
    while Pending.objects.exists():
        enrollment.enroll_batch(3)


def look() -> None:
    for _ in range(30):
        enrollment.enroll_waiting(time.monotonic() + 0.05)


def test_events_at_one_instant_start_one_journey_with_the_last_of_them() -> None:
    make_campaign(delay(), trigger={"event": "Signed Up", "quiet_minutes": 10}, reentry={"rule": "always"})
    people = [make_profile(f"u{n}") for n in range(PEOPLE)]
    now = timezone.now()
    last = {}
    for time_ in range(TIMES):
        for person in people:
            last[person.pk] = happens(person, properties={"n": time_}, timestamp=now, received_at=now)
    at_once([claim, claim, claim, look])
    assert dict(PutOff.objects.values_list("profile", "event_id")) == last
    assert not Journey.objects.exists()
    assert Counter(Decision.objects.values_list("entry", flat=True)) == {
        Entry.QUIET: PEOPLE,
        Entry.REPLACED: PEOPLE * (TIMES - 1),
    }
    PutOff.objects.update(look_at=timezone.now())
    at_once([look, look, look])
    assert dict(Journey.objects.values_list("profile", "trigger_event_id")) == last
    assert Counter(Decision.objects.values_list("entry", flat=True))[Entry.ENTERED] == PEOPLE
    assert not PutOff.objects.exists()


def test_an_event_and_the_end_of_the_wait_meet_and_nothing_is_lost() -> None:
    make_campaign(delay(), trigger={"event": "Signed Up", "quiet_minutes": 10}, reentry={"rule": "always"})
    people = [make_profile(f"u{n}") for n in range(PEOPLE)]
    for person in people:
        happens(person)
    claim()
    PutOff.objects.update(look_at=timezone.now())
    for person in people:
        happens(person)
    at_once([claim, look, look, claim])
    PutOff.objects.update(look_at=timezone.now())
    look()
    entered = Counter(Journey.objects.values_list("profile", flat=True))
    assert entered == {person.pk: 1 for person in people}
    assert Decision.objects.exclude(entry__in=[Entry.ENTERED, Entry.REPLACED]).count() == 0, "none is left to wait"


def test_a_cool_down_for_each_value_lets_one_of_each_in() -> None:
    make_campaign(
        {"id": "out", "kind": "exit"},
        trigger={"event": "Signed Up"},
        reentry={"rule": "period", "hours": 1, "by": "order"},
    )
    people = [make_profile(f"u{n}") for n in range(PEOPLE)]
    now = timezone.now()
    for time_ in range(TIMES):
        for person in people:
            at = now - timedelta(seconds=TIMES - time_)
            happens(person, properties={"order": f"o{time_ % 3}"}, timestamp=at, received_at=now)

    def end() -> None:
        """Take the journeys to their end, so that being in the campaign is not what keeps people out."""
        for _ in range(200):
            Journey.objects.exclude(state=Journey.State.ENDED).update(state=Journey.State.ENDED, ended_at=now)

    at_once([claim, claim, claim, end])
    entered = Counter(
        (journey.profile_id, journey.trigger["order"]) for journey in Journey.objects.filter(trigger_name="Signed Up")
    )
    assert set(entered.values()) == {1}
    verdicts = Counter(Decision.objects.values_list("entry", flat=True))
    assert set(verdicts) <= {Entry.ENTERED, Entry.TOO_SOON, Entry.ALREADY_IN}
    assert verdicts.total() == PEOPLE * TIMES and verdicts[Entry.ENTERED] == len(entered)
    end()
    for order in ("o0", "o1", "o2"):
        for person in people:
            happens(person, properties={"order": order}, timestamp=now + timedelta(seconds=1))
        claim()
        end()
    entered = Counter(
        (journey.profile_id, journey.trigger["order"]) for journey in Journey.objects.filter(trigger_name="Signed Up")
    )
    assert set(entered.values()) == {1} and len(entered) == PEOPLE * 3
