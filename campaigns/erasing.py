"""Follow people who are erased: their journeys and decisions go. Figures are sums of their own and stay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection

from campaigns.models import Decision, Journey

JOURNEYS = "SELECT id FROM campaigns_journey WHERE profile_id = ANY(%(ids)s)"

HOLD_JOURNEYS = f"{JOURNEYS} ORDER BY id FOR UPDATE"
DELETE = [
    f"DELETE FROM campaigns_call WHERE journey_id IN ({JOURNEYS})",
    f"DELETE FROM campaigns_visit WHERE journey_id IN ({JOURNEYS})",
    "DELETE FROM campaigns_waiting WHERE profile_id = ANY(%(ids)s)",
    "DELETE FROM campaigns_dateturn WHERE profile_id = ANY(%(ids)s)",
    "DELETE FROM campaigns_putoff WHERE profile_id = ANY(%(ids)s)",
    "DELETE FROM campaigns_parked WHERE profile_id = ANY(%(ids)s)",
    "DELETE FROM campaigns_decision WHERE profile_id = ANY(%(ids)s)",
    "DELETE FROM campaigns_journey WHERE profile_id = ANY(%(ids)s)",
]


def follow_erasure(sender: object, profile_ids: Sequence[int], **kwargs: Any) -> None:
    """Delete what campaigns know of these people, in the erasing transaction. Eight statements.

    The runner holds the journeys it moves: what it does comes before this as a whole, or not at all.
    """
    parameters = {"ids": list(profile_ids)}
    with connection.cursor() as cursor:
        for statement in (HOLD_JOURNEYS, *DELETE):
            cursor.execute(statement, parameters)


def weigh(sender: object, profile_id: int, **kwargs: Any) -> list[tuple[str, int]]:
    """Say how much an erasure would delete. Two statements."""
    return [
        ("journeys through campaigns", Journey.objects.filter(profile=profile_id).count()),
        ("decisions of campaigns about them", Decision.objects.filter(profile=profile_id).count()),
    ]
