"""Exports: everybody, or the events of a period, as a file that streams while it is read."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone

from events import audit
from events.audit import Actor
from events.models import Import
from events.transfers import exports, files

PERMISSIONS = {Import.Kind.PROFILES: "events.view_profile", Import.Kind.EVENTS: "events.view_event"}


class ExportForm(forms.Form):
    """What to write, and how. The days are UTC; ``until`` is the last one."""

    kind = forms.ChoiceField(label="What?", choices=Import.Kind.choices)
    format = forms.ChoiceField(label="As", choices=Import.Format.choices)
    since = forms.DateField(label="Events from", required=False, widget=forms.DateInput({"type": "date"}))
    until = forms.DateField(label="to", required=False, widget=forms.DateInput({"type": "date"}))
    name = forms.CharField(label="Named exactly", required=False, max_length=512)

    def period(self) -> exports.Period:
        said = self.cleaned_data
        return days(said.get("since"), said.get("until"), said.get("name", ""))


def days(since: date | None, until: date | None, name: str = "") -> exports.Period:
    """Return the days from ``since`` to ``until``, both included; the last thirty where nothing is said."""
    today = timezone.now().date()
    since, after = since or today - timedelta(days=30), (until or today) + timedelta(days=1)
    return exports.Period(datetime.combine(since, time(), UTC), datetime.combine(after, time(), UTC), name)


def download(request: HttpRequest, form: ExportForm) -> StreamingHttpResponse:
    """Return the file. ``form`` is valid. Raises PermissionDenied."""
    kind = Import.Kind(form.cleaned_data["kind"])
    if not request.user.has_perm(PERMISSIONS[kind]):
        raise PermissionDenied
    audit.note(Actor.of_user(request.user), "download", kind=kind.value, format=form.cleaned_data["format"])
    return files.download(kind, form.cleaned_data["format"], form.period())
