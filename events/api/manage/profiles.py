"""Read people back: ``/api/v1/manage/profiles/{user_id}/`` and its ``activity/``.

JSON values are handed through as the database holds them, so that numbers keep every digit. A user id may hold any
character, slashes included; an email will do as well, and an id that was merged away leads to the person it became.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast, Lower
from django.http import Http404, HttpResponse
from django.urls import URLPattern, re_path
from rest_framework.request import Request

from events import merging, people
from events.api.manage import log
from events.api.manage.base import (
    ManagementView,
    bad_cursor,
    before_id,
    limit_of,
    page,
    raw,
    read_body,
    respond,
    text_of,
    token_of,
)
from events.api.openapi import CURSOR, Shape, text
from events.api.refusal import Refusal
from events.api.shapes import EVENT, ONE_PROFILE, PROFILE, TEXT, fields, pages
from events.audit import Actor
from events.models import Event, Identity, Profile

SHOWN = ("id", "user_id", "email", "phone", "time_zone", "language", "created_at", "updated_at", "last_seen_at")
FILTERS = [text("email", "The email, in any case."), text("user_id", "How the user id begins.")]
TRAITS = Cast("traits", TextField())


class ProfilesView(ManagementView):
    """List people, the last made first. Filters: ``email`` (all of it, in any case), ``user_id`` (its beginning)."""

    shapes = {"GET": Shape(pages(PROFILE), parameters=[*FILTERS, *CURSOR])}

    def get(self, request: Request) -> HttpResponse:
        listed = Profile.objects.alias(lower_email=Lower("email"), lower_user=Lower("user_id"))
        if email := text_of(request, "email"):
            listed = listed.filter(lower_email=email.lower())
        if user_id := text_of(request, "user_id"):
            listed = listed.filter(lower_user__startswith=user_id.lower())
        found = listed.filter(pk__lt=before_id(request)).order_by("-pk").values(*SHOWN, raw_traits=TRAITS)
        return page(request, list(found[: limit_of(request) + 1]), _listed, lambda row: str(row["id"]))


class ProfileView(ManagementView):
    """Show one person: traits, ids and what is derived from them."""

    shapes = {"GET": Shape(ONE_PROFILE)}

    def get(self, request: Request, user_id: str) -> HttpResponse:
        profile = find_profile(user_id)
        anonymous = profile.identities.filter(kind=Identity.Kind.ANONYMOUS).order_by("id")
        return respond(
            {
                "user_id": profile.user_id,
                "cio_id": people.own_id(profile),
                "traits": raw(Profile.objects.filter(pk=profile.pk), "traits"),
                "devices": [
                    {"id": device.device_id, "platform": device.platform} for device in profile.devices.order_by("id")
                ],
                "groups": _groups(profile),
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


def _groups(profile: Profile) -> list[dict[str, object]]:
    """Return the groups of a person, the present one first."""
    rows = profile.memberships.order_by("-updated_at", "-pk")
    columns = rows.values_list("group__type", "group__key", Cast("group__traits", TextField()))
    return [{"type": type_, "id": key, "traits": msgspec.Raw(traits.encode())} for type_, key, traits in columns]


class MergeView(ProfileView):
    """Make one person of two, for good. Both are named by user id or email; ``loser``'s ids then lead to ``winner``."""

    shapes = {
        "GET": Shape(ONE_PROFILE),
        "POST": Shape(ONE_PROFILE, fields("loser", "winner", loser=TEXT, winner=TEXT)),
    }

    def get(self, request: Request, user_id: str = "merge") -> HttpResponse:
        """Show the person whose user id is this very word."""
        return super().get(request, user_id)

    def post(self, request: Request) -> HttpResponse:
        said = read_body(request, {"loser": str, "winner": str})
        for name in ("loser", "winner"):
            if not said.get(name):
                raise Refusal("missing_field", f"Name the {name} by user id or email.", name)
        loser, winner = find_profile(said["loser"]), find_profile(said["winner"])
        try:
            merging.merge_people(loser.pk, winner.pk, Actor.of_token(token_of(request)))
        except merging.CannotMerge as error:
            raise Refusal("cannot_merge", str(error), "loser", 409) from None
        return super().get(request, said["winner"])


def _listed(row: dict[str, Any]) -> dict[str, object]:
    shown = {name: row[name] for name in SHOWN if name != "id"}
    return {**shown, "traits": msgspec.Raw(row["raw_traits"])}


class ActivityView(ManagementView):
    """List what one person did, newest first: ``{"results", "next"}``; ``next`` is the address of the next page."""

    shapes = {"GET": Shape(pages(EVENT), parameters=CURSOR)}

    def get(self, request: Request, user_id: str) -> HttpResponse:
        events = Event.objects.filter(profile=find_profile(user_id))
        found = list(_page(events, request.query_params.get("cursor"))[: limit_of(request) + 1])
        return page(request, found, log.entry, lambda row: f"{row['timestamp'].isoformat()}~{row['id']}")


def find_profile(user_id: str) -> Profile:
    """Return the person a user id, or else an email, leads to. Raises Http404."""
    profile = people.by_any(user_id)
    if profile is None:
        raise Http404("Nobody has this user id.")
    return profile


def _page(events: QuerySet[Event], cursor: str | None) -> QuerySet[Event, Any]:
    """Return the rows behind the cursor, by keyset: as quick on the last page as on the first."""
    if cursor:
        at, event_id = _parse_cursor(cursor)
        events = events.filter(Q(timestamp__lt=at) | Q(timestamp=at, id__lt=event_id), timestamp__lte=at)
    return log.columns(events).order_by("-timestamp", "-id")


def _parse_cursor(cursor: str) -> tuple[datetime, int]:
    try:
        at, _, event_id = cursor.partition("~")
        return datetime.fromisoformat(at).astimezone(UTC), int(event_id)
    except (OverflowError, ValueError):
        raise bad_cursor() from None


# A user id may hold anything, so the pattern does too; the slash at the end is optional and no part of it.
USER = r"profiles/(?P<user_id>(?s:.+?))"
urlpatterns: list[URLPattern] = [
    re_path(r"^profiles/?\Z", ProfilesView.as_view(), name="manage-profiles"),
    re_path(r"^profiles/merge/?\Z", MergeView.as_view(), name="manage-merge"),
    re_path(rf"^{USER}/activity/?\Z", ActivityView.as_view(), name="manage-activity"),
    re_path(rf"^{USER}/?\Z", ProfileView.as_view(), name="manage-profile"),
]
