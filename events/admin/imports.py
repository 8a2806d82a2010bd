"""Imports: upload a file, see how it is understood and what is wrong with it, then run it and watch."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import astuple
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, re_path, reverse
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from events.admin.exports import ExportForm, download
from events.models import Import, Source
from events.templatetags.console import badge, moment
from events.transfers import imports, reading, rows
from events.transfers.exports import harmless
from events.transfers.reading import RowError

TONES = {
    Import.State.CHECKED: "warn",
    Import.State.DONE: "ok",
    Import.State.FAILED: "bad",
    Import.State.CANCELLED: "muted",
}
FAILURES_SHOWN = 50
MEANING_LABELS = {
    "user_id": "User id",
    "anonymous_id": "Anonymous id",
    "email": "Email, by which they are known",
    "any": "User id, email or anonymous id, whichever it is",
    "event": "Name of the event",
    "type": "Kind of call (track, page …)",
    "timestamp": "When it happened",
    "message_id": "Id of the event, to count it once",
    rows.TEXT: "always as text",
    rows.WORD: "as it looks (number, yes/no, text)",
    rows.IGNORE: "Leave out",
}


class UploadForm(forms.Form):
    """What to upload, and what it is."""

    kind = forms.ChoiceField(label="What is in it?", choices=Import.Kind.choices)
    file = forms.FileField(label="File", error_messages={"required": "Choose a file: CSV or NDJSON, up to 512 MB."})
    encoding = forms.ChoiceField(
        label="Letters are in",
        choices=[*imports.ENCODINGS.items()],
        required=False,
        help_text="If letters such as é look wrong.",
    )
    source = forms.ModelChoiceField(
        label="Comes from",
        queryset=Source.objects.all(),
        error_messages={"required": "Choose the source it counts as."},
    )
    triggers = forms.BooleanField(
        label="Let these events start campaigns",
        required=False,
        help_text="Leave this off for history. Events older than a campaign's limit start nothing either way.",
    )


@admin.register(Import)
class ImportAdmin(ModelAdmin):
    list_display = ("file_name", "kind", "status", "progress", "rows_failed", "created")
    list_display_links = ("file_name",)
    ordering = ("-pk",)
    list_before_template = "admin/events/import_export.html"
    empty_help = "Bring people or events from elsewhere: upload a CSV or NDJSON file."

    def has_change_permission(self, request: HttpRequest, obj: Import | None = None) -> bool:
        """What an import did cannot be edited; running one asks for the permission to add."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Import | None = None) -> bool:
        allowed = super().has_delete_permission(request, obj)
        return bool(allowed and (obj is None or obj.state not in imports.ACTIVE))

    @admin.display(description="State")
    def status(self, upload: Import) -> SafeString:
        return badge(TONES.get(Import.State(upload.state), "info"), upload.get_state_display())

    @admin.display(description="Rows")
    def progress(self, upload: Import) -> str:
        return f"{upload.rows_done:,} ({percent(upload)} %)"

    @admin.display(description="Uploaded")
    def created(self, upload: Import) -> SafeString | str:
        return moment(upload.created_at)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        own = [
            path("export/", wrap(self.export_view), name="events_export"),
            path("<int:pk>/progress/", wrap(self.progress_view), name="events_import_progress"),
            path("<int:pk>/columns/", wrap(self.columns_view), name="events_import_columns"),
            path("<int:pk>/failures.csv", wrap(self.failures_view), name="events_import_failures"),
            re_path(r"^(?P<pk>\d+)/(?P<verb>check|start|cancel)/\Z", wrap(self.act), name="events_import_act"),
        ]
        return own + list(super().get_urls())

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self._check_add(request)
        form = UploadForm(request.POST or None, request.FILES or None, initial={"source": Source.objects.first()})
        if request.method == "POST" and form.is_valid():
            upload = _store(request, form)
            if upload is not None:
                return HttpResponseRedirect(reverse("admin:events_import_change", args=[upload.pk]))
        return self._page(request, "import_add", {"title": "Import a file", "form": form})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        upload = self._import(request, object_id)
        context = {"title": upload.file_name, "original": upload, **progress_context(upload), **columns_context(upload)}
        return self._page(request, "import", {**context, "may_run": self.has_add_permission(request)})

    def progress_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Return how far it is: polled by the page. A change of state reloads the page, whose buttons change too."""
        upload = self._import(request, str(pk))
        if request.GET.get("state", upload.state) != upload.state:
            return HttpResponse(headers={"HX-Refresh": "true"})
        return render(request, "admin/events/import_progress.html", progress_context(upload))

    def columns_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Take what the columns mean, and check the file anew."""
        self._check_add(request)
        upload = self._import(request, str(pk))
        if request.method == "POST" and upload.state in (Import.State.UPLOADED, Import.State.CHECKED):
            upload.columns["meanings"] = read_meanings(request, upload)
            upload.save(update_fields=["columns"])
            imports.begin(upload, Import.State.CHECKING)
        return HttpResponseRedirect(reverse("admin:events_import_change", args=[pk]))

    def act(self, request: HttpRequest, pk: str, verb: str) -> HttpResponse:
        """Check, start or cancel."""
        self._check_add(request)
        upload = self._import(request, pk)
        verbs = {
            "check": lambda: imports.begin(upload, Import.State.CHECKING),
            "start": lambda: imports.begin(upload, Import.State.RUNNING),
            "cancel": lambda: imports.cancel(upload),
        }
        if request.method == "POST" and not verbs[verb]():
            messages.warning(request, "Somebody was quicker: this is how it stands now.")
        return HttpResponseRedirect(reverse("admin:events_import_change", args=[pk]))

    def export_view(self, request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
        """Show the form; once it is filled in, stream the file."""
        form = ExportForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            return download(request, form)
        return self._page(request, "export", {"title": "Export", "form": form})

    def failures_view(self, request: HttpRequest, pk: int) -> StreamingHttpResponse:
        """Return the rows that could not be taken, with what is wrong, as a CSV to mend."""
        upload = self._import(request, str(pk))
        name = f"failed-rows-of-import-{upload.pk}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingHttpResponse(failure_lines(upload), content_type="text/csv; charset=utf-8", headers=headers)

    def _import(self, request: HttpRequest, object_id: str) -> Import:
        upload = self.get_object(request, object_id)
        if upload is None:
            raise Http404("No such import.")
        if not self.has_view_permission(request, upload):
            raise PermissionDenied
        found: Import = upload
        return found

    def _check_add(self, request: HttpRequest) -> None:
        if not self.has_add_permission(request):
            raise PermissionDenied

    def _page(self, request: HttpRequest, name: str, context: dict[str, Any]) -> HttpResponse:
        site = {**self.admin_site.each_context(request), "opts": self.opts}
        return TemplateResponse(request, f"admin/events/{name}.html", {**site, **context})


def _store(request: HttpRequest, form: UploadForm) -> Import | None:
    """Save the upload and have it checked; None, with the mistake at the field, when it is no such file."""
    file = form.cleaned_data["file"]
    upload = Import(
        kind=form.cleaned_data["kind"],
        format=Import.Format.CSV if file.name.lower().endswith((".csv", ".txt", ".tsv")) else Import.Format.NDJSON,
        source=form.cleaned_data["source"],
        triggers=form.cleaned_data["triggers"],
        file_name=file.name[:200],
        created_by_id=request.user.pk,
    )
    try:
        imports.store(upload, file.chunks(), form.cleaned_data["encoding"] or imports.UTF_8)
    except RowError as error:
        form.add_error("file", str(error))
        return None
    imports.begin(upload, Import.State.CHECKING)
    return upload


def percent(upload: Import) -> int:
    return 100 if upload.state == Import.State.DONE else int(100 * upload.position / (upload.size or 1))


def progress_context(upload: Import) -> dict[str, Any]:
    failures = list(upload.failures.order_by("row")[:FAILURES_SHOWN])
    return {
        "upload": upload,
        "percent": percent(upload),
        "tone": TONES.get(Import.State(upload.state), "info"),
        "active": upload.state in imports.ACTIVE,
        "good": upload.rows_done - upload.rows_failed,
        "failures": failures,
        "more_failures": upload.rows_failed + upload.rows_doubled - len(failures),
    }


def columns_context(upload: Import) -> dict[str, Any]:
    """Return the columns with what each means, what it could mean, and the first rows as they are understood."""
    chosen = [
        {"name": name, "meaning": meant.meaning, "label": meant.name or name}
        for name, meant in rows.columns_of(upload.columns).items()
    ]
    words = "Trait" if upload.kind == Import.Kind.PROFILES else "Property"
    hidden = rows.EVENTS_ONLY if upload.kind == Import.Kind.PROFILES else set()
    hidden = hidden if upload.listing else {*hidden, "any"}
    return {
        "columns": chosen,
        "meanings": [
            (key, f"{words}, {label}" if key in (rows.WORD, rows.TEXT) else label)
            for key, label in MEANING_LABELS.items()
            if key not in hidden
        ],
        "words": words,
        "editable": upload.state in (Import.State.UPLOADED, Import.State.CHECKED),
        "preview": imports.preview(upload),
    }


def read_meanings(request: HttpRequest, upload: Import) -> list[tuple[str, str]]:
    """Read what the form says of each column; what is no meaning leaves the column as it was."""
    read = []
    for number, (column, before) in enumerate(rows.columns_of(upload.columns).items()):
        meaning = request.POST.get(f"meaning-{number}", "")
        name = request.POST.get(f"name-{number}", "").strip()[:200]
        read.append((meaning, name or column) if meaning in MEANING_LABELS else astuple(before))
    return read


class _Echo:
    """A file that hands back what is written, for csv.writer."""

    def write(self, line: str) -> str:
        return line


def failure_lines(upload: Import) -> Iterator[str]:
    """Yield the failed rows of a CSV as they were, with remarks behind, fit to be mended and imported again.

    Other files' rows, and what is no row, stand in the first cell.
    """
    writer = csv.writer(_Echo())
    header = upload.columns.get("header") or ["(the row)"]
    yield writer.writerow([*header, *rows.REMARKS])
    for failure in upload.failures.order_by("row").iterator():
        cells = [*_cells(upload, failure.raw), failure.row, failure.field, failure.message]
        yield writer.writerow([harmless(cell) if isinstance(cell, str) else cell for cell in cells])


def _cells(upload: Import, raw: str) -> list[str]:
    header = upload.columns.get("header") or [""]
    try:
        found = reading.cells(raw, upload.columns["delimiter"]) if upload.columns else [raw]
    except RowError:
        found = [raw]
    found = found if len(found) <= len(header) else [raw]
    return found + [""] * (len(header) - len(found))
