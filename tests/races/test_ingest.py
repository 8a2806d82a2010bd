"""Requests about the same people and the same messages, at the same instant."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from django.db import connection, transaction

from events import counts, log
from events.ingest import Item, ingest
from events.models import (
    AcceptedMessage,
    Event,
    EventCount,
    EventCountChange,
    Group,
    Identity,
    Pending,
    Profile,
    Source,
)
from tests.factories import make_event, make_key, make_profile, make_source
from tests.races.together import at_once
from tests.tracking import send

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
WRITERS = 16


def deadlocks() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


def identify(user_id: str, **parts: Any) -> Item:
    said = {name: msgspec.Raw(str(value).encode()) for name, value in parts.pop("traits", {}).items()}
    return Item("identify", str(random.random()), NOW, user_id=user_id, traits=said, repeatable=False, **parts)


def track(**parts: Any) -> Item:
    return Item("track", str(random.random()), NOW, repeatable=False, **parts)


def alias(previous_id: str, user_id: str) -> Item:
    return Item("alias", str(random.random()), NOW, user_id=user_id, previous_id=previous_id, repeatable=False)


def check_people() -> None:
    """Nobody is lost or doubled: each event, pending row and identity has its person, each user id is one's."""
    people = set(Profile.objects.values_list("pk", flat=True))
    for model in (Event, Pending, Identity):
        lost = model.objects.exclude(profile__in=people).values()
        assert not lost, (model, list(lost))
    for profile in Profile.objects.exclude(user_id=None):
        assert Identity.objects.get(kind="user", value=profile.user_id).profile == profile
    assert Pending.objects.count() == Event.objects.count()
    moved = Pending.objects.values_list("event_id", "profile")
    assert dict(moved) == dict(Event.objects.values_list("id", "profile"))


def test_sixteen_threads_with_the_same_500_messages_store_500() -> None:
    key = make_key()
    items = [
        {"type": "track", "userId": f"u{n % 50}", "event": "Hi", "messageId": f"m{n}", "properties": {"n": n}}
        for n in range(500)
    ]

    def writer(seed: int) -> Callable[[], list[int]]:
        shuffled = random.Random(seed).sample(items, len(items))
        parts = [shuffled[start : start + 125] for start in range(0, 500, 125)]
        return lambda: [send("batch", {"batch": part}, key).status_code for part in parts]

    before = deadlocks()
    answers = at_once([writer(seed) for seed in range(WRITERS)])
    assert answers == [[200] * 4] * WRITERS
    assert Event.objects.count() == Pending.objects.count() == AcceptedMessage.objects.count() == 500
    assert Event.objects.values("message_id").distinct().count() == 500
    assert Profile.objects.count() == 50
    assert deadlocks() == before


def test_sixteen_writers_about_the_same_people_lose_no_trait_and_never_deadlock() -> None:
    source = make_source()

    def writer(number: int) -> Callable[[], None]:
        order = random.Random(number)

        def write() -> None:
            for turn in range(5):
                people = order.sample(range(20), 20)
                batch = [identify(f"u{n}", traits={f"t{number}-{turn}": n}, anonymous_id=f"a{n}") for n in people]
                ingest(source, [*batch, *(track(anonymous_id=f"a{n}") for n in people)], NOW)

        return write

    before = deadlocks()
    at_once([writer(number) for number in range(WRITERS)])
    assert Profile.objects.count() == 20
    for profile in Profile.objects.all():
        assert len(profile.traits) == WRITERS * 5
    assert Event.objects.count() == WRITERS * 5 * 40
    check_people()
    assert deadlocks() == before


def test_two_first_calls_of_one_person_make_one_profile() -> None:
    source = make_source()
    for turn in range(10):
        calls = [
            [identify(f"u{turn}", anonymous_id=f"a{turn}")],
            [track(anonymous_id=f"a{turn}")],
            [track(user_id=f"u{turn}")],
        ]
        at_once([lambda items=items: ingest(source, items, NOW) for items in calls])  # type: ignore[misc]
    assert Profile.objects.count() == 10
    check_people()


def test_merges_aliases_and_events_of_the_same_people_at_once() -> None:
    """Devices change hands, people become one another, and events keep coming in all the while."""
    source = make_source()
    for n in range(8):
        make_event(make_profile(f"u{n}"), pending=True)
        make_event(make_profile(None, anonymous_ids=(f"a{n}",)), pending=True)

    def writer(number: int) -> Callable[[], int]:
        order = random.Random(number)

        def anyone(kind: str) -> str:
            return f"{kind}{order.randrange(16)}"

        def write() -> int:
            stored = 0
            for _ in range(8):
                items = [
                    order.choice(
                        [
                            lambda: track(user_id=anyone("u")),
                            lambda: track(anonymous_id=anyone("a")),
                            lambda: identify(anyone("u"), anonymous_id=anyone("a"), traits={"n": number}),
                            lambda: alias(anyone(order.choice("ua")), anyone("u")),
                        ]
                    )()
                    for _ in range(10)
                ]
                stored += ingest(source, items, NOW).accepted
            return stored

        return write

    before = deadlocks()
    stored = at_once([writer(number) for number in range(WRITERS)])
    assert stored == [80] * WRITERS
    assert Event.objects.count() == 16 + 80 * WRITERS
    check_people()
    assert deadlocks() == before


def test_events_are_claimed_once_while_their_people_are_merged() -> None:
    source = make_source()
    for n in range(40):
        make_profile(f"u{n}")
        visitor = make_profile(None, anonymous_ids=(f"a{n}",))
        for _ in range(5):
            make_event(visitor, pending=True)

    def claim() -> list[tuple[int, int]]:
        seen: list[tuple[int, int]] = []
        while True:
            with transaction.atomic():
                claimed = log.claim_pending(7)
                people = set(Profile.objects.values_list("pk", flat=True))
                assert {event.profile_id for event in claimed} <= people
                counts.record(claimed)
            if not claimed:
                return seen
            seen += [(event.id, event.profile_id) for event in claimed]

    def merge() -> list[tuple[int, int]]:
        for n in range(40):
            ingest(source, [identify(f"u{n}", anonymous_id=f"a{n}", active=False)], NOW)
        return []

    before = deadlocks()
    results = at_once([merge, *[claim] * 4])
    results.append(claim())
    ids = [event_id for seen in results for event_id, _ in seen]
    assert len(ids) == len(set(ids)) == 40 * 5 + 40
    assert not Pending.objects.exists()
    assert Profile.objects.count() == 40
    assert set(Event.objects.values_list("profile", flat=True)) == set(Profile.objects.values_list("pk", flat=True))
    assert deadlocks() == before


def test_changes_are_folded_once_by_several_workers() -> None:
    hour = NOW.replace(minute=0)
    EventCountChange.objects.bulk_create(EventCountChange(hour=hour, name=f"E{n % 5}", count=1) for n in range(3000))

    def fold() -> int:
        return sum(iter(counts.fold, 0))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counts, "FOLD_LIMIT", 100)
        assert sum(at_once([fold] * 6)) == 3000
    assert sorted(EventCount.objects.values_list("name", "count")) == [(f"E{n}", 600) for n in range(5)]


def test_a_source_is_read_by_its_key_from_every_thread() -> None:
    key = make_key(make_source("Shop"))
    answers = at_once([lambda: send("track", {"userId": "u", "event": "Hi"}, key).status_code] * 8)
    assert answers == [200] * 8
    assert Source.objects.get(name="Shop").last_event_at is not None


def test_sixteen_writers_about_the_same_groups_never_deadlock() -> None:
    source = make_source()
    people = [make_profile(f"u{n}") for n in range(20)]

    def call(n: int, writer: int) -> Item:
        key, traits = f"g{(n * writer) % 10}", f'{{"by {writer}": {n}}}'.encode()
        user = people[n % 20].user_id
        return Item("group", f"{writer} {n}", NOW, user_id=user, name=key, properties=traits, repeatable=False)

    def write(writer: int) -> Callable[[], None]:
        return lambda: [ingest(source, [call(n, writer) for n in range(start, start + 25)], NOW) for start in (0, 25)]

    before = deadlocks()
    at_once([write(writer) for writer in range(1, WRITERS + 1)])
    assert deadlocks() == before
    said: dict[str, set[str]] = {}
    for writer in range(1, WRITERS + 1):
        for n in range(50):
            said.setdefault(f"g{(n * writer) % 10}", set()).add(f"by {writer}")
    assert {group.key: set(group.traits) for group in Group.objects.all()} == said
