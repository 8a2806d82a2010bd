"""How far back computed traits look: no further than their events are kept.

An age of events is a window like any other, so a value changes at the very instant at which one of its events comes of
age, and deleting that event later changes nothing.
"""

from __future__ import annotations

from django.db import transaction

from events import counts, nudges, retention
from events.computed import building
from events.models import ComputedTrait, EventDefinition


def days_of(type: str, event: str) -> int | None:
    """Return after how many days events are deleted; None for never. Two statements."""
    label = counts.label(type, event)
    own = EventDefinition.objects.filter(name=label).values_list("retention_days", flat=True).first()
    return own or retention.ages()[retention.EVENTS]


def follow() -> int:
    """Have those reckoned anew whose events are kept for another time than before; return how many these are."""
    changed = 0
    for row in ComputedTrait.objects.exclude(state=ComputedTrait.State.GOING):
        changed += row.reach_days != days_of(row.event_type, row.event) and _follow(row.pk)
    if changed:
        nudges.nudge("computed")
    return changed


@transaction.atomic
def _follow(pk: int) -> bool:
    row = ComputedTrait.objects.select_for_update(no_key=True).get(pk=pk)
    if row.state == ComputedTrait.State.GOING:
        return False
    row.reach_days = days_of(row.event_type, row.event)
    building.start(row)
    row.save(update_fields=["reach_days", *building.STARTED])
    return True
