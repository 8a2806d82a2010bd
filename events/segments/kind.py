"""``{"segment": "power-users"}`` in conditions: whether the person is in a segment as it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from events.audience.scope import Scope
from events.audience.seeing import Found, Look
from events.conditions import seen
from events.conditions.kinds import Field, Form, Kind
from events.models import Segment, SegmentMember
from events.segments.changes import ENTERED, LEFT


def _read(tree: Mapping[str, Any]) -> str:
    slug = tree["segment"]
    if not isinstance(slug, str) or not slug.strip():
        raise ValueError("must be the short name of a segment, such as power-users")
    return slug


def ask(slug: str, scope: Scope) -> Q:
    """Return whether the person is in the segment. Membership is known as of now alone, whatever ``scope`` says."""
    return Q(Exists(_membership(slug, scope)))


def _membership(slug: str, scope: Scope) -> QuerySet[SegmentMember]:
    return SegmentMember.objects.filter(profile_id=OuterRef(scope.profile_id), segment__slug=slug)


def look(slug: str, scope: Scope) -> Look:
    """Show since when the person is in the segment."""
    since = _membership(slug, scope).values("since")
    expressions = {"since": Subquery(since[:1]), "known": Exists(Segment.objects.filter(slug=slug))}

    def words(found: Found) -> str:
        if not found.values["known"]:
            return "no such segment"
        since = found.values["since"]
        return f"since {seen.distance(since, found.now).removeprefix('on ')}" if since else "not in it"

    return Look(expressions, words)


def say(slug: str) -> str:
    """Return the question in words."""
    return f"is in the segment {slug}"


def _names() -> Iterator[tuple[str, str]]:
    yield from Segment.objects.order_by("name").values_list("slug", "name")


FORM = Form("Segment", (Field("segment", "is in", "name", required=True, names=_names),))
KIND = Kind("segment", frozenset(), _read, frozenset({ENTERED, LEFT}), FORM)
