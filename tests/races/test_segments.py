"""Segments stay true while events come in, people are merged and erased, time passes and everybody is asked anew."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from campaigns import enrollment
from events import log, merging, people, privacy
from events.audience import compile_condition, profiles
from events.audit import Actor
from events.conditions import parse
from events.ingest import ingest
from events.merging import CannotMerge
from events.models import Profile, Segment, SegmentMember, SegmentTurn
from events.segments import asking, building, changes, live, membership, turning
from tests.factories import make_event, make_profile, make_source
from tests.races.test_ingest import track
from tests.races.together import at_once

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]
ACTOR = Actor("test")
PEOPLE = 40
SECONDS = 5
CONDITIONS: dict[str, dict[str, Any]] = {
    "buyers": {"event": "Bought"},
    "thrice": {"event": "Bought", "count": {"gte": 3}},
    # Soon over, so that time moves people as well.
    "looking": {"all": [{"event": "Viewed", "within": "1m"}, {"not": {"segment": "buyers"}}]},
}


def until(end: float, work: Callable[[], Any]) -> Callable[[], int]:
    def run() -> int:
        turns = 0
        while time.monotonic() < end:
            work()
            turns += 1
        return turns

    return run


def report() -> None:
    people = random.sample(range(PEOPLE), 5)
    report_of(people, ["Bought", *["Viewed"] * 20])


def report_of(people: Collection[int], names: list[str]) -> None:
    now = timezone.now()
    # A view is forgotten within seconds: it was nearly a minute ago.
    at = now - timedelta(seconds=random.uniform(55, 59))
    calls = [replace(track(user_id=f"u{n}", name=random.choice(names)), timestamp=at) for n in people]
    ingest(make_source(), calls, now)


def merge_two() -> None:
    two = random.sample(list(Profile.objects.values_list("pk", flat=True)) or [0, 0], 2)
    with suppress(CannotMerge):
        merging.merge_people(two[0], two[1], ACTOR)
    time.sleep(0.2)


def erase_one() -> None:
    privacy.erase(random.sample(list(Profile.objects.values_list("pk", flat=True)), 1), ACTOR)
    time.sleep(0.3)


def build_again() -> None:
    Segment.objects.filter(slug="thrice").update(
        state=Segment.State.BUILDING, built_to=0, revision=F("revision") + 1, build_started_at=timezone.now()
    )
    building.build(time.monotonic() + 5)
    time.sleep(0.1)


def test_segments_are_true_when_all_is_quiet_again() -> None:
    for slug, condition in CONDITIONS.items():
        Segment.objects.create(slug=slug, name=slug, condition=condition)
    report_of(range(PEOPLE), ["Viewed"])
    end = time.monotonic() + SECONDS
    work = [
        report,
        report,
        lambda: enrollment.enroll_pending(end),
        lambda: enrollment.enroll_pending(end),
        lambda: turning.turn_due(end),
        merge_two,
        erase_one,
        build_again,
        changes.fold,
    ]
    assert min(at_once([until(end, each) for each in work])) > 0
    settle()
    now = timezone.now()
    for slug in ("looking", "buyers", "thrice"):
        condition = compile_condition(parse(CONDITIONS[slug]), profiles(now))
        meant = set(Profile.objects.filter(condition).values_list("pk", flat=True))
        members = set(SegmentMember.objects.filter(segment__slug=slug).values_list("profile_id", flat=True))
        waiting = SegmentTurn.objects.filter(segment__slug=slug, look_at__lte=now)
        assert members ^ meant <= set(waiting.values_list("profile_id", flat=True)), slug
        assert Segment.objects.get(slug=slug).size == len(members)


def settle() -> None:
    """Work off what is left: news of segments lead to more of them."""
    deadline = time.monotonic() + 30
    while enrollment.enroll_pending(deadline) + turning.turn_batch(timezone.now() + timedelta(milliseconds=1)):
        pass
    building.build(deadline)
    while changes.fold():
        pass


def history(person: Profile) -> None:
    """Store what no campaign is to hear of: the segment is to ask again at once."""
    at = timezone.now() - timedelta(hours=1)
    row = log.Row(person.pk, "track", "Bought", b"{}", b"{}", at, timezone.now(), pending=False)
    with transaction.atomic():
        log.write([row])
        asking.hear({("track", "Bought"): [person.pk]}, "history")


@pytest.mark.parametrize("before", [None, timedelta(days=1), timedelta(days=-1)], ids=["no turn", "to come", "due"])
def test_a_turn_that_comes_while_somebody_asks_is_not_lost(
    before: timedelta | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks has not seen what was stored since, and must not take away the turn that tells of it."""
    condition = {"event": "Bought", "count": {"gte": 2}, "within": "2d"}
    segment = Segment.objects.create(slug="twice", name="Twice", condition=condition)
    person, now = make_profile("ada"), timezone.now()
    make_event(person, "Bought")
    if before is not None:
        SegmentTurn.objects.create(segment=segment, profile=person, look_at=now + before)
    write = changes.write

    def written_later(*answers: Any, claim: bool) -> changes.Moved:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(apart, lambda: history(person)).result(10)
        return write(*answers, claim=claim)

    monkeypatch.setattr(changes, "write", written_later)
    with transaction.atomic():
        people.hold([person.pk])
        (asked,) = live.current([segment.pk])
        membership.ask({asked: [person.pk]}, now, {})
    monkeypatch.undo()
    assert not SegmentMember.objects.exists(), "when it was asked she had bought once"
    turning.turn_due(time.monotonic() + 5)
    assert SegmentMember.objects.filter(segment=segment, profile=person).exists()


def apart(work: Callable[[], Any]) -> None:
    """Do it with a connection of its own."""
    try:
        work()
    finally:
        connection.close()
