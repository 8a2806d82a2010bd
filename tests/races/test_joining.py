"""Visitors prove to be users while the journeys of both are being moved."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from campaigns import enrollment, runner
from campaigns.models import Journey
from events.ingest import Item, ingest
from events.models import Event, Identity, Pending, Profile
from messaging import delivery
from messaging.models import Message
from tests.campaigns.flow import delay, make_campaign, send
from tests.factories import make_profile, make_source
from tests.races.test_ingest import deadlocks
from tests.races.together import at_once

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]
PEOPLE, ROUNDS = 10, 25


def test_requests_that_join_people_and_the_runner_never_wait_for_each_other_in_a_circle() -> None:
    steps = [step for n in range(4) for step in (send(f"mail{n}"), delay(1, f"wait{n}"))]
    make_campaign(*steps, reentry={"rule": "always"}, speed=1000)
    source = make_source()
    for n in range(PEOPLE):
        make_profile(f"u{n}", traits={"email": f"u{n}@example.com"})
    before, done = deadlocks(), []

    def visit_and_join() -> None:
        for turn in range(ROUNDS):
            now = datetime.now(UTC)
            who = [(f"u{n}", f"a{turn}-{n}") for n in range(PEOPLE)]
            ingest(source, [Item("track", f"{turn}{a}", now, anonymous_id=a, name="Signed Up") for _, a in who], now)
            ingest(source, [Item("track", f"{turn}{u}", now, user_id=u, name="Signed Up") for u, _ in who], now)
            time.sleep(0.02)
            if turn % 2:
                calls = [Item("identify", f"i{turn}{u}", now, user_id=u, anonymous_id=a) for u, a in who]
            else:
                calls = [Item("alias", f"i{turn}{u}", now, user_id=u, previous_id=a) for u, a in who]
            ingest(source, calls, now)
        done.append(True)

    def until_done(work: Callable[[float], int]) -> Callable[[], None]:
        def run() -> None:
            while not done:
                work(time.monotonic() + 0.2)

        return run

    workers = (enrollment.enroll_pending, runner.run_due, runner.run_due, runner.run_due, delivery.deliver_due)
    at_once([visit_and_join, *map(until_done, workers)])
    # What is sent is news of its own, and may be waiting once more.
    for work in (*workers, *workers, enrollment.enroll_pending):
        work(time.monotonic() + 20)
    assert deadlocks() == before
    assert set(Profile.objects.values_list("user_id", flat=True)) == {f"u{n}" for n in range(PEOPLE)}
    assert Event.objects.filter(name="Signed Up").count() == 2 * PEOPLE * ROUNDS
    assert Identity.objects.filter(kind="anonymous").count() == PEOPLE * ROUNDS
    assert not Pending.objects.exists()
    stays = set(Profile.objects.values_list("pk", flat=True))
    for model in (Event, Journey, Message):
        assert set(model.objects.values_list("profile", flat=True)) <= stays
    assert not Journey.objects.filter(state=Journey.State.STUCK).exists()
