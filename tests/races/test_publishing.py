"""Events come in and are evaluated while their campaign is published again and again."""

from __future__ import annotations

import time

import pytest

from campaigns import enrollment, publishing
from campaigns.models import Decision, Journey, LivePeriod
from events.models import Event, Pending
from tests.campaigns.flow import delay, happens, make_campaign
from tests.factories import make_profile
from tests.races.together import at_once

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]
EVENTS, PUBLISHED = 120, 12


def test_each_event_is_evaluated_once_by_a_version_that_was_live() -> None:
    campaign = make_campaign(delay(), trigger={"event": "Signed Up", "where": {"trait": "plan", "is": "pro"}})
    people = [make_profile(traits={"plan": "pro"}) for _ in range(EVENTS)]

    def arrive() -> None:
        for person in people:
            happens(person)

    def publish() -> None:
        for _ in range(PUBLISHED):
            publishing.publish(campaign, None, "Once more.")
            time.sleep(0.02)

    def enroll() -> None:
        until = time.monotonic() + 30
        while time.monotonic() < until and Decision.objects.count() < EVENTS:
            enrollment.enroll_batch(20)

    at_once([arrive, publish, enroll, enroll])
    assert not Pending.objects.filter(name="Signed Up").exists()
    assert Journey.objects.count() == Decision.objects.count() == EVENTS
    # A publication that had not committed yet was not live: then it is the version before it.
    arrived = dict(Event.objects.filter(name="Signed Up").values_list("pk", "received_at"))
    started = dict(LivePeriod.objects.values_list("version_id", "started_at"))
    assert all(started[v] <= arrived[e] for e, v in Decision.objects.values_list("event_id", "version_id"))
    assert Decision.objects.values("version").distinct().count() > 1
