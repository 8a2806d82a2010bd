"""Find people by what an operator types: a user id or an email address, or the beginning of one."""

from __future__ import annotations

from django.db.models import Q, QuerySet
from django.db.models.functions import Lower

from events.models import Event, Profile

# A list to choose from must fit a screen.
SHOWN = 8
RECENT_EVENTS = 25
# Of the newest profiles many may be visitors without an address: so many are looked at for one with it.
LOOKED_AT = 100


def named(query: str) -> QuerySet[Profile]:
    """Return the people whose user id or email is ``query`` (case does not matter). Index look-ups only."""
    text = query.lower()
    return _searchable().filter(Q(user_id=query) | Q(lower_email=text) | Q(lower_user_id=text))


def beginning_with(query: str) -> list[Profile]:
    """Return a few people whose user id or email begins with ``query``, the newest ones for an empty query."""
    text = query.strip().lower()
    if not text:
        newest = Profile.objects.order_by("-pk")[:LOOKED_AT]
        return sorted(newest, key=lambda profile: not profile.email)[:SHOWN]
    found = _searchable().filter(Q(lower_email__startswith=text) | Q(lower_user_id__startswith=text))
    return list(found[:SHOWN])


def newest() -> Profile | None:
    """Return somebody to begin with: the newest person with an address, else the newest."""
    return next(iter(beginning_with("")), None)


def recent_events(profile: Profile, named: str = "") -> list[Event]:
    """Return the newest events of ``profile`` that a source sent in, whose name begins with ``named`` in any case."""
    events = Event.objects.filter(profile=profile, source__isnull=False).exclude(name="")
    if named and "\0" not in named:
        events = events.filter(name__istartswith=named)
    return list(events.only("timestamp", "name", "properties", "type").order_by("-timestamp", "-id")[:RECENT_EVENTS])


def _searchable() -> QuerySet[Profile]:
    return Profile.objects.alias(lower_email=Lower("email"), lower_user_id=Lower("user_id"))
