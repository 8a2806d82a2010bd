"""Merges by hand while requests come in and workers run."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from campaigns import enrollment, runner
from campaigns.models import Journey
from events.audit import Actor
from events.ingest import Item, ingest
from events.merging import merge_people
from events.models import Event, Pending, Profile
from messaging import delivery
from messaging.models import Message
from tests.campaigns.flow import delay, make_campaign, send
from tests.factories import make_profile, make_source
from tests.races.together import at_once

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]
NAME = "Signed Up"
PAIRS, ROUNDS = 12, 6


def test_merges_lose_nothing_beside_requests_the_runner_and_delivery() -> None:
    make_campaign(send(), delay(1), send("second"), reentry={"rule": "always"}, speed=100)
    source = make_source()
    losers = [make_profile(f"l{n}", email=f"l{n}@example.com") for n in range(PAIRS)]
    winners = [make_profile(f"w{n}") for n in range(PAIRS)]

    def report(side: str) -> None:
        for turn in range(ROUNDS):
            now = datetime.now(UTC)
            items = [Item("track", f"{side}{turn}{n}", now, user_id=f"{side}{n}", name=NAME) for n in range(PAIRS)]
            ingest(source, items, now)

    def merge() -> None:
        for loser, winner in zip(losers, winners, strict=True):
            merge_people(loser.pk, winner.pk, Actor("test"))

    def work() -> None:
        until = time.monotonic() + 4
        while time.monotonic() < until:
            for step in (enrollment.enroll_pending, runner.run_due, delivery.deliver_due):
                step(time.monotonic() + 0.2)

    at_once([lambda: report("l"), lambda: report("w"), merge, work, work])
    work()
    assert Event.objects.filter(name="Signed Up").count() == 2 * PAIRS * ROUNDS
    assert not Pending.objects.exists()
    assert set(Profile.objects.values_list("user_id", flat=True)) == {f"w{n}" for n in range(PAIRS)}
    stays = set(Profile.objects.values_list("pk", flat=True))
    for model in (Event, Journey, Message):
        assert set(model.objects.values_list("profile", flat=True)) <= stays
    assert not Journey.objects.filter(state=Journey.State.STUCK).exists()
