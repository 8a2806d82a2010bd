"""Frozen templates, read-only: what was or will be sent, whatever is edited since."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString

from events.admin_paging import KeysetAdmin, ReadOnly
from events.templatetags.console import moment
from messaging.models import TemplateVersion

TITLES = {
    "subject": "Subject",
    "preheader": "Pre-header",
    "html": "HTML",
    "text": "Text",
    "layout_html": "The layout's HTML",
    "layout_text": "The layout's text",
    "from_email": "Sender",
    "reply_to": "Reply to",
}


@admin.register(TemplateVersion)
class TemplateVersionAdmin(ReadOnly, KeysetAdmin):
    list_display = ("version", "purpose", "provider", "frozen")
    list_display_links = ("version",)
    list_select_related = ("template", "provider")
    search_fields = ("template__name",)
    empty_help = "A version is made when a campaign is published or a test is sent."
    actions = None

    @admin.display(description="Version")
    def version(self, version: TemplateVersion) -> str:
        return str(version)

    @admin.display(description="Frozen")
    def frozen(self, version: TemplateVersion) -> SafeString | str:
        return moment(version.created_at)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        if not object_id.isdecimal():
            raise Http404
        found = get_object_or_404(TemplateVersion.objects.select_related("template", "provider"), pk=int(object_id))
        parts = [(title, found.content.get(key, "")) for key, title in TITLES.items()]
        context = {
            **self.admin_site.each_context(request),
            "title": str(found),
            "opts": TemplateVersion._meta,
            "original": found,
            "version": found,
            "parts": [(title, text) for title, text in parts if text],
        }
        return TemplateResponse(request, "admin/messaging/templateversion/page.html", context)
