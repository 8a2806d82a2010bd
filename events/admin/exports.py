"""Exports: everybody, or the events of a period, as a file that streams while it is read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone

from events.models import Import
from events.transfers import exports

CONTENT_TYPES = {Import.Format.CSV: "text/csv; charset=utf-8", Import.Format.NDJSON: "application/x-ndjson"}
PERMISSIONS = {Import.Kind.PROFILES: "events.view_profile", Import.Kind.EVENTS: "events.view_event"}
PROFILE_COLUMNS = ("user_id", "anonymous_ids", "created_at", "last_seen_at")
EVENT_COLUMNS = ("type", "event", "user_id", "anonymous_id", "timestamp", "message_id")


class ExportForm(forms.Form):
    """What to write, and how. The days are UTC; ``until`` is the last one."""

    kind = forms.ChoiceField(label="What?", choices=Import.Kind.choices)
    format = forms.ChoiceField(label="As", choices=Import.Format.choices)
    since = forms.DateField(label="Events from", required=False, widget=forms.DateInput({"type": "date"}))
    until = forms.DateField(label="to", required=False, widget=forms.DateInput({"type": "date"}))
    name = forms.CharField(label="Named exactly", required=False, max_length=512)

    def period(self) -> exports.Period:
        """Return the chosen days, the last thirty when none are."""
        today = timezone.now().date()
        since = self.cleaned_data.get("since") or today - timedelta(days=30)
        until = (self.cleaned_data.get("until") or today) + timedelta(days=1)
        begin, end = (datetime.combine(day, time(), UTC) for day in (since, until))
        return exports.Period(begin, end, self.cleaned_data.get("name", ""))


def download(request: HttpRequest, form: ExportForm) -> StreamingHttpResponse:
    """Return the file. ``form`` is valid. Raises PermissionDenied."""
    kind, file_format = Import.Kind(form.cleaned_data["kind"]), Import.Format(form.cleaned_data["format"])
    if not request.user.has_perm(PERMISSIONS[kind]):
        raise PermissionDenied
    name = f"{kind}-{timezone.now():%Y-%m-%d}.{file_format}"
    return StreamingHttpResponse(
        _pieces(kind, file_format, form.period()),
        content_type=CONTENT_TYPES[file_format],
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )


def _pieces(kind: str, file_format: str, period: exports.Period) -> Iterator[bytes]:
    if kind == Import.Kind.PROFILES:
        if file_format == Import.Format.NDJSON:
            return exports.ndjson(exports.profiles())
        return exports.csv_file(exports.profiles(), PROFILE_COLUMNS, "traits", exports.trait_names())
    if file_format == Import.Format.NDJSON:
        return exports.ndjson(exports.events(period))
    return exports.csv_file(exports.events(period), EVENT_COLUMNS, "properties", exports.property_names(period))
