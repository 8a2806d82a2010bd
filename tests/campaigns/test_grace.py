"""Events that come before the traits their trigger asks for."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.test import Client
from django.utils import timezone

from campaigns import enrollment
from campaigns.admin import page
from campaigns.models import Decision, Journey, LivePeriod, Waiting
from campaigns.reasons import Entry
from events import groups, privacy
from events.audit import Actor
from events.merging import merge
from events.models import Profile
from tests.campaigns.flow import delay, happens, make_campaign, settle, statements
from tests.factories import make_key, make_profile
from tests.tracking import send

pytestmark = pytest.mark.django_db
PRO: dict[str, Any] = {"trait": "plan", "is": "pro"}


def listen(where: dict[str, Any] = PRO, **trigger: Any) -> None:
    make_campaign(delay(), trigger={"event": "Signed Up", "where": where, **trigger})


def entries() -> list[str]:
    return list(Decision.objects.order_by("event_id").values_list("entry", flat=True))


def identify(user: str, **traits: Any) -> None:
    assert send("identify", {"userId": user, "traits": traits}, make_key()).status_code == 200


def pass_minutes(minutes: int) -> None:
    """Let time pass for what waits."""
    ago = timedelta(minutes=minutes)
    Waiting.objects.update(until=F("until") - ago, look_at=F("look_at") - ago)
    Profile.objects.update(updated_at=F("updated_at") - ago)


def sweep() -> None:
    enrollment.enroll_waiting(time.monotonic() + 30)


def test_an_identify_that_comes_after_the_event_lets_the_person_in() -> None:
    listen()
    event_id = happens(make_profile("ada"), properties={"a": 1})
    settle()
    assert entries() == [Entry.WAITING]
    waiting = Waiting.objects.get()
    assert timedelta(minutes=29) < waiting.until - timezone.now() < timedelta(minutes=31)
    identify("ada", plan="pro")
    settle()
    journey = Journey.objects.get()
    assert (journey.trigger_event_id, journey.trigger) == (event_id, {"a": 1})
    assert Decision.objects.get().journey == journey
    assert entries() == [Entry.ENTERED]
    assert not Waiting.objects.exists()


def test_in_one_batch_nothing_has_to_wait() -> None:
    listen()
    track = {"type": "track", "userId": "ada", "event": "Signed Up"}
    batch = [track, {"type": "identify", "userId": "ada", "traits": {"plan": "pro"}}]
    send("batch", {"batch": batch}, make_key())
    settle()
    assert entries() == [Entry.ENTERED]


def test_after_its_time_the_event_is_turned_away() -> None:
    listen()
    happens(make_profile("ada"))
    settle()
    pass_minutes(31)
    identify("ada", plan="pro")
    settle()
    assert entries() == [Entry.WAITING], "the identify came too late for it"
    sweep()
    assert entries() == [Entry.FILTERED]
    assert not Waiting.objects.exists() and not Journey.objects.exists()


def test_what_came_in_time_counts_at_the_last_look_whoever_wrote_it() -> None:
    listen()
    happens(make_profile("ada"))
    settle()
    Profile.objects.update(traits={"plan": "pro"}, updated_at=timezone.now())
    sweep()
    assert entries() == [Entry.WAITING], "its time is not up"
    pass_minutes(31)
    sweep()
    assert entries() == [Entry.ENTERED]


def test_what_is_known_to_be_otherwise_waits_for_nothing() -> None:
    listen()
    happens(make_profile("ada", traits={"plan": "free"}))
    settle()
    assert entries() == [Entry.FILTERED]
    assert not Waiting.objects.exists()


def test_what_turns_out_to_be_otherwise_ends_the_wait() -> None:
    listen({"all": [PRO, {"trait": "country", "is": "AT"}]})
    happens(make_profile("ada"))
    settle()
    identify("ada", country="AT")
    settle()
    assert entries() == [Entry.WAITING]
    identify("ada", plan="free")
    settle()
    assert entries() == [Entry.FILTERED]
    assert not Waiting.objects.exists()


def test_a_condition_turned_round_waits_for_what_would_make_it_true() -> None:
    listen({"not": {"any": [{"trait": "plan", "exists": False}, {"not": {"trait": "seats", "gt": 5}}]}})
    happens(make_profile("ada"))
    settle()
    assert entries() == [Entry.WAITING]
    identify("ada", plan="x", seats=9)
    settle()
    assert entries() == [Entry.ENTERED]


def test_conditions_on_the_event_alone_never_wait() -> None:
    listen({"property": "plan", "is": "pro"})
    happens(make_profile("ada"))
    settle()
    assert entries() == [Entry.FILTERED]


@pytest.mark.parametrize(("minutes", "entry"), [(0, Entry.FILTERED), (5, Entry.WAITING)])
def test_the_campaign_says_how_long(minutes: int, entry: Entry) -> None:
    listen(grace_minutes=minutes)
    happens(make_profile("ada"), received_at=timezone.now() - timedelta(minutes=4))
    happens(make_profile("ben"), received_at=timezone.now() - timedelta(minutes=6), timestamp=timezone.now())
    # The campaign was not live then; it is the rule that is asked about.
    LivePeriod.objects.update(started_at=timezone.now() - timedelta(hours=1))
    settle()
    assert entries() == [entry, Entry.FILTERED]


def test_a_group_brings_what_was_missing() -> None:
    listen({"group": "company", "trait": "plan", "is": "pro"})
    make_profile("ada")
    happens(Profile.objects.get())
    settle()
    assert entries() == [Entry.WAITING]
    send("group", {"userId": "ada", "groupId": "acme", "traits": {"plan": "pro"}}, make_key())
    settle()
    assert entries() == [Entry.ENTERED]
    assert groups.of_people([Profile.objects.get().pk])


@pytest.mark.parametrize("waits", ["loser", "winner"])
def test_a_merge_brings_what_was_missing(waits: str) -> None:
    listen()
    people = {"loser": make_profile("loser"), "winner": make_profile("winner")}
    happens(people.pop(waits))
    settle()
    Profile.objects.filter(pk=next(iter(people.values())).pk).update(traits={"plan": "pro"})
    merge([(Profile.objects.get(user_id="loser").pk, Profile.objects.get(user_id="winner").pk)])
    sweep()
    assert entries() == [Entry.ENTERED]
    assert Journey.objects.get().profile.user_id == "winner"


def test_a_merge_that_brings_nothing_leaves_it_waiting() -> None:
    listen()
    loser, winner = make_profile("loser"), make_profile("winner")
    happens(loser)
    settle()
    merge([(loser.pk, winner.pk)])
    sweep()
    row = Waiting.objects.get()
    assert (row.profile, row.look_at) == (winner, row.until)
    assert entries() == [Entry.WAITING]


def test_nothing_waits_for_somebody_erased() -> None:
    listen()
    ada = make_profile("ada")
    happens(ada)
    settle()
    privacy.erase([ada.pk], Actor("test"))
    assert not Waiting.objects.exists()
    identify("ada", plan="pro")
    settle()
    assert entries() == []


def test_once_stays_once_when_two_events_wait() -> None:
    listen()
    ada = make_profile("ada")
    happens(ada)
    happens(ada)
    settle()
    identify("ada", plan="pro")
    settle()
    assert sorted(entries()) == [Entry.ALREADY_IN, Entry.ENTERED]
    assert Journey.objects.count() == 1 and not Waiting.objects.exists()


def test_statements_grow_neither_with_what_waits_nor_when_nothing_does() -> None:
    listen()
    people = [make_profile(f"u{n}") for n in range(60)]

    def claim(some: list[Profile], kind: str) -> int:
        enrollment.enroll_pending(time.monotonic() + 30)  # the news of the journeys before
        for person in some:
            happens(person, **({"type": "identify", "name": ""} if kind == "identify" else {}))
        Profile.objects.filter(pk__in=[person.pk for person in some if kind == "identify"]).update(
            traits={"plan": "pro"}
        )
        return statements(lambda: enrollment.enroll_batch(500))

    claim(people[:1], "track"), claim(people[:1], "identify")
    assert claim(people[1:3], "track") == claim(people[3:], "track")
    assert claim(people[1:3], "identify") == claim(people[3:], "identify")
    assert Journey.objects.count() == 60
    assert statements(sweep) <= 5, "three looks and the transaction"


def test_the_pages_say_until_when_it_waits(admin_client: Client) -> None:
    listen()
    ada = make_profile("ada")
    event_id = happens(ada)
    settle()
    until = f"until {Waiting.objects.get().until:%H:%M} UTC"
    paths = (
        f"/admin/events/event/{event_id}/change/",
        f"/admin/events/profile/{ada.pk}/change/",
        page.url("refused", Decision.objects.get().campaign_id),
    )
    for path in paths:
        text = admin_client.get(path).content.decode()
        assert until in text and "Waits for something that is not known" in text, path
