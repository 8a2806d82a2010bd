"""How long things are kept: one page with an age for each kind, and the events that have one of their own."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin

from events import retention
from events.admin_paging import ReadOnly
from events.audit import Actor
from events.models import EventDefinition, KeepFor

LISTED = 200


class AgesForm(forms.Form):
    """A number of days for each kind of thing; empty for ever."""

    def __init__(self, data: Any = None) -> None:
        super().__init__(data, initial=retention.ages())
        for kind in retention.kinds():
            usual = "for ever" if kind.days is None else f"{kind.days} days"
            self.fields[kind.key] = forms.IntegerField(
                label=kind.title,
                required=False,
                min_value=kind.least,
                max_value=retention.MAX_DAYS,
                help_text=f"{kind.help} Usual: {usual}.",
            )

    def changes(self) -> dict[str, int | None]:
        """Return the ages that are others than before."""
        return {name: self.cleaned_data[name] for name in self.changed_data}


@admin.register(KeepFor)
class KeepForAdmin(ReadOnly, ModelAdmin):
    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        may_change = request.user.has_perm("events.change_keepfor")
        form = AgesForm(request.POST or None)
        if request.method == "POST":
            if not may_change:
                raise PermissionDenied
            if form.is_valid():
                return self._save(request, form)
        context = {
            **self.admin_site.each_context(request),
            "title": "How long things are kept",
            "opts": self.opts,
            "form": form,
            "may_change": may_change,
            "own": EventDefinition.objects.exclude(retention_days=None).order_by("name")[:LISTED],
        }
        return TemplateResponse(request, "admin/events/privacy/keeping.html", context)

    def _save(self, request: HttpRequest, form: AgesForm) -> HttpResponse:
        changed = form.changes()
        retention.choose(changed, Actor.of_user(request.user))
        messages.success(request, "Saved. What is older goes within the hour." if changed else "Nothing was changed.")
        return HttpResponseRedirect(request.path)
