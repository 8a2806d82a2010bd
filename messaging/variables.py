"""What a template can say: the customer as they are now, what the sender knew, and the links."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.conf import settings

from events.models import Group, Profile

# A word too many costs a look-up, nothing else.
MENTIONS_GROUPS = re.compile(r"\b(?:company|groups)\b")


# What every person has besides traits.
PERSON = frozenset(("id", "user_id", "email", "phone", "time_zone", "language", "created_at"))


def mentions_groups(content: Iterable[str]) -> bool:
    """Say whether a template may speak of the groups its reader belongs to."""
    return any(MENTIONS_GROUPS.search(text) for text in content)


def group(found: Group) -> dict[str, Any]:
    """Return a group as a template sees it: its traits, and what every group has."""
    return {"id": found.key, "type": found.type, **found.traits}


def company(groups: Sequence[Group]) -> dict[str, Any]:
    """Return ``company``: the present one, nothing for who belongs to none."""
    return next((group(found) for found in groups if found.type == Group.COMPANY), {})


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


def build(
    profile: Profile,
    known: Mapping[str, Any],
    unsubscribe_url: str,
    groups: Sequence[Group] = (),
    postal_address: str = "",
    view_url: str = "",
    preferences_url: str = "",
) -> dict[str, Any]:
    """Return all variables of a mail to ``profile``; ``known`` is ``Message.variables``, ``groups`` the present first.

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
        "company": company(groups),
        "groups": [group(found) for found in groups],
        "unsubscribe_url": unsubscribe_url,
        "preferences_url": preferences_url,
        "postal_address": postal_address,
        "view_in_browser_url": view_url,
        # How dates and numbers are written (events.liquid_local).
        "language": profile.language,
        "time_zone": profile.time_zone or settings.FALLBACK_TIME_ZONE,
    }
