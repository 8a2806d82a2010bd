"""Campaigns by the management API: as code, and why somebody got one or not."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.db import transaction
from django.http import Http404, HttpResponse
from django.urls import URLPattern, re_path
from django.utils import timezone
from rest_framework.request import Request

from campaigns import explain
from campaigns.code import applying
from campaigns.code.kinds import Mistake
from campaigns.models import Campaign
from events import audit, people
from events.api.manage.base import ManagementView, read_body, respond, token_of
from events.api.openapi import Shape, text
from events.api.refusal import Refusal
from events.api.shapes import TEXT, WHOLE, listed, maybe
from events.api.shapes import fields as shape
from events.audit import Actor
from events.models import Profile

MAX_FILES = 1_000
PART = shape(path=TEXT, sentence=TEXT, matches={"type": "boolean"}, seen=TEXT, decides={"type": "boolean"})
LINE = shape("tone", "text", tone=TEXT, text=TEXT, advice=TEXT, at=maybe(TEXT), parts=listed(PART))
TRACE = shape(
    "answer",
    "sections",
    tone=TEXT,
    answer=TEXT,
    sections=listed(shape("title", "lines", title=TEXT, lines=listed(LINE))),
)
CHANGE = shape(sign=TEXT, place=TEXT, text=TEXT)
FAULT = shape(place=TEXT, line=WHOLE, message=TEXT)
ITEM = shape("path", "sign", path=TEXT, kind=TEXT, key=TEXT, sign=TEXT, changes=listed(CHANGE), faults=listed(FAULT))
FILES = {"type": "object", "additionalProperties": TEXT}
APPLY = shape("files", files=FILES, dry_run={"type": "boolean"}, force={"type": "boolean"}, publish=TEXT)


class WhyView(ManagementView):
    """Say why somebody got a campaign, or why not: all that was decided about them, in plain words."""

    area = "campaigns"
    shapes = {"GET": Shape(TRACE, parameters=[text("person", "Their user id or email address.", required=True)])}

    def get(self, request: Request, slug: str) -> HttpResponse:
        campaign = Campaign.objects.select_related("live_version").filter(slug=slug).first()
        if campaign is None:
            raise Http404("There is no such campaign.")
        found = explain.trace(campaign, _person(request), timezone.now())
        return respond(
            {
                "tone": found.tone,
                "answer": found.answer,
                "sections": [
                    {"title": section.title, "lines": [_line(line) for line in section.lines]}
                    for section in found.sections
                ],
            }
        )


def _person(request: Request) -> Profile:
    wanted = request.query_params.get("person", "").strip()
    if not wanted or "\0" in wanted:
        raise Refusal("missing_field", "Say by user id or email address who is meant.", "person")
    found = people.by_many({wanted}).get(wanted)
    if found is None:
        raise Http404("Nobody is known by this.")
    return found


def _line(line: explain.Line) -> dict[str, Any]:
    return {
        "tone": line.tone,
        "text": line.text,
        "advice": line.advice,
        "at": line.at,
        "parts": [asdict(part) for part in line.parts],
    }


class CodeView(ManagementView):
    """Campaigns as code: read them as files, or plan and apply files. See ``docs/campaigns-as-code.md``."""

    area = "campaigns"
    only = text("campaign", "Only this campaign, by its slug, and what it uses.")
    shapes = {
        "GET": Shape(shape("files", files=FILES), parameters=[only]),
        "POST": Shape(shape("applied", "items", applied={"type": "boolean"}, items=listed(ITEM)), APPLY),
    }

    def get(self, request: Request) -> HttpResponse:
        slug = request.query_params.get("campaign", "")
        try:
            return respond({"files": applying.export([slug] if slug else ())})
        except Mistake as mistake:
            raise Http404(mistake.message) from None

    def post(self, request: Request) -> HttpResponse:
        said = read_body(request, {"files": dict, "dry_run": bool, "force": bool, "publish": str})
        files = said.get("files")
        if not files or not all(isinstance(each, str) for each in files.values()) or len(files) > MAX_FILES:
            raise Refusal("invalid_value", f"Send 1 to {MAX_FILES:,} files: their texts by path.", "files")
        force, reason = bool(said.get("force")), said.get("publish") or ""
        if said.get("dry_run"):
            return respond({"applied": False, "items": [asdict(each) for each in applying.plan(files, force=force)]})
        with transaction.atomic():
            items = applying.apply(files, force=force, reason=reason)
            is_applied = not applying.is_refused(items)
            if is_applied:
                changed = [f"{each.kind} {each.key}" for each in items if each.sign != applying.SAME]
                audit.note(Actor.of_token(token_of(request)), "code", changed=changed)
        return respond({"applied": is_applied, "items": [asdict(each) for each in items]}, 200 if is_applied else 409)


urlpatterns: list[URLPattern] = [
    re_path(r"^campaigns/code/?\Z", CodeView.as_view(), name="campaigns_code"),
    re_path(r"^campaigns/(?P<slug>[-a-zA-Z0-9_]{1,120})/why/?\Z", WhyView.as_view(), name="campaign_why"),
]
