"""What makes messages unwanted, asked for a batch: a constant number of statements, and never wrongly."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from messaging import relevance
from messaging.models import Message
from tests.factories import make_event, make_message, make_profile

pytestmark = pytest.mark.django_db
BOUGHT = {"event": "Order Completed", "same": "order_id", "why": "Bought"}
PRO = {"if": {"trait": "plan", "is": "pro"}, "why": "Is a customer"}


def waiting(unless: list[dict[str, Any]] | None, **traits: Any) -> Message:
    """Make a message that answers an event of order 1."""
    person = make_profile(traits=traits)
    cart = make_event(person, "Cart Left", {"order_id": 1})
    return make_message(
        person,
        unless=unless,
        trigger_event_id=cart.pk,
        trigger_at=cart.timestamp,
        variables={"trigger": cart.properties},
    )


def unwanted(*messages: Message) -> dict[int, str]:
    return relevance.unwanted(messages, timezone.now())


def test_the_first_that_is_met_is_told() -> None:
    bought, customer, both, neither = (waiting([BOUGHT, PRO], plan=plan) for plan in ("free", "pro", "pro", "free"))
    for message in (bought, both):
        make_event(message.profile, "Order Completed", {"order_id": 1})
    make_event(neither.profile, "Order Completed", {"order_id": 2})
    found = unwanted(bought, customer, both, neither)
    assert set(found) == {bought.pk, customer.pk, both.pk}
    assert found[customer.pk] == "Is a customer"
    assert found[both.pk].startswith("Bought: Order Completed came on ")


def test_an_event_counts_for_so_many_hours_only() -> None:
    message = waiting([{**BOUGHT, "hours": 1}])
    assert message.trigger_at is not None
    late = message.trigger_at + timedelta(hours=2)
    make_event(message.profile, "Order Completed", {"order_id": 1}, timestamp=late, received_at=late)
    assert unwanted(message) == {}


def test_properties_of_the_answered_event_are_at_hand() -> None:
    first = waiting([{"if": {"property": "order_id", "is": 1}, "why": "First order"}])
    assert unwanted(first) == {first.pk: "First order"}


def test_what_cannot_be_read_any_more_cancels_nothing() -> None:
    message = waiting([{"if": {"gone": "room"}, "why": "Gone"}, PRO], plan="free")
    assert unwanted(message) == {}


def test_equal_ones_are_asked_together() -> None:
    plain = waiting(None)
    assert statements(plain) == 0
    alike = [waiting([BOUGHT, PRO]) for _ in range(20)]
    other = [waiting([PRO]) for _ in range(20)]
    assert statements(*alike[:1], *other[:1]) == statements(plain, *alike, *other) == 2


def statements(*messages: Message) -> int:
    with CaptureQueriesContext(connection) as context:
        unwanted(*messages)
    return len(context)
