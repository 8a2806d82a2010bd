"""Sending limits: whether anything goes out, and to whom; what holds for everybody."""

from __future__ import annotations

from datetime import time
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.admin import ModelAdmin

from events.admin_paging import ReadOnly
from events.audit import Actor
from messaging import limits, policy
from messaging.admin import journal
from messaging.models import FrequencyCap, Message, SendingLimits
from messaging.states import Status

CHANGES_SHOWN = 10
# Counting the queue stops here.
COUNTED = 10_000
Mode = SendingLimits.Mode


class LimitsForm(forms.ModelForm):  # type: ignore[type-arg]
    """The settings that hold for every message."""

    class Meta:
        model = SendingLimits
        fields = (
            "mode",
            "redirect_to",
            "hold_until",
            "quiet_start",
            "quiet_end",
            "quiet_spares_urgent",
            "quiet_spares_transactional",
            "postal_address",
            "consent",
            "test_addresses",
            "utm_source",
        )
        widgets = {
            "postal_address": forms.Textarea({"rows": 3, "autocomplete": "off"}),
            "mode": forms.RadioSelect,
            "consent": forms.RadioSelect,
            "test_addresses": forms.Textarea({"rows": 3, "autocomplete": "off"}),
            "redirect_to": forms.EmailInput({"autocomplete": "off"}),
            "hold_until": forms.DateTimeInput({"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
            "quiet_start": forms.TimeInput({"type": "time"}, format="%H:%M"),
            "quiet_end": forms.TimeInput({"type": "time"}, format="%H:%M"),
        }
        help_texts = {
            "redirect_to": "The subject says for whom each was. Such mails count in no figure and in nobody’s history.",
            "hold_until": "Empty: until somebody chooses Normal again. What waits then goes out by itself.",
        }

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = super().clean() or self.cleaned_data
        mode, until = found.get("mode"), found.get("hold_until")
        found["redirect_to"] = found.get("redirect_to", "").strip()
        if mode == Mode.REDIRECT and not policy.is_address(found["redirect_to"]):
            self.add_error("redirect_to", "Write the one address that is to get every message.")
        if mode == Mode.HOLD and until and until <= timezone.now():
            self.add_error("hold_until", "This moment has passed: choose a later one, or leave it empty.")
        for line in found.get("test_addresses", "").split():
            if not policy.is_address(line if not line.startswith("@") else f"any{line}"):
                self.add_error("test_addresses", f"“{line}” is no address and no @domain: write one a line.")
        start, end = found.get("quiet_start"), found.get("quiet_end")
        if "quiet_start" not in self.errors and "quiet_end" not in self.errors:
            if (start is None) != (end is None):
                missing = "quiet_end" if end is None else "quiet_start"
                self.add_error(missing, "Quiet hours need a beginning and an end: fill in both, or neither.")
            elif start is not None and start == end:
                self.add_error("quiet_end", "It has to end at another time than it begins. To send nothing, hold.")
        return found

    def changes(self) -> dict[str, Any]:
        """Return what is other than before, by field."""
        return {name: self.cleaned_data[name] for name in self.changed_data}

    def said(self) -> str:
        """Say what was changed, for the history."""
        return "; ".join(f"{self.fields[name].label}: {_shown(self, name)}" for name in self.changed_data) + "."


def _shown(form: LimitsForm, name: str) -> str:
    value = form.cleaned_data[name]
    if name == "mode":
        return str(Mode(value).label.partition(":")[0])
    if name == "consent":
        return str(SendingLimits.Consent(value).label)
    if isinstance(value, time):
        return f"{value:%H:%M}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if value not in (None, "") else "empty"


@admin.register(SendingLimits)
class SendingLimitsAdmin(ReadOnly, ModelAdmin):
    """One page; there is one row."""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        may_change = request.user.has_perm("messaging.change_sendinglimits")
        current = SendingLimits.current()
        form = LimitsForm(request.POST or None, instance=current)
        if request.method == "POST":
            if not may_change:
                raise PermissionDenied
            if form.is_valid():
                return _save(request, form)
            current = SendingLimits.current()
        context = {
            **self.admin_site.each_context(request),
            "title": "Sending limits",
            "opts": self.opts,
            "form": form,
            "may_change": may_change,
            "current": current,
            "holds": current.holds(timezone.now()),
            "waiting": Message.objects.filter(status=Status.QUEUED).values("pk")[: COUNTED + 1].count(),
            "counted": COUNTED,
            "changes": _changes(),
            "caps": FrequencyCap.binding(),
            "may_see_caps": request.user.has_perm("messaging.view_frequencycap"),
            "zone": settings.FALLBACK_TIME_ZONE,
            "postal": current.postal,
        }
        return TemplateResponse(request, "admin/messaging/limits/page.html", context)


def _save(request: HttpRequest, form: LimitsForm) -> HttpResponse:
    changes = form.changes()
    if changes:
        chosen = limits.choose(changes, Actor.of_user(request.user))
        journal.note(request, chosen, form.said())
    messages.success(request, "Saved. It holds from now on." if changes else "Nothing was changed.")
    return HttpResponseRedirect(request.path)


def _changes() -> QuerySet[LogEntry]:
    """Return what was changed last, by whom and when."""
    kind = ContentType.objects.get_for_model(SendingLimits)
    return LogEntry.objects.filter(content_type=kind).select_related("user").order_by("-pk")[:CHANGES_SHOWN]
