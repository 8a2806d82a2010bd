"""A keyed wait with real processes: somebody else's payment, or that of another order, ends nobody's wait."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from campaigns.models import Journey, Visit
from events.models import Pending
from messaging.models import Message
from tests import stack
from tests.campaigns.flow import make_campaign, send
from tests.factories import make_key

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
PATIENCE = 30


def test_only_the_journey_of_the_order_that_is_paid_goes_on() -> None:
    paths = [
        {"id": "paid", "name": "Paid", "steps": [send("thanks"), {"id": "note", "kind": "track", "event": "Thanked"}]},
        {"id": "unpaid", "name": "Unpaid"},
    ]
    wait = {"id": "wait", "kind": "wait", "event": "Order Paid", "same": "order_id", "seconds": 86_400, "paths": paths}
    make_campaign(wait, event="Order Placed")
    key = make_key()
    with stack.running() as running:

        def report(user_id: str, event: str, order_id: int) -> None:
            batch: list[dict[str, Any]] = [
                {"type": "identify", "userId": user_id, "traits": {"email": f"{user_id}@example.com"}},
                {"type": "track", "userId": user_id, "event": event, "properties": {"order_id": order_id}},
            ]
            answer = requests.post(f"{running.base_url}/v1/batch", json={"batch": batch}, auth=(key, ""), timeout=30)
            assert answer.status_code == 200, answer.text

        def is_idle() -> bool:
            return not Pending.objects.exists()

        for user_id, order_id in (("ada", 1), ("bob", 2)):
            report(user_id, "Order Placed", order_id)
        stack.wait_for(lambda: Visit.objects.filter(step_id="wait").count() == 2, PATIENCE, "both to wait")
        report("ada", "Order Paid", 2)
        report("bob", "Order Paid", 1)
        stack.wait_for(is_idle, PATIENCE, "the payments of other orders")
        report("ada", "Order Paid", 1)
        stack.wait_for(lambda: Message.objects.filter(status="delivered").exists(), PATIENCE, "the mail")
        stack.wait_for(is_idle, PATIENCE, "the end")
        states = dict(Journey.objects.values_list("profile__user_id", "state"))
        assert states == {"ada": Journey.State.ENDED, "bob": Journey.State.WAITING}
        assert list(Message.objects.values_list("profile__user_id", flat=True)) == ["ada"]
