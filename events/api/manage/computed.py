"""Computed traits by API: ``/computed-traits/`` and ``/computed-traits/{name}/``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.urls import URLPattern, re_path
from rest_framework.request import Request

from events.api.manage.base import ManagementView, before_id, limit_of, page, read_body, respond, token_of
from events.api.openapi import CURSOR, Shape
from events.api.refusal import Refusal
from events.api.shapes import CHANGED_COMPUTED, COMPUTED, NEW_COMPUTED, pages
from events.audit import Actor
from events.computed import keeping, usage
from events.computed.words import sentence
from events.models import ComputedTrait
from events.segments.building import percent

WISHES: dict[str, type] = {
    "description": str,
    "function": str,
    "event_type": str,
    "event": str,
    "properties": list,
    "where": dict,
    "within": str,
    "number": int,
}


class ComputedTraitsView(ManagementView):
    """List computed traits, the newest first; or make one, which is computed for everybody in the background."""

    area = "computed"
    shapes = {
        "GET": Shape(pages(COMPUTED), parameters=CURSOR),
        "POST": Shape(COMPUTED, NEW_COMPUTED, status=201),
    }

    def get(self, request: Request) -> HttpResponse:
        found = ComputedTrait.objects.filter(pk__lt=before_id(request)).order_by("-pk")
        return page(request, list(found[: limit_of(request) + 1]), _entry, lambda row: str(row.pk))

    def post(self, request: Request) -> HttpResponse:
        said = read_body(request, {"name": str, **WISHES})
        for name in ("name", "function", "event"):
            if not said.get(name):
                raise Refusal("missing_field", f"{name} has to be given.", name)
        row = ComputedTrait(name=said.pop("name"))
        _save(row, said, request)
        return respond(_entry(row), 201)


class ComputedTraitView(ManagementView):
    """Show a computed trait; change it, which has it computed anew; or remove it and its values.

    ``progress`` says for how many percent of all people it has been computed. One that is used is not removed: 409.
    """

    area = "computed"
    shapes = {"GET": Shape(COMPUTED), "PATCH": Shape(COMPUTED, CHANGED_COMPUTED), "DELETE": Shape(status=202)}

    def get(self, request: Request, name: str) -> HttpResponse:
        return respond(_entry(_find(name)))

    def patch(self, request: Request, name: str) -> HttpResponse:
        row = _find(name)
        _save(row, read_body(request, WISHES), request)
        return respond(_entry(row))

    def delete(self, request: Request, name: str) -> HttpResponse:
        try:
            keeping.remove(_find(name), Actor.of_token(token_of(request)))
        except keeping.InUse as error:
            raise Refusal("in_use", str(error), "name", 409) from None
        return respond({}, 202)


def _save(row: ComputedTrait, said: Mapping[str, Any], request: Request) -> None:
    for name, value in said.items():
        if value is None and name != "where":
            raise Refusal("invalid_value", f"{name} cannot be null.", name)
        setattr(row, name, value)
    try:
        keeping.save(row, Actor.of_token(token_of(request)))
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise Refusal("invalid_value", messages[0], field) from None


def _find(name: str) -> ComputedTrait:
    row = ComputedTrait.objects.filter(name=name).first()
    if row is None:
        raise Http404("There is no such computed trait.")
    return row


def _entry(row: ComputedTrait) -> dict[str, object]:
    return {
        "name": row.name,
        **{name: getattr(row, name) for name in WISHES},
        "sentence": sentence(row),
        "state": row.state,
        "progress": percent(row),
        "used_by": [{"kind": use.kind, "name": use.name, "places": list(use.places)} for use in usage.uses(row.name)],
        "created_by": row.created_by,
        "created_at": row.created_at,
    }


urlpatterns: list[URLPattern] = [
    re_path(r"^computed-traits/?\Z", ComputedTraitsView.as_view(), name="manage-computed-traits"),
    re_path(
        r"^computed-traits/(?P<name>[a-z0-9_]{1,60})/?\Z", ComputedTraitView.as_view(), name="manage-computed-trait"
    ),
]
