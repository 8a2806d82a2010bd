"""Reporting webhooks: which programs are told what becomes of messages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Count
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminURLInputWidget

from events import encryption
from events.admin_in_turn import InTurnAdmin
from messaging.channels import webhook
from messaging.models import ReportEndpoint
from messaging.names import DEEDS


class EndpointForm(forms.ModelForm):  # type: ignore[type-arg]
    deeds = forms.MultipleChoiceField(
        label="What it hears of",
        required=False,
        choices=[(deed, word) for deed, word in DEEDS.items()],
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
        help_text="Nothing chosen: of everything.",
    )

    url = forms.URLField(label="Address", assume_scheme="https", widget=UnfoldAdminURLInputWidget())

    class Meta:
        model = ReportEndpoint
        fields = ("name", "url", "deeds", "enabled")


@admin.register(ReportEndpoint)
class ReportEndpointAdmin(InTurnAdmin):
    form = EndpointForm
    list_display = ("name", "url", "state", "waiting")
    search_fields = ("name", "url")
    empty_help = "A reporting webhook tells a program of yours what becomes of each message. Add one above."
    show_facets = admin.ShowFacets.NEVER
    compressed_fields = False

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).annotate(waiting_count=Count("reports"))

    @admin.display(description="Waiting")
    def waiting(self, endpoint: Any) -> int:
        return int(endpoint.waiting_count)

    @admin.display(description="State")
    def state(self, endpoint: ReportEndpoint) -> SafeString:
        if not endpoint.enabled:
            tone, words = "muted", "switched off"
        elif endpoint.failures:
            tone, words = "bad", f"failing: {endpoint.problem[:80]}"
        else:
            tone, words = "ok", "works"
        return format_html('<span class="cb-badge cb-badge--{}">{}</span>', tone, words)

    def save_model(self, request: HttpRequest, obj: ReportEndpoint, form: Any, change: bool) -> None:
        """Make the secret, and show it this once; whoever switches an endpoint on again begins anew."""
        if not obj.secret:
            secret = webhook.new_secret()
            obj.secret = encryption.encrypt(secret)
            messages.warning(request, f"Posts are signed with {secret}. Copy it now: it is not shown again.")
        if "enabled" in form.changed_data:
            obj.failures, obj.failing_since, obj.problem = 0, None, ""
        super().save_model(request, obj, form, change)
