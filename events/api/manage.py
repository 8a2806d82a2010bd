"""Read people back: ``/api/v1/manage/profiles/{user_id}/`` and its ``activity/``.

JSON values are handed through as the database holds them, so that numbers keep every digit. A user id may hold any
character, slashes included; an id that was merged away leads to the person it became.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import msgspec
from django.db.models import F, Q, QuerySet, TextField
from django.db.models.functions import Cast
from django.http import Http404, HttpResponse
from django.urls import re_path
from rest_framework.request import Request

from events.api.authentication import TokenAuthentication
from events.api.base import JsonView
from events.api.refusal import Refusal
from events.models import Event, Identity, Profile

DEFAULT_LIMIT, MAX_LIMIT = 100, 1000


class ManagementView(JsonView):
    """A view behind a bearer token."""

    authentication_classes = [TokenAuthentication]


class ProfileView(ManagementView):
    """Show one person: traits, ids and what is derived from them."""

    def get(self, request: Request, user_id: str) -> HttpResponse:
        profile = find_profile(user_id)
        anonymous = profile.identities.filter(kind=Identity.Kind.ANONYMOUS).order_by("id")
        return _json(
            {
                "user_id": profile.user_id,
                "traits": _raw(Profile.objects.filter(pk=profile.pk), "traits"),
                "devices": [],
                "anonymous_ids": list(anonymous.values_list("value", flat=True)),
                "email": profile.email,
                "phone": profile.phone,
                "time_zone": profile.time_zone,
                "language": profile.language,
                "created_at": profile.created_at,
                "updated_at": profile.updated_at,
                "last_seen_at": profile.last_seen_at,
            }
        )


class ActivityView(ManagementView):
    """List what one person did, newest first: ``{"results", "next"}``; ``next`` is the address of the next page."""

    def get(self, request: Request, user_id: str) -> HttpResponse:
        limit = _limit(request.query_params.get("limit"))
        events = Event.objects.filter(profile=find_profile(user_id))
        found = list(_page(events, request.query_params.get("cursor"))[: limit + 1])
        following = None
        if len(found) > limit:
            last = found[limit - 1]
            query = urlencode({"limit": limit, "cursor": f"{last['timestamp'].isoformat()}~{last['id']}"})
            following = request.build_absolute_uri(f"{request.path}?{query}")
        return _json({"results": [_entry(row) for row in found[:limit]], "next": following})


def find_profile(user_id: str) -> Profile:
    """Return the person a user id leads to. Raises Http404."""
    if "\0" in user_id:
        raise Http404("Nobody has this user id.")
    known = Identity.objects.filter(kind=Identity.Kind.USER, value=user_id).select_related("profile").first()
    if known is not None:
        return known.profile
    by_hand = Profile.objects.filter(user_id=user_id).first()
    if by_hand is None:
        raise Http404("Nobody has this user id.")
    return by_hand


def _page(events: QuerySet[Event], cursor: str | None) -> QuerySet[Event, Any]:
    """Return the rows behind the cursor, by keyset: as quick on the last page as on the first."""
    if cursor:
        at, event_id = _parse_cursor(cursor)
        events = events.filter(Q(timestamp__lt=at) | Q(timestamp=at, id__lt=event_id), timestamp__lte=at)
    return events.order_by("-timestamp", "-id").values(
        "id",
        "type",
        "name",
        "timestamp",
        "received_at",
        "message_id",
        source_name=F("source__name"),
        raw_properties=Cast("properties", TextField()),
        raw_context=Cast("context", TextField()),
    )


def _parse_cursor(cursor: str) -> tuple[datetime, int]:
    try:
        at, _, event_id = cursor.partition("~")
        return datetime.fromisoformat(at), int(event_id)
    except ValueError:
        raise Refusal("invalid_value", "The cursor is not one of ours.", "cursor") from None


def _limit(given: str | None) -> int:
    try:
        limit = DEFAULT_LIMIT if given is None else int(given)
    except ValueError:
        limit = 0
    if limit < 1:
        raise Refusal("invalid_value", f"The limit has to be a number from 1 to {MAX_LIMIT}.", "limit")
    return min(limit, MAX_LIMIT)


def _entry(row: dict[str, Any]) -> dict[str, object]:
    return {
        "type": row["type"],
        "name": row["name"],
        "properties": msgspec.Raw(row["raw_properties"]),
        "context": msgspec.Raw(row["raw_context"]),
        "timestamp": row["timestamp"],
        "received_at": row["received_at"],
        "message_id": row["message_id"],
        "source": row["source_name"],
    }


def _raw(rows: QuerySet[Profile], column: str) -> msgspec.Raw:
    return msgspec.Raw(rows.values_list(Cast(column, TextField()), flat=True).get())


def _json(answer: dict[str, object]) -> HttpResponse:
    return HttpResponse(msgspec.json.encode(answer), content_type="application/json")


# A user id may hold anything, so the pattern does too; the slash at the end is optional and no part of it.
USER = r"profiles/(?P<user_id>(?s:.+?))"
urlpatterns = [
    re_path(rf"^{USER}/activity/?\Z", ActivityView.as_view(), name="manage-activity"),
    re_path(rf"^{USER}/?\Z", ProfileView.as_view(), name="manage-profile"),
]
