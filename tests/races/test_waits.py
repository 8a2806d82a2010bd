"""A wait and the event that ends it, at the same instant: none is lost, none ends twice."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns import enrollment, runner
from campaigns.models import Journey, Visit
from messaging.models import Message
from tests.campaigns.flow import happens, make_campaign, send
from tests.factories import make_profile
from tests.races.together import at_once

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]
TRIES = 100


def soon() -> float:
    return time.monotonic() + 10


def run() -> None:
    runner.run_due(soon())


def after(pause: float, work: Callable[[], object]) -> Callable[[], None]:
    def run_later() -> None:
        time.sleep(pause)
        work()

    return run_later


@pytest.mark.parametrize("what", ["event", "condition", "quiet"])
def test_an_event_that_comes_while_the_wait_begins_or_is_looked_at_ends_it_once(what: str) -> None:
    paths = [{"id": "met", "name": "Met", "steps": [send()]}, {"id": "late", "name": "Late"}]
    waits = {
        "event": {"kind": "wait", "event": "Order Completed", "same": "order_id", "paths": paths},
        "condition": {"kind": "wait", "if": {"event": "Order Completed"}, "paths": paths},
        "quiet": {"kind": "quiet", "event": "Order Completed", "most": 100_000},
    }
    make_campaign({"id": "wait", "seconds": 90_000, **waits[what]})
    missed = []
    for number in range(TRIES):
        person = make_profile()
        happens(person, properties={"order_id": number})
        enrollment.enroll_pending(soon())
        if number % 2:  # it waits already, and is looked at again at this moment
            run()
            Journey.objects.filter(profile=person).update(due_at=timezone.now())

        def order(person=person, number=number) -> None:  # type: ignore[no-untyped-def]
            happens(person, "Order Completed", {"order_id": number})
            enrollment.enroll_pending(soon())

        at_once([run, after(random.uniform(0, 0.01), order), after(random.uniform(0, 0.01), run)])
        run()
        journey = Journey.objects.get(profile=person)
        if what == "quiet":
            # Quiet is reckoned from the order on, not from the entry.
            ordered = person.events.get(name="Order Completed")
            heard_at = min(ordered.timestamp, ordered.received_at)
            is_right = journey.due_at is not None and journey.due_at >= heard_at + timedelta(seconds=90_000)
        else:
            is_right = journey.state == Journey.State.ENDED
        if not is_right:
            missed.append((number, journey.state, journey.due_at))
    assert missed == []
    if what != "quiet":
        assert Message.objects.count() == TRIES
        assert Visit.objects.filter(step_id="wait", detail="Met").count() == TRIES
