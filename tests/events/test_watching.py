"""Changes of traits that somebody watches are told in the log."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns import enrollment
from events import ingest, log, merging, traits, watching
from events.audit import Actor
from events.computed import building
from events.identifying import Person
from events.ingest import Item
from events.models import ComputedTrait, Event, Pending, Profile, Source, WatchedTrait
from tests.factories import make_profile, make_source

pytestmark = pytest.mark.django_db


def identify(source: Source, user_id: str = "ada", pending: bool = True, **said: Any) -> None:
    raw = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in said.items()}
    number = Event.objects.count()
    item = Item("identify", f"message-{user_id}-{number}", timezone.now(), user_id, traits=raw, pending=pending)
    ingest.ingest(source, [item], timezone.now())


def told() -> list[dict[str, Any]]:
    return [event.properties for event in Event.objects.filter(name=watching.CHANGED).order_by("pk")]


def test_only_what_is_watched_and_differs_is_told() -> None:
    watching.watch("me", [("plan",)])
    source = make_source()
    identify(source, plan="free", seats=3)
    identify(source, plan="free", seats=4)
    identify(source, plan="pro")
    identify(source, plan=None)
    assert told() == [
        {"trait": "plan", "from": None, "to": "free"},
        {"trait": "plan", "from": "free", "to": "pro"},
        {"trait": "plan", "from": "pro", "to": None},
    ]
    assert Pending.objects.filter(name=watching.CHANGED).count() == 3


def test_a_trait_within_another_is_told_when_it_differs_itself() -> None:
    watching.watch("me", [("address", "city")])
    source = make_source()
    identify(source, address={"city": "Wien", "zip": 1010})
    identify(source, address={"city": "Wien", "zip": 1020})
    identify(source, address="somewhere")
    assert [(each["from"], each["to"]) for each in told()] == [(None, "Wien"), ("Wien", None)]
    assert told()[0]["trait"] == "address.city"


def test_the_same_number_written_otherwise_is_no_change_and_long_ones_keep_their_digits() -> None:
    watching.watch("me", [("seats",)])
    person = make_profile()
    for text in (b"3", b"3.0", b"12345678901234567890.125"):
        traits.apply({Person(profile_id=person.pk): traits.News({"seats": msgspec.Raw(text)})})
    with connection.cursor() as cursor:
        cursor.execute("SELECT properties ->> 'to' FROM events_event ORDER BY id")
        assert [row[0] for row in cursor.fetchall()] == ["3", "12345678901234567890.125"]


def test_what_is_stored_as_history_is_not_told() -> None:
    watching.watch("me", [("plan",)])
    identify(make_source(), pending=False, plan="pro")
    assert not told() and Profile.objects.get().traits == {"plan": "pro"}


def test_who_watches_no_more_hears_no_more_and_others_go_on() -> None:
    watching.watch("me", [("plan",), ("seats",)])
    watching.watch("you", [("plan",)])
    watching.watch("me", [("city",)])
    assert sorted((row.owner, row.path) for row in WatchedTrait.objects.all()) == [
        ("me", ["city"]),
        ("you", ["plan"]),
    ]
    watching.watch("me", [])
    watching.watch("you", [])
    identify(make_source(), plan="pro")
    assert not told()


def test_two_who_watch_the_same_are_told_once() -> None:
    watching.watch("me", [("plan",)])
    watching.watch("you", [("plan",)])
    identify(make_source(), plan="pro")
    assert len(told()) == 1


def test_a_merge_is_no_change() -> None:
    watching.watch("me", [("plan",)])
    loser, winner = make_profile(traits={"plan": "pro"}), make_profile()
    merging.merge_people(loser.pk, winner.pk, Actor("somebody"))
    assert Profile.objects.get().traits == {"plan": "pro"} and not told()


def test_what_is_computed_is_told_but_not_what_a_new_definition_finds() -> None:
    watching.watch("me", [("views",)])
    ComputedTrait.objects.create(name="views", function="count", event="Viewed")
    person = make_profile()
    log.append([log.Entry(person.pk, "Viewed", {}, timezone.now())])
    enrollment.enroll_batch(500)
    assert told() == [{"trait": "views", "from": None, "to": 1}]
    ComputedTrait.objects.update(event="Seen", revision=2, state="building", built_to=0)
    while building.build_slice():
        pass
    assert Profile.objects.get().traits == {} and len(told()) == 1


@pytest.mark.parametrize("number", [1, 40])
def test_nothing_watched_costs_no_statement_and_what_is_told_costs_one_for_all(number: int) -> None:
    source = make_source()
    make = [make_profile(f"user-{one}") for one in range(number)]

    def change(to: str) -> int:
        news = {Person(profile_id=each.pk): traits.News({"plan": msgspec.Raw(f'"{to}"'.encode())}) for each in make}
        with CaptureQueriesContext(connection) as context:
            traits.apply(news)
        return len(context)

    assert source
    assert change("free") == 1
    watching.watch("me", [("plan",), ("seats",)])
    assert change("pro") == 2
    assert len(told()) == number
