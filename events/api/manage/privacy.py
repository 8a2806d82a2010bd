"""A person's own rights by API: ``/profiles/{user_id}/`` + ``export/``, ``erase/``, ``suppress/``, ``unsuppress/``.

Each is written into the audit log (``/audit/``) under the token's name, and needs the scope ``privacy:write``.
"""

from __future__ import annotations

from django.http import HttpResponse, StreamingHttpResponse
from django.urls import URLPattern, re_path
from rest_framework.request import Request

from events import audit, people, privacy, retention
from events.api.manage.base import (
    ManagementView,
    before_id,
    limit_of,
    page,
    read_body,
    respond,
    text_of,
    time_of,
    token_of,
)
from events.api.manage.profiles import USER, find_profile
from events.api.openapi import CURSOR, PERIOD, Shape, text
from events.api.refusal import Refusal
from events.api.shapes import ACT, AGES, OBJECT, WHOLE, fields, pages
from events.audit import Actor
from events.models import AuditEntry

ERASED = fields("people", "events", people=WHOLE, events=WHOLE)
MAX_ID = 1024
AUDIT_FILTERS = [
    text("actor", "Named exactly, such as admin or token CI."),
    text("action", f"One of {', '.join(audit.ACTIONS)}."),
    text("user_id", "Who it was done to."),
]
LIFTED = fields("ids", ids=WHOLE)


class PrivacyView(ManagementView):
    """A view of what only few tokens may do."""

    area = "privacy"
    scope = "privacy:write"

    def actor(self, request: Request) -> Actor:
        return Actor.of_token(token_of(request))


class ExportView(PrivacyView):
    """Give everything that is kept about a person, as one JSON document."""

    shapes = {"GET": Shape(OBJECT)}

    def get(self, request: Request, user_id: str) -> StreamingHttpResponse:
        profile = find_profile(user_id)
        audit.note(self.actor(request), "export", profile.pk)
        return StreamingHttpResponse(privacy.export(profile), content_type="application/json")


class EraseView(PrivacyView):
    """Delete a person and everything about them, for good. Later calls with the same id make a new person."""

    shapes = {"POST": Shape(ERASED)}

    def post(self, request: Request, user_id: str) -> HttpResponse:
        erased = privacy.erase([find_profile(user_id).pk], self.actor(request))
        return respond({"people": erased.people, "events": erased.events})


class SuppressView(PrivacyView):
    """Delete a person, if there is one, and ignore every later call with one of their ids."""

    shapes = {"POST": Shape(ERASED)}

    def post(self, request: Request, user_id: str) -> HttpResponse:
        profile = people.by_any(_storable(user_id))
        named = {user_id, *([profile.user_id] if profile and profile.user_id else [])}
        erased = privacy.suppress_ids(named, self.actor(request))
        return respond({"people": erased.people, "events": erased.events})


class UnsuppressView(PrivacyView):
    """Hear calls with this id again, and with all ids that were suppressed together with it."""

    shapes = {"POST": Shape(LIFTED)}

    def post(self, request: Request, user_id: str) -> HttpResponse:
        return respond({"ids": privacy.unsuppress_ids([_storable(user_id)], self.actor(request))})


class AuditView(ManagementView):
    """List who did what to whose data, newest first.

    Filters: ``actor``, ``action``, ``user_id``, ``since``, ``until``.
    """

    area = "audit"
    shapes = {"GET": Shape(pages(ACT), parameters=[*AUDIT_FILTERS, *PERIOD, *CURSOR])}

    def get(self, request: Request) -> HttpResponse:
        found = AuditEntry.objects.filter(pk__lt=before_id(request)).order_by("-pk")
        for name in ("actor", "action"):
            if wanted := text_of(request, name):
                found = found.filter(**{name: wanted})
        if user_id := text_of(request, "user_id"):
            found = found.filter(profile_id=find_profile(user_id).pk)
        for name, lookup in (("since", "at__gte"), ("until", "at__lt")):
            if at := time_of(request, name):
                found = found.filter(**{lookup: at})
        return page(request, list(found[: limit_of(request) + 1]), _act, lambda row: str(row.pk))


class RetentionView(PrivacyView):
    """Show or change how many days each kind of thing is kept; null for ever. Events by name: see the catalogue."""

    shapes = {"GET": Shape(AGES), "PATCH": Shape(AGES, AGES)}

    def get(self, request: Request) -> HttpResponse:
        return respond(retention.ages())

    def patch(self, request: Request) -> HttpResponse:
        kinds = {kind.key: kind for kind in retention.kinds()}
        said = read_body(request, dict.fromkeys(kinds, int))
        for name, days in said.items():
            least = kinds[name].least
            if days is not None and not least <= days <= retention.MAX_DAYS:
                raise Refusal("invalid_value", f"{name} has to be {least} to {retention.MAX_DAYS} days, or null.", name)
        retention.choose(said, self.actor(request))
        return respond(retention.ages())


def _act(entry: AuditEntry) -> dict[str, object]:
    return {
        "id": entry.pk,
        "at": entry.at,
        "actor": entry.actor,
        "action": entry.action,
        "cio_id": f"{people.OWN_PREFIX}{entry.profile_id}" if entry.profile_id else None,
        "pseudonym": entry.pseudonym or None,
        "details": entry.details,
    }


def _storable(user_id: str) -> str:
    if "\0" in user_id or len(user_id) > MAX_ID:
        raise Refusal("invalid_value", f"An id has up to {MAX_ID} characters, and no NUL.", "user_id")
    return user_id


ACTS = {"export": ExportView, "erase": EraseView, "suppress": SuppressView, "unsuppress": UnsuppressView}
urlpatterns: list[URLPattern] = [
    re_path(r"^retention/?\Z", RetentionView.as_view(), name="manage-retention"),
    re_path(r"^audit/?\Z", AuditView.as_view(), name="manage-audit"),
    *(re_path(rf"^{USER}/{name}/?\Z", view.as_view(), name=f"manage-{name}") for name, view in ACTS.items()),
]
