"""A purchase and the claim of the message that it makes unwanted, at the same instant.

What was stored (and so answered with 200) before the claim keeps the message back, always.
"""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from campaigns import enrollment, runner
from messaging import claims, delivery
from messaging.models import Message
from messaging.reasons import Reason
from messaging.states import Status
from tests.campaigns.flow import happens, make_campaign, send
from tests.factories import make_profile
from tests.races.test_waits import after
from tests.races.together import at_once

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]
TRIES = 100


def soon() -> float:
    return time.monotonic() + 10


def deliver() -> None:
    delivery.deliver_due(soon())


def test_what_is_stored_before_the_claim_is_never_followed_by_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    exits = [{"when": "event", "event": "Order Completed", "same": "order_id"}]
    make_campaign(send(), exits=exits)
    moments: dict[str, float] = {}
    original = claims.claim

    def claim(*arguments: Any) -> list[Message]:
        begun = time.monotonic()
        found = original(*arguments)
        if found:
            moments["claim begun"] = begun
        return found

    monkeypatch.setattr(claims, "claim", claim)
    outcomes = []
    for number in range(TRIES):
        person = make_profile(traits={"email": "ada@example.com"})
        happens(person, properties={"order_id": number})
        enrollment.enroll_pending(soon())
        runner.run_due(soon())
        moments.clear()

        def order(person=person, number=number) -> None:  # type: ignore[no-untyped-def]
            happens(person, "Order Completed", {"order_id": number})
            moments["stored"] = time.monotonic()

        # Which of the two takes longer differs by machine: now one waits for the other, now the other for the one.
        first, second = (order, deliver) if number % 2 else (deliver, order)
        at_once([first, after(random.uniform(0, 0.06), second)])
        message = Message.objects.get(profile=person)
        stored_before = moments["stored"] < moments["claim begun"]
        outcomes.append((stored_before, message.status, message.reason))
    assert {outcome for outcome in outcomes if outcome[0]} == {(True, Status.SKIPPED, Reason.NO_LONGER_WANTED)}
    others = {status for stored_before, status, _ in outcomes if not stored_before}
    assert Status.DELIVERED in others, "sometimes the claim came first"
    assert others <= {Status.DELIVERED, Status.SKIPPED}
