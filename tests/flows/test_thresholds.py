"""“More than twice within ten minutes” with real processes: whatever the order and however often it is sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
import requests
from django.utils import timezone

from campaigns.models import Decision, Journey
from events.models import Event, Pending
from tests import stack
from tests.campaigns.flow import delay, make_campaign
from tests.factories import make_key
from tests.stack import Stack

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
PATIENCE = 30
OFTEN = {"event": "Clicked", "count": {"gt": 2}, "within": "10m"}
# Nine minutes from the first to the third; of the slow ones any three take a little more than ten.
QUICK = (0, 300, 540)
SLOW = (0, 301, 602, 903, 1204)
START = timezone.now().replace(microsecond=0) - timedelta(hours=1)


@pytest.fixture
def running() -> Iterator[Stack]:
    """Run Cuebird with one campaign that takes a person in again each time they meet the threshold."""
    make_campaign(delay(86_400), trigger={"event": "Clicked", "where": OFTEN}, reentry={"rule": "always"})
    with stack.running() as running:
        yield running


def click(user_id: str, seconds: int) -> dict[str, Any]:
    """Return the call for a click that many seconds after the start; the same click has the same message id."""
    at = (START + timedelta(seconds=seconds)).isoformat()
    return {
        "type": "track",
        "userId": user_id,
        "event": "Clicked",
        "timestamp": at,
        "messageId": f"{user_id}-{seconds}",
    }


def test_the_third_click_in_ten_minutes_starts_one_journey(running: Stack) -> None:
    key = make_key()

    def report(calls: Sequence[dict[str, Any]]) -> None:
        answer = requests.post(f"{running.base_url}/v1/batch", json={"batch": calls}, auth=(key, ""), timeout=30)
        assert answer.status_code == 200, answer.text

    def settle() -> None:
        stack.wait_for(lambda: not Pending.objects.exists(), PATIENCE, "the clicks to be looked at")

    def started(user_id: str) -> list[datetime]:
        """Return when the clicks happened that started the person's journeys."""
        return list(Journey.objects.filter(profile__user_id=user_id).values_list("trigger_at", flat=True))

    third = [START + timedelta(seconds=QUICK[2])]
    # One request after the other: nothing before the third.
    for seconds in QUICK[:2]:
        report([click("each", seconds)])
        settle()
    assert Decision.objects.count() == 2
    assert started("each") == []
    report([click("each", QUICK[2])])
    settle()
    report([click("each", QUICK[2] + 1)])
    settle()
    assert started("each") == third

    # All at once, in either order; five that are too far apart; each person's own clicks alone count.
    report([click("batch", seconds) for seconds in QUICK])
    report([click("turned", seconds) for seconds in reversed(QUICK)])
    report([click("slow", seconds) for seconds in SLOW])
    report([click("one", 0), click("other", 1), click("one", 2), click("other", 3)])
    settle()
    assert started("batch") == third
    assert started("turned") == third
    assert started("slow") == started("one") == started("other") == []

    # Each in a request of its own, in every order: whichever comes last, it is the third by time that starts a journey.
    for number, order in enumerate(permutations(QUICK)):
        for seconds in order:
            report([click(f"order-{number}", seconds)])
            settle()
        assert started(f"order-{number}") == third
    report([click("order-5", QUICK[2] + 30)])
    for seconds in reversed(SLOW):
        report([click("slowly-back", seconds)])
        settle()
    assert started("slowly-back") == []

    # What is sent again, alone or with others, is nothing new.
    before = Event.objects.count()
    report([click("each", seconds) for seconds in QUICK] * 2)
    report([click("slow", SLOW[0])] * 3)
    report([click("one", 0)])
    settle()
    assert Event.objects.count() == before
    assert Journey.objects.count() == 3 + 6
