"""Several workers send to the same people at once, under caps: never too many, and the right ones."""

from __future__ import annotations

import random
import time
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from messaging import claims, delivery
from messaging.models import FrequencyCap, Message, Priority
from messaging.reasons import Reason
from messaging.states import Status
from tests.factories import make_message, make_profile, make_provider, make_version
from tests.races.together import at_once

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]
PEOPLE, EACH, MOST = 12, 8, 2


def deliver() -> None:
    """Work until everybody is sorted out; a second is how long losers pause."""
    for _ in range(30):
        delivery.deliver_due(time.monotonic() + 10)
        undecided = Message.objects.filter(status__in=[Status.QUEUED, Status.SENDING])
        if not undecided.filter(due_at__lt=timezone.now() + timedelta(hours=1)).exists():
            break
        time.sleep(0.3)


def make_messages(priorities: Any) -> None:
    make_provider(is_default=True)
    version, past = make_version(), timezone.now() - timedelta(minutes=1)
    people = [make_profile(email=f"p{number}@example.com") for number in range(PEOPLE)]
    for _ in range(EACH):
        for person in people:
            make_message(person, template_version=version, due_at=past, priority=priorities())


def best_of(profile_id: int) -> list[int]:
    rows = Message.objects.filter(profile=profile_id).order_by("-priority", "id")
    return sorted(rows.values_list("pk", flat=True)[:MOST])


@pytest.mark.parametrize("full", ["defer", "drop"])
def test_workers_never_exceed_a_cap_and_the_most_important_go(full: str, monkeypatch: pytest.MonkeyPatch) -> None:
    FrequencyCap.objects.create(most=MOST, window_length=1, when_full=full)
    make_messages(lambda: random.choice(Priority.values))
    # Small batches, so that the messages of one person are in the hands of different workers.
    monkeypatch.setattr(delivery, "BATCH", 3)
    at_once([deliver] * 4)
    gone = Message.objects.filter(status=Status.DELIVERED)
    people = set(Message.objects.values_list("profile", flat=True))
    assert Counter(gone.values_list("profile", flat=True)) == dict.fromkeys(people, MOST)
    for profile_id in people:
        assert sorted(gone.filter(profile=profile_id).values_list("pk", flat=True)) == best_of(profile_id)
    left = Counter(Message.objects.exclude(status=Status.DELIVERED).values_list("status", "reason"))
    expected = (Status.QUEUED, Reason.CAPPED) if full == "defer" else (Status.SKIPPED, Reason.CAP_FULL)
    assert left == {expected: PEOPLE * (EACH - MOST)}


def test_a_worker_that_dies_with_a_place_lets_nobody_in_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the seat and the outcome: the place is kept until the message is settled."""
    FrequencyCap.objects.create(most=1, window_length=1)
    make_messages(lambda: Priority.NORMAL)
    monkeypatch.setattr(delivery, "BATCH", 3)
    real = delivery._settle

    def die(outcomes: Any) -> None:
        if random.random() < 0.3:
            return  # Nothing is written down, as if the process had ended here.
        real(outcomes)

    monkeypatch.setattr(delivery, "_settle", die)
    monkeypatch.setattr(claims, "LEASE", timedelta(seconds=2))

    def work() -> None:
        until = time.monotonic() + 12
        while time.monotonic() < until:
            delivery.deliver_due(until)
            delivery.recover(timezone.now())
            time.sleep(0.2)

    at_once([work] * 3)
    monkeypatch.setattr(delivery, "_settle", real)
    delivery.recover(timezone.now() + timedelta(minutes=2))
    deliver()
    gone = Message.objects.filter(status=Status.DELIVERED)
    assert Counter(Counter(gone.values_list("profile", flat=True)).values()) == {1: PEOPLE}
