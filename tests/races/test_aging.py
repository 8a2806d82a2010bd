"""Old events go while others come in, people are joined and campaigns look at what happened."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from campaigns import enrollment
from events import aging, partitions
from events.ingest import Item, ingest
from events.models import Event, Identity, Pending, Profile
from tests.factories import make_source, planned
from tests.races.test_ingest import deadlocks
from tests.races.together import at_once

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]
PEOPLE = 10


def test_what_is_of_age_goes_and_nothing_else_beside_requests_and_workers() -> None:
    source, now = make_source(), datetime.now(UTC)
    partitions.ensure(now.date(), back=3, ahead=1)
    planned("Short", retention_days=5)
    until, before = time.monotonic() + 5, deadlocks()
    new: list[int] = []

    def report(side: str) -> Callable[[], None]:
        def run() -> None:
            turn = 0
            while time.monotonic() < until:
                turn += 1
                ids = [f"{side}{turn}-{n}" for n in range(PEOPLE)]
                ages = [("New", 1), ("Short", 1), ("Short", 10), ("Old", 40), ("Old", 100)]
                calls = [
                    Item("track", f"{name}{days}{one}", now - timedelta(days=days), anonymous_id=one, name=name)
                    for name, days in ages
                    for one in ids
                ]
                ingest(source, calls, datetime.now(UTC))
                joined = [
                    Item("identify", f"i{one}", now, user_id=f"u{n}", anonymous_id=one) for n, one in enumerate(ids)
                ]
                ingest(source, joined, datetime.now(UTC))
                new.append(2 * PEOPLE)

        return run

    def again_and_again(work: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            while time.monotonic() < until:
                work()

        return run

    at_once(
        [
            report("a"),
            report("b"),
            again_and_again(lambda: aging.sweep(now, 30, until)),
            again_and_again(lambda: aging.sweep(now, 30, until)),
            again_and_again(lambda: enrollment.enroll_pending(until)),
        ]
    )
    aging.sweep(now + timedelta(minutes=1), 30, time.monotonic() + 60)
    assert deadlocks() == before
    assert set(Event.objects.filter(type="track").values_list("name", flat=True)) == {"New", "Short"}
    assert not Event.objects.filter(name="Short", timestamp__lt=now - timedelta(days=5)).exists()
    assert Event.objects.filter(type="track").count() == sum(new) > 0
    assert Profile.objects.count() == PEOPLE
    assert Identity.objects.filter(kind="anonymous").count() == sum(new) // 2
    enrollment.enroll_pending(time.monotonic() + 30)
    assert not Pending.objects.exists()
