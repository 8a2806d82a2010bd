"""The export of messages, above their list."""

from __future__ import annotations

from django import forms
from django.contrib import messages as notes
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseRedirect, StreamingHttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from events import audit
from events.admin.exports import days
from events.audit import Actor
from events.models import Import
from messaging import exports


class ExportForm(forms.Form):
    """Which messages, and how. The days are UTC; ``until`` is the last one."""

    format = forms.ChoiceField(label="As", choices=Import.Format.choices)
    since = forms.DateField(label="Written from", required=False, widget=forms.DateInput({"type": "date"}))
    until = forms.DateField(label="to", required=False, widget=forms.DateInput({"type": "date"}))


@require_POST
def export(request: HttpRequest) -> StreamingHttpResponse | HttpResponseRedirect:
    """Stream the file; a date that is none leads back to the list."""
    if not request.user.has_perm("messaging.view_message"):
        raise PermissionDenied
    form = ExportForm(request.POST)
    if not form.is_valid():
        notes.error(request, "Nothing was exported: choose a format, and whole dates or none.")
        return HttpResponseRedirect(reverse("admin:messaging_message_changelist"))
    said = form.cleaned_data
    audit.note(Actor.of_user(request.user), "download", kind=exports.KIND, format=said["format"])
    return exports.download(said["format"], days(said["since"], said["until"]))
