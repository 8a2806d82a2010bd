"""Files in and out by API: ``/imports/``, ``/imports/{id}/``, ``/exports/{profiles|events}.{csv|ndjson}``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import URLPattern, re_path
from django.utils import timezone
from rest_framework.request import Request

from events import audit
from events.api import scopes
from events.api.manage.base import ManagementView, before_id, limit_of, page, respond, text_of, time_of, token_of
from events.api.manage.sources import find_source
from events.api.openapi import CURSOR, PERIOD, Shape, text
from events.api.refusal import Refusal
from events.api.shapes import IMPORT, TEXT, pages
from events.audit import Actor
from events.models import Import, Segment
from events.transfers import exports, files, imports
from events.transfers.reading import RowError

PIECE = 64 * 1024
FAILURES_SHOWN = 100
UPLOAD = [
    text("source", "The id of the source it counts as.", required=True),
    text("kind", "profiles or events", required=True),
    text("format", "csv or ndjson", required=True),
    text("encoding", "utf-8 (if nothing is said), cp1252 or utf-16"),
    text("name", "What to call it."),
    text("start", "true: run at once; else it is only checked."),
    text("triggers", "true: let the events start campaigns."),
    text("list", "The short name of a list kept by hand that these people are for; wants the scope segments:write."),
    text("listing", "What to do with them: add, remove, or replace all who are in the list."),
    text("unknown", "Whom nobody knows: skip, or create (if nothing is said)."),
    text("named_by", "What the column that names them holds: user_id, email, anonymous_id or any; else it is guessed."),
]
# What may name people in a file for a list; nothing: guess it.
NAMES = ["", "user_id", "email", "anonymous_id", "any"]


class ImportsView(ManagementView):
    """List imports, or upload a file as the body.

    Query of an upload: ``source`` (id), ``kind`` (profiles or events), ``format`` (csv or ndjson), ``name``; with
    ``start=true`` it runs at once, else it is only checked; ``triggers=true`` lets its events start campaigns. With
    ``list`` its people are put on that list, or taken off, as ``listing`` says; it has to be a CSV of profiles then.
    """

    area = "imports"
    shapes = {
        "GET": Shape(pages(IMPORT), parameters=CURSOR),
        "POST": Shape(IMPORT, TEXT, UPLOAD, status=201, media_type="application/octet-stream"),
    }

    def get(self, request: Request) -> HttpResponse:
        found = Import.objects.filter(pk__lt=before_id(request)).order_by("-pk")[: limit_of(request) + 1]
        return page(request, list(found), _import, lambda upload: str(upload.pk))

    def post(self, request: Request) -> HttpResponse:
        source = text_of(request, "source")
        if not (source.isascii() and source.isdigit() and len(source) < 19):
            raise Refusal("missing_field", "Name the source it counts as, by its id.", "source")
        upload = Import(
            source=find_source(source),
            kind=_choice(request, "kind", Import.Kind.values),
            format=_choice(request, "format", Import.Format.values),
            file_name=(text_of(request, "name") or "by API")[:200],
            triggers=text_of(request, "triggers") == "true",
        )
        _set_list(request, upload)
        try:
            encoding = _choice(request, "encoding", [*imports.ENCODINGS], imports.UTF_8)
            named_by = _choice(request, "named_by", NAMES)
            imports.store(upload, _pieces(request._request), encoding, named_by)
        except RowError as error:
            raise Refusal("invalid_file", str(error), "body") from None
        start = text_of(request, "start") == "true"
        imports.begin(upload, Import.State.RUNNING if start else Import.State.CHECKING)
        return respond(_import(_find(str(upload.pk))), 201)


class ImportView(ManagementView):
    """Show how far an import is, with its first failures; start what has been checked, or cancel it."""

    area = "imports"
    shapes = {"GET": Shape(IMPORT), "POST": Shape(IMPORT)}

    def get(self, request: Request, pk: str) -> HttpResponse:
        upload = _find(pk)
        failures = upload.failures.order_by("row").values("row", "field", "message", "raw")[:FAILURES_SHOWN]
        return respond({**_import(upload), "failures": list(failures)})

    def post(self, request: Request, pk: str, verb: str) -> HttpResponse:
        upload = _find(pk)
        done = imports.begin(upload, Import.State.RUNNING) if verb == "start" else imports.cancel(upload)
        if not done:
            raise Refusal("conflict", f"It is {upload.get_state_display().lower()} already.", status=409)
        return respond(_import(_find(pk)))


class ExportView(ManagementView):
    """Stream everybody, or the events from ``since`` to before ``until`` (the last 30 days) of one ``name`` or all."""

    area = "imports"
    shapes = {"GET": Shape(TEXT, parameters=[text("name", "Events named exactly."), *PERIOD])}

    def get(self, request: Request, kind: str, file_format: str) -> StreamingHttpResponse:
        now = timezone.now()
        period = exports.Period(
            time_of(request, "since") or now - timedelta(days=30),
            time_of(request, "until") or now + timedelta(days=1),
            text_of(request, "name"),
        )
        audit.note(Actor.of_token(token_of(request)), "download", kind=kind, format=file_format)
        return files.download(kind, file_format, period)


def _find(pk: str) -> Import:
    upload = Import.objects.select_related("source").filter(pk=int(pk)).first()
    if upload is None:
        raise Http404("There is no such import.")
    return upload


def _choice(request: Request, name: str, known: list[str], otherwise: str = "") -> str:
    value = text_of(request, name) or otherwise
    if value not in known:
        raise Refusal("invalid_value", f"{name} has to be one of {', '.join(known)}.", name)
    return value


def _set_list(request: Request, upload: Import) -> None:
    """Let the file be for the list that is named, where one is. Raises Refusal."""
    slug = text_of(request, "list")
    if not slug:
        return
    if not scopes.allows(token_of(request).scopes, "segments:write"):
        raise Refusal("missing_scope", "This token lacks the scope segments:write.", "Authorization", 403)
    upload.segment = Segment.objects.filter(slug=slug, kind=Segment.Kind.MANUAL).first()
    if upload.segment is None:
        raise Refusal("invalid_value", f"There is no list {slug} that is kept by hand.", "list")
    if (upload.kind, upload.format) != (Import.Kind.PROFILES, Import.Format.CSV):
        raise Refusal("invalid_value", "A file for a list has to be a CSV of profiles.", "format")
    upload.listing = _choice(request, "listing", Import.Listing.values, Import.Listing.ADD)
    upload.unknown = _choice(request, "unknown", Import.Unknown.values, Import.Unknown.CREATE)


def _pieces(request: HttpRequest) -> Iterator[bytes]:
    while piece := request.read(PIECE):
        yield piece


def _import(upload: Import) -> dict[str, object]:
    return {
        "id": upload.pk,
        "source": upload.source_id,
        "kind": upload.kind,
        "format": upload.format,
        "name": upload.file_name,
        "triggers": upload.triggers,
        "state": upload.state,
        "error": upload.error,
        "size": upload.size,
        "position": upload.position,
        "rows_done": upload.rows_done,
        "rows_failed": upload.rows_failed,
        "rows_repeated": upload.rows_repeated,
        "created_at": upload.created_at,
        "finished_at": upload.finished_at,
    }


urlpatterns: list[URLPattern] = [
    re_path(r"^imports/?\Z", ImportsView.as_view(), name="manage-imports"),
    re_path(r"^imports/(?P<pk>\d{1,18})/?\Z", ImportView.as_view(http_method_names=["get"]), name="manage-import"),
    re_path(
        r"^imports/(?P<pk>\d{1,18})/(?P<verb>start|cancel)/?\Z",
        ImportView.as_view(http_method_names=["post"]),
        name="manage-import-act",
    ),
    re_path(
        r"^exports/(?P<kind>profiles|events)\.(?P<file_format>csv|ndjson)\Z",
        ExportView.as_view(),
        name="manage-export",
    ),
]
