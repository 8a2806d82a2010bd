"""Several workers, an identify and a merge meet an event that waits for traits."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.utils import timezone

from campaigns import enrollment
from campaigns.models import Decision, Journey, Waiting
from campaigns.reasons import Entry
from events.models import Profile
from tests.campaigns.flow import delay, happens, make_campaign, settle
from tests.factories import make_key, make_profile
from tests.races.together import at_once
from tests.tracking import send

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]
PEOPLE = 40


def enroll() -> None:
    for _ in range(20):
        enrollment.enroll_pending(time.monotonic() + 0.1)
        enrollment.enroll_waiting(time.monotonic() + 0.1)


def test_whoever_looks_again_lets_each_event_in_once() -> None:
    make_campaign(
        delay(), trigger={"event": "Signed Up", "where": {"trait": "plan", "is": "pro"}}, reentry={"rule": "always"}
    )
    key = make_key()
    for number in range(PEOPLE):
        happens(make_profile(f"u{number}"))
    settle()
    assert Waiting.objects.count() == PEOPLE

    def tell(part: int) -> Any:
        calls = [
            {"type": "identify", "userId": f"u{n}", "anonymousId": f"a{n}", "traits": {"plan": "pro"}}
            for n in range(part, PEOPLE, 2)
        ]
        return lambda: [send("batch", {"batch": [call]}, key).status_code for call in calls]

    def look_at_all() -> None:
        for _ in range(20):
            for pk in Waiting.objects.values_list("pk", flat=True):
                Waiting.objects.filter(pk=pk).update(look_at=timezone.now())
            enrollment.enroll_waiting(time.monotonic() + 0.1)

    at_once([tell(0), tell(1), enroll, enroll, look_at_all])
    enroll()
    assert Journey.objects.count() == PEOPLE == Profile.objects.count()
    assert set(Decision.objects.values_list("entry", flat=True)) == {Entry.ENTERED}
    assert not Waiting.objects.exists()
