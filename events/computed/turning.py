"""Reckon anew what time alone changes: who bought thrice in thirty days has bought twice from that minute on."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from events import present, turns
from events.computed import definitions, following, writing
from events.models import ComputedValue
from events.segments import membership


def turn_due(deadline: float) -> int:
    """Reckon until nobody is due or ``time.monotonic()`` passes ``deadline``; return about how many people were."""
    return turns.work(lambda: turn_batch(present.now()), deadline)


@transaction.atomic
def turn_batch(now: datetime) -> int:
    """Reckon for up to ``turns.BATCH`` people who are due, and let segments hear of what changes."""
    held = turns.hold_due(ComputedValue, now)
    if not held:
        return 0
    for quiet in (False, True):
        due = following.due_of(held, now, quiet=quiet)
        current = definitions.current(due) if due else []
        changed = writing.reckon({definition: due[definition.pk] for definition in current}, now, quiet=quiet)
        membership.follow_traits(changed, now, membership.COMPUTED, quiet=quiet)
        # What cannot be reckoned waits for nothing.
        if gone := set(due) - {definition.pk for definition in current}:
            ComputedValue.objects.filter(computed_id__in=gone, profile_id__in=held).update(look_at=None)
    return len(held)
