"""Find people as the search boxes of the console do."""

from __future__ import annotations

from django.db.models import Q, QuerySet
from django.db.models.functions import Lower

from events.models import Identity, Profile


def found_by(queryset: QuerySet[Profile], term: str) -> QuerySet[Profile]:
    """Return those whose email or user id begins with ``term``, whatever its case, or whose anonymous id it is.

    Written so that the pattern indexes serve it.
    """
    term = term.replace("\x00", "").strip()
    if not term:
        return queryset
    known = list(
        Identity.objects.filter(kind__in=Identity.Kind.values, value=term).values_list("profile_id", flat=True)
    )
    begin = term.lower()
    queryset = queryset.alias(lower_email=Lower("email"), lower_user=Lower("user_id"))
    return queryset.filter(Q(lower_email__startswith=begin) | Q(lower_user__startswith=begin) | Q(pk__in=known))
