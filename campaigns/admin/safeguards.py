"""What holds for all campaigns of the workspace: one row, on one page."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin

from campaigns.models import Safeguards


@admin.register(Safeguards)
class SafeguardsAdmin(ModelAdmin):
    warn_unsaved_form = True
    fieldsets = (
        ("Control group", {"fields": ("holdout",)}),
        (
            "When a campaign is stopped by itself",
            {"fields": ("bounce_limit", "complaint_limit", "failure_limit", "unsubscribe_limit", "sample")},
        ),
        ("Who is told when something needs a look", {"fields": ("operators", "webhook", "silent_least")}),
    )
    view_on_site = False

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "webhook":
            kwargs["assume_scheme"] = "https"
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "operators" and field:
            field.widget.attrs["rows"] = 3
        return field

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the one row, which is made the first time somebody looks."""
        if not self.has_view_or_change_permission(request):
            response: HttpResponse = super().changelist_view(request, extra_context)
            return response
        row, _ = Safeguards.objects.get_or_create(pk=1)
        return self.change_view(request, str(row.pk))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        only_save = {"show_save_and_add_another": False, "show_save_and_continue": False, "title": "Safeguards"}
        response: HttpResponse = super().change_view(
            request, object_id, form_url, {**only_save, **(extra_context or {})}
        )
        return response

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Safeguards | None = None) -> bool:
        return False
