"""Choose whether, to whom and how often anything goes out, and say in words what that is now."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from events import audit, nudges
from events.audit import Actor
from messaging.models import FrequencyCap, SendingLimits

Mode = SendingLimits.Mode


@transaction.atomic
def choose(changes: dict[str, Any], actor: Actor) -> SendingLimits:
    """Change the settings named in ``changes``, note who did it, and wake whoever sends.

    What is being handed to a provider at this moment still goes out; everything after it follows the new settings.
    """
    SendingLimits.objects.get_or_create(pk=SendingLimits.ONLY)
    chosen = SendingLimits.objects.select_for_update().get(pk=SendingLimits.ONLY)
    for name, value in changes.items():
        setattr(chosen, name, value)
    chosen.changed_by, chosen.changed_at = actor.name, timezone.now()
    chosen.save(update_fields=[*changes, "changed_by", "changed_at"])
    audit.note(actor, "limits", **{name: _plain(value) for name, value in changes.items() if name != "redirect_to"})
    nudges.nudge("messages")
    return chosen


# What was held by the caps as they were may have room now.
LOOK_AGAIN = """
UPDATE messaging_message SET due_at = %(now)s
WHERE id = ANY(ARRAY(SELECT id FROM messaging_message
    WHERE status = 'queued' AND reason = 'capped' AND due_at > %(now)s ORDER BY id FOR UPDATE SKIP LOCKED))
"""


@transaction.atomic
def store_cap(cap: FrequencyCap, actor: Actor) -> None:
    """Add a cap or change it, note who did it, and let what caps hold be looked at anew."""
    cap.save()
    _caps_changed(actor, cap=cap.words, on=cap.enabled)


@transaction.atomic
def remove_cap(cap: FrequencyCap, actor: Actor) -> None:
    """Delete a cap, note who did it, and let what caps hold be looked at anew."""
    words = cap.words
    cap.delete()
    _caps_changed(actor, cap=words, deleted=True)


def _caps_changed(actor: Actor, **details: Any) -> None:
    audit.note(actor, "limits", **details)
    with connection.cursor() as cursor:
        cursor.execute(LOOK_AGAIN, {"now": timezone.now()})
    nudges.nudge("messages")


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | None) else str(value)


def banner(limits: SendingLimits, now: datetime) -> str:
    """Say what keeps mail from its recipients, "" where nothing does."""
    if limits.holds(now):
        return f"Everything is held: nothing goes out until {_end(limits)}."
    if limits.target:
        return f"Every message goes to {limits.target} and to nobody else, until sending is set back to normal."
    return ""


def _end(limits: SendingLimits) -> str:
    return f"{limits.hold_until:%-d %B %Y, %H:%M} UTC" if limits.hold_until else "sending is set back to normal"
