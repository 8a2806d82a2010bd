"""Find people by what an operator knows of them, exactly: a search that an index answers."""

from __future__ import annotations

from django.db.models import Q
from django.db.models.functions import Lower

from events.models import Identity, Profile

# An email address may belong to several profiles; more than this many is no answer.
MOST = 20


def find(text: str) -> list[Profile]:
    """Return the people whose user id, email address or anonymous id is ``text``, oldest first. Two statements."""
    wanted = text.replace("\x00", "").strip()
    if not wanted:
        return []
    known = list(
        Identity.objects.filter(kind__in=Identity.Kind.values, value=wanted).values_list("profile_id", flat=True)
    )
    profiles = Profile.objects.alias(lower_email=Lower("email"), lower_user=Lower("user_id"))
    same = Q(lower_email=wanted.lower()) | Q(lower_user=wanted.lower()) | Q(pk__in=known)
    return list(profiles.filter(same).order_by("pk")[:MOST])
