"""One person's noisy events, reported by many requests at the same instant."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from events.ingest import Item, ingest
from events.models import Event
from tests.factories import make_profile, make_source, planned
from tests.races.test_ingest import deadlocks
from tests.races.together import at_once

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
WRITERS = 12


def scrolled(user_id: str, at: int) -> Item:
    when = NOW + timedelta(seconds=at)
    return Item("track", str(random.random()), when, user_id=user_id, name="Scrolled", repeatable=False)


def identify(user_id: str, number: int) -> Item:
    traits = {f"t{number}": msgspec.Raw(b"1")}
    return Item("identify", str(random.random()), NOW, user_id=user_id, traits=traits, repeatable=False)


def test_twelve_requests_at_once_store_one_event_a_person_and_window() -> None:
    planned("Scrolled", throttle_seconds=60)
    people = [f"u{n}" for n in range(8)]
    for user_id in people:
        make_profile(user_id)
    source = make_source()

    def writer(number: int) -> Callable[[], None]:
        order = random.Random(number)

        def write() -> None:
            for window in range(3):
                noisy = [scrolled(who, window * 1000 + order.randrange(50)) for who in order.sample(people, 6)]
                items = [*noisy, *(identify(who, number) for who in order.sample(people, 4))]
                ingest(source, order.sample(items, len(items)), NOW)

        return write

    before = deadlocks()
    at_once([writer(number) for number in range(WRITERS)])
    assert deadlocks() == before
    seen: dict[tuple[str | None, int], int] = {}
    for user_id, at in Event.objects.filter(name="Scrolled").values_list("profile__user_id", "timestamp"):
        window = (user_id, int((at - NOW).total_seconds()) // 1000)
        seen[window] = seen.get(window, 0) + 1
    assert set(seen.values()) == {1}
    assert len(seen) == len(people) * 3
