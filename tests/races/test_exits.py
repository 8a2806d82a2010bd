"""An event that ends a journey at the instant at which it moves: it ends at once, and nothing is said after."""

from __future__ import annotations

import random
import time

import pytest
from django.utils import timezone

from campaigns import enrollment, runner
from campaigns.models import Journey, Visit
from campaigns.reasons import Ending, Outcome
from messaging.models import Message
from tests.campaigns.flow import delay, happens, make_campaign, send
from tests.factories import make_profile
from tests.races.test_waits import after
from tests.races.together import at_once

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]
TRIES = 100


def soon() -> float:
    return time.monotonic() + 10


def run() -> None:
    runner.run_due(soon())


def test_an_order_that_comes_while_the_journey_moves_ends_it_at_once() -> None:
    exits = [{"when": "event", "event": "Order Completed", "same": "order_id"}]
    make_campaign(delay(90_000), send(), exits=exits)
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
        journey = Journey.objects.get(profile=person)
        if (journey.state, journey.ending) != (Journey.State.ENDED, Ending.EVENT):
            missed.append((number, journey.state, journey.ending))
    assert missed == []
    assert not Visit.objects.exclude(outcome=Outcome.INTERRUPTED).exists()
    assert not Message.objects.exists()
