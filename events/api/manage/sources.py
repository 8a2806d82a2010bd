"""Look after sources and their keys: ``/sources/``, ``/sources/{id}/``, ``/sources/{id}/keys/``.

A key's text is in the answer that makes it and, if it is secret, nowhere else.
"""

from __future__ import annotations

import secrets
from typing import Any

from django.db import IntegrityError, transaction
from django.http import Http404, HttpResponse
from django.urls import URLPattern, re_path
from rest_framework.request import Request

from events import audit, keys
from events.api.manage.base import ManagementView, read_body, respond, token_of
from events.api.openapi import Shape
from events.api.refusal import Refusal
from events.api.shapes import KEY, NEW_KEY, NEW_SOURCE, SOURCE, TEXT, pages
from events.audit import Actor
from events.models import Source, SourceKey

FIELDS: dict[str, type] = {
    "name": str,
    "kind": str,
    "enabled": bool,
    "is_sandbox": bool,
    "strict": bool,
    "dedupe_content": bool,
    "store_ip": bool,
    "store_user_agent": bool,
}
# What data came in as decides what it may touch: that is settled when a source is made.
FIXED = ("kind", "is_sandbox")
KEY_FIELDS: dict[str, type] = {"kind": str, "label": str, "allowed_origins": list, "rate_limit": int}
MAX_RATE = 1_000_000


class SourcesView(ManagementView):
    """List sources, or make one with its first public key."""

    area = "sources"
    shapes = {
        "GET": Shape(pages(SOURCE)),
        "POST": Shape({**SOURCE, "properties": {**SOURCE["properties"], "write_key": TEXT}}, NEW_SOURCE, status=201),
    }

    def get(self, request: Request) -> HttpResponse:
        return respond({"results": [_source(source) for source in Source.objects.order_by("pk")], "next": None})

    def post(self, request: Request) -> HttpResponse:
        said = read_body(request, FIELDS)
        if not str(said.get("name") or "").strip():
            raise Refusal("missing_field", "A source needs a name.", "name")
        kind = said.get("kind") or Source.Kind.TRACKING
        source = Source(site_id=secrets.token_hex(10), kind=kind)
        if kind in (Source.Kind.WEBHOOK, Source.Kind.SEGMENT):
            source.slug = secrets.token_hex(12)
        _apply(source, said)
        _, text = keys.make(source, SourceKey.Kind.PUBLIC, "First key")
        return respond({**_source(source), "write_key": text}, 201)


class SourceView(ManagementView):
    """Show or change one source."""

    area = "sources"
    shapes = {"GET": Shape(SOURCE), "PATCH": Shape(SOURCE, {**NEW_SOURCE, "required": []})}

    def get(self, request: Request, pk: str) -> HttpResponse:
        return respond(_source(find_source(pk)))

    def patch(self, request: Request, pk: str) -> HttpResponse:
        source = find_source(pk)
        said = read_body(request, FIELDS)
        for name in FIXED:
            if name in said and said[name] != getattr(source, name):
                raise Refusal("fixed", f"{name} cannot be changed: make another source.", name)
        _apply(source, said)
        audit.note(Actor.of_token(token_of(request)), "source", source=source.name, changed=list(said))
        return respond(_source(source))


class KeysView(ManagementView):
    """List a source's keys, or make one: its text is in this answer."""

    area = "sources"
    shapes = {
        "GET": Shape(pages(KEY)),
        "POST": Shape({**KEY, "properties": {**KEY["properties"], "key": TEXT}}, NEW_KEY, status=201),
    }

    def get(self, request: Request, pk: str) -> HttpResponse:
        found = find_source(pk).keys.order_by("pk")
        return respond({"results": [_key(key) for key in found], "next": None})

    def post(self, request: Request, pk: str) -> HttpResponse:
        said = read_body(request, KEY_FIELDS)
        kind = said.get("kind") or SourceKey.Kind.PUBLIC
        if kind not in SourceKey.Kind.values:
            raise Refusal("invalid_value", "kind has to be public or secret.", "kind")
        bounds = _bounds(said)
        key, text = keys.make(find_source(pk), kind, _short(said.get("label") or "", "label"))
        keys.bind(key, *bounds)
        return respond({**_key(key), "key": text}, 201)


class KeyView(ManagementView):
    """Revoke a key: whatever still uses it is refused from now on."""

    area = "sources"
    shapes = {"DELETE": Shape(KEY)}

    def delete(self, request: Request, pk: str, key: str) -> HttpResponse:
        found = find_source(pk).keys.filter(pk=int(key)).first()
        if found is None:
            raise Http404("This source has no such key.")
        keys.revoke(found)
        return respond(_key(found))


def find_source(pk: str) -> Source:
    source = Source.objects.filter(pk=int(pk)).first()
    if source is None:
        raise Http404("There is no such source.")
    return source


def _apply(source: Source, said: dict[str, Any]) -> None:
    """Set and save what is said. Raises Refusal."""
    for name, value in said.items():
        if value is None:
            raise Refusal("invalid_value", f"{name} cannot be null.", name)
        setattr(source, name, value)
    source.name = _short(source.name.strip(), "name")
    if not source.name:
        raise Refusal("missing_field", "A source needs a name.", "name")
    if source.kind not in Source.Kind.values:
        raise Refusal("invalid_value", f"kind has to be one of {', '.join(Source.Kind.values)}.", "kind")
    try:
        with transaction.atomic():
            source.save()
    except IntegrityError:
        raise Refusal("taken", "Another source has this name.", "name") from None


def _short(text: str, name: str) -> str:
    if len(text) > 100:
        raise Refusal("invalid_value", f"{name} may have 100 characters.", name)
    return text


def _bounds(said: dict[str, Any]) -> tuple[list[str], int | None]:
    """Return from where and how often a key may be used. Raises Refusal."""
    rate = said.get("rate_limit")
    if rate is not None and not 1 <= rate <= MAX_RATE:
        raise Refusal("invalid_value", f"rate_limit has to be from 1 to {MAX_RATE:,}.", "rate_limit")
    origins = said.get("allowed_origins") or []
    if len(origins) > keys.MAX_ORIGINS or not all(isinstance(text, str) for text in origins):
        message = f"allowed_origins has to be a list of up to {keys.MAX_ORIGINS} texts."
        raise Refusal("invalid_value", message, "allowed_origins")
    try:
        return [keys.origin(text) for text in origins], rate
    except ValueError as error:
        raise Refusal("invalid_value", str(error), "allowed_origins") from None


def _source(source: Source) -> dict[str, object]:
    address = f"/hooks/{source.slug}/" if source.slug else None
    return {
        "id": source.pk,
        "site_id": source.site_id,
        **{name: getattr(source, name) for name in FIELDS},
        "webhook_path": address,
        "created_at": source.created_at,
        "last_event_at": source.last_event_at,
    }


def _key(key: SourceKey) -> dict[str, object]:
    return {
        "id": key.pk,
        "kind": key.kind,
        "label": key.label,
        "beginning": key.beginning,
        "public_value": key.public_value or None,
        "allowed_origins": key.allowed_origins,
        "rate_limit": key.rate_limit,
        "created_at": key.created_at,
        "last_used_at": key.last_used_at,
        "revoked_at": key.revoked_at,
    }


urlpatterns: list[URLPattern] = [
    re_path(r"^sources/?\Z", SourcesView.as_view(), name="manage-sources"),
    re_path(r"^sources/(?P<pk>\d{1,18})/?\Z", SourceView.as_view(), name="manage-source"),
    re_path(r"^sources/(?P<pk>\d{1,18})/keys/?\Z", KeysView.as_view(), name="manage-keys"),
    re_path(r"^sources/(?P<pk>\d{1,18})/keys/(?P<key>\d{1,18})/?\Z", KeyView.as_view(), name="manage-key"),
]
