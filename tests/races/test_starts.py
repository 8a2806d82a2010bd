"""Starts that are asked for, and traits that change, at the same instant."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import pytest

from campaigns import requests
from campaigns.models import Journey
from events import ingest, watching
from events.ingest import Item
from events.models import Event
from tests.campaigns.flow import make_campaign, settle
from tests.factories import make_profile, make_source
from tests.races.test_ingest import deadlocks
from tests.races.together import at_once

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
WRITERS = 12


def test_many_who_ask_with_the_same_keys_at_once_start_each_person_once() -> None:
    campaign = make_campaign(name="Gift", trigger={"kind": "request"}, reentry={"rule": "always"})
    people = [make_profile().pk for _ in range(8)]

    def asker(number: int) -> Callable[[], int]:
        order = random.Random(number).sample(people, len(people))
        wanted = [requests.Request(person, key=f"order of {person}") for person in order]
        return lambda: ingest.in_one_go(lambda: sum(requests.ask(campaign, wanted, requests.Reason.API, "me")))

    before = deadlocks()
    new = at_once([asker(number) for number in range(WRITERS)])
    assert deadlocks() == before
    assert sum(new) == len(people)
    settle()
    assert sorted(Journey.objects.values_list("profile", flat=True)) == people


def test_each_change_of_a_trait_is_told_once_and_each_begins_where_the_last_ended() -> None:
    watching.watch("me", [("plan",)])
    people = [f"u{number}" for number in range(4)]
    for user_id in people:
        make_profile(user_id)
    source = make_source()

    def writer(number: int) -> Callable[[], None]:
        chance = random.Random(number)

        def write() -> None:
            for _ in range(5):
                items = [
                    Item(
                        "identify",
                        str(random.random()),
                        NOW,
                        user_id=who,
                        traits={"plan": msgspec.Raw(b'"%d"' % chance.randrange(3))},
                        repeatable=False,
                    )
                    for who in chance.sample(people, 3)
                ]
                ingest.ingest(source, items, NOW)

        return write

    before = deadlocks()
    at_once([writer(number) for number in range(WRITERS)])
    assert deadlocks() == before
    for user_id in people:
        told = Event.objects.filter(name=watching.CHANGED, profile__user_id=user_id).order_by("pk")
        known: str | None = None
        for event in told:
            assert event.properties["from"] == known != event.properties["to"]
            known = event.properties["to"]
        assert told[0].profile.traits == {"plan": known}
