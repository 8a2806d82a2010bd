"""What a template can say: the customer as they are now, what the sender knew, and the links."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from events.models import Profile


def customer(profile: Profile) -> dict[str, Any]:
    """Return ``customer``: the traits, and what every person has whether or not it is among them."""
    known = {
        "id": profile.user_id,
        "user_id": profile.user_id,
        "email": profile.email,
        "phone": profile.phone,
        "time_zone": profile.time_zone,
        "language": profile.language,
        "created_at": profile.created_at.isoformat() if profile.pk else "",
    }
    return {**known, **profile.traits}


def build(profile: Profile, known: Mapping[str, Any], unsubscribe_url: str) -> dict[str, Any]:
    """Return all variables of a mail to ``profile``; ``known`` is ``Message.variables``.

    ``trigger`` and ``event`` are two names of the triggering event's properties.
    """
    trigger = known.get("trigger") or known.get("event") or {}
    return {
        "journey": {},
        "campaign": {},
        **known,
        "trigger": trigger,
        "event": trigger,
        "customer": customer(profile),
        "unsubscribe_url": unsubscribe_url,
    }
