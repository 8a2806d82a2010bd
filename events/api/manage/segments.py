"""Segments by API: ``/segments/``, ``/segments/{slug}/`` and ``/segments/{slug}/people/``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.http import Http404, HttpResponse
from django.urls import URLPattern, re_path
from rest_framework.request import Request

from events import audit, people, unknown
from events.api.manage.base import ManagementView, before_id, limit_of, names_of, page, read_body, respond, token_of
from events.api.openapi import CURSOR, Shape
from events.api.refusal import Refusal
from events.api.shapes import (
    CHANGED_SEGMENT,
    LIST_CHANGE,
    LIST_CHANGED,
    MEMBER,
    NEW_SEGMENT,
    SEGMENT,
    WARNED_SEGMENT,
    pages,
)
from events.audit import Actor
from events.conditions import ConditionError
from events.models import Segment, SegmentMember
from events.segments import keeping, lists, usage

MAX_IDS = 1_000
CHANGES: dict[str, type] = {"name": str, "description": str, "condition": dict}


class SegmentsView(ManagementView):
    """List segments, the newest first; or make one.

    ``kind`` is "dynamic" (with a ``condition``) unless it is "manual", a list that is kept by hand. Everybody is asked
    in the background; until then ``state`` is "building".
    """

    area = "segments"
    shapes = {
        "GET": Shape(pages(SEGMENT), parameters=CURSOR),
        "POST": Shape(WARNED_SEGMENT, NEW_SEGMENT, status=201),
    }

    def get(self, request: Request) -> HttpResponse:
        found = Segment.objects.filter(pk__lt=before_id(request)).order_by("-pk")
        return page(request, list(found[: limit_of(request) + 1]), _segment, lambda segment: str(segment.pk))

    def post(self, request: Request) -> HttpResponse:
        said = read_body(request, {"slug": str, "kind": str, **CHANGES})
        _save(request, Segment(), said)
        return respond(_whole(_find(said["slug"])), 201)


class SegmentView(ManagementView):
    """Show a segment: its condition, its size, when and by what it last changed; change it, or delete it.

    ``warnings`` are names in the condition that nobody has met yet, each with its place and the nearest known name;
    ``used_by`` is what would miss it. As long as there is any it cannot be deleted: 409 names the places.
    """

    area = "segments"
    shapes = {
        "GET": Shape(WARNED_SEGMENT),
        "PATCH": Shape(WARNED_SEGMENT, CHANGED_SEGMENT),
        "DELETE": Shape(status=204),
    }

    def get(self, request: Request, slug: str) -> HttpResponse:
        return respond(_whole(_find(slug)))

    def patch(self, request: Request, slug: str) -> HttpResponse:
        said = read_body(request, CHANGES)
        segment = _find(slug)
        if said:
            _save(request, segment, said)
        return respond(_whole(segment))

    def delete(self, request: Request, slug: str) -> HttpResponse:
        segment = _find(slug)
        try:
            keeping.delete(segment)
        except keeping.InUse as error:
            raise Refusal("in_use", str(error), "slug", 409) from None
        audit.note(Actor.of_token(token_of(request)), "segment", segment=slug, deleted=True)
        return HttpResponse(status=204)


class MembersView(ManagementView):
    """List who is in a segment; or add people to a list that is kept by hand, and take others out.

    People are named by user id or email, up to 1,000 in all. Whoever is not known is told in ``unknown``.
    """

    area = "segments"
    shapes = {
        "GET": Shape(pages(MEMBER), parameters=CURSOR),
        "POST": Shape(LIST_CHANGED, LIST_CHANGE),
    }

    def get(self, request: Request, slug: str) -> HttpResponse:
        members = SegmentMember.objects.filter(segment=_find(slug), profile_id__lt=before_id(request))
        rows = members.select_related("profile").order_by("-profile_id")[: limit_of(request) + 1]
        return page(request, list(rows), _member, lambda member: str(member.profile_id))

    def post(self, request: Request, slug: str) -> HttpResponse:
        segment = _find(slug)
        if segment.kind != Segment.Kind.MANUAL:
            raise Refusal("conflict", "Who is in this segment is for its condition to say.", "slug", 409)
        said = read_body(request, {"add": list, "remove": list})
        wanted = {verb: names_of(said, verb) for verb in ("add", "remove")}
        if sum(len(ids) for ids in wanted.values()) > MAX_IDS:
            raise Refusal("too_large", f"At most {MAX_IDS:,} people can be named at once.", "add")
        found = people.by_many({*wanted["add"], *wanted["remove"]})
        known = {verb: [found[name].pk for name in ids if name in found] for verb, ids in wanted.items()}
        answer = {
            "added": lists.add(segment, known["add"], "the API"),
            "removed": lists.remove(segment, known["remove"], "the API"),
            "unknown": [name for ids in wanted.values() for name in ids if name not in found],
        }
        audit.note(Actor.of_token(token_of(request)), "members", segment=segment.slug, number=len(found))
        return respond(answer)


def _save(request: Request, segment: Segment, said: dict[str, Any]) -> None:
    """Store what was said of a segment. Raises Refusal, naming the field and the place in it."""
    for name, value in said.items():
        setattr(segment, name, "" if value is None and name != "condition" else value)
    try:
        keeping.save(segment, said)
    except keeping.Mistake as error:
        raise Refusal("invalid_value", error.message, error.field) from None
    audit.note(Actor.of_token(token_of(request)), "segment", segment=segment.slug, changed=list(said))


def _find(slug: str) -> Segment:
    segment = Segment.objects.filter(slug=slug).first()
    if segment is None:
        raise Http404("There is no such segment.")
    return segment


def _segment(segment: Segment) -> dict[str, object]:
    return {
        "slug": segment.slug,
        "name": segment.name,
        "description": segment.description,
        "kind": segment.kind,
        "condition": segment.condition,
        "state": segment.state,
        "size": segment.size,
        "changed_at": segment.changed_at,
        "changed_by": segment.changed_by,
    }


def _whole(segment: Segment) -> dict[str, object]:
    used_by = [{"kind": use.kind, "name": use.name, "places": use.places} for use in usage.uses(segment)]
    return _segment(segment) | {"warnings": _warnings(segment), "used_by": used_by}


def _member(member: SegmentMember) -> dict[str, object]:
    return {"user_id": member.profile.user_id, "email": member.profile.email, "since": member.since}


urlpatterns: list[URLPattern] = [
    re_path(r"^segments/?\Z", SegmentsView.as_view(), name="manage-segments"),
    re_path(r"^segments/(?P<slug>[a-z0-9-]{1,60})/?\Z", SegmentView.as_view(), name="manage-segment"),
    re_path(r"^segments/(?P<slug>[a-z0-9-]{1,60})/people/?\Z", MembersView.as_view(), name="manage-segment-people"),
]


def _warnings(segment: Segment) -> list[dict[str, str]]:
    """Return none for a list, nor for a condition that can no longer be read because a room has left."""
    try:
        return [asdict(each) for each in unknown.warnings(segment.condition)] if segment.condition is not None else []
    except ConditionError:
        return []
