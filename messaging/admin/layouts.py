"""The layout editor: the frame around mails, beside a live preview with a template in it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.safestring import SafeString

from events.templatetags.console import moment
from messaging.admin import editor, unsaved
from messaging.admin.templates import CodeArea, EditorAdmin, add_problems
from messaging.models import Layout, Template
from messaging.versions import content_of

# What a new layout begins as: something that can be sent as it is.
STARTER = """\
<!doctype html>
<html>
<body style="margin:0; background:#f3f4f6; font-family:Arial, sans-serif; color:#1f2937">
  <div style="max-width:600px; margin:0 auto; padding:24px">
    <p style="font-size:20px; font-weight:bold">Your company</p>
    <div style="background:#ffffff; border-radius:8px; padding:24px">
      {{ content }}
    </div>
    <p style="font-size:12px; color:#6b7280; padding:16px 0">
      Your company, your street, your town · <a href="{{ unsubscribe_url }}" style="color:#6b7280">Unsubscribe</a>
    </p>
  </div>
</body>
</html>
"""


class LayoutForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Layout
        fields = ("name", "html", "text")
        labels = {"html": "HTML"}
        widgets = {"html": CodeArea(22), "text": CodeArea(6)}

    def clean(self) -> dict[str, Any] | None:
        """Refuse a frame that could not be sent, or in which there is no place for the mail."""
        cleaned = super().clean()
        if not self.errors and cleaned is not None:
            cleaned["html"], cleaned["text"] = unsaved.clean(cleaned["html"]), unsaved.clean(cleaned["text"])
            layout = Layout(html=cleaned["html"], text=cleaned["text"])
            content = content_of(Template(subject="Sample", html="Sample", layout=layout))
            add_problems(self, content, {"layout_html": "html", "layout_text": "text"})
        return cleaned


@admin.register(Layout)
class LayoutAdmin(EditorAdmin):
    form = LayoutForm
    preview_url_name = "messaging_layout_preview"
    list_display = ("name", "changed")
    search_fields = ("name",)
    empty_help = "A layout is the frame around mails: logo, colours, footer. Add one above."
    fieldsets = ((None, {"fields": ("name", "html", "text")}),)

    @admin.display(description="Last changed")
    def changed(self, layout: Layout) -> SafeString | str:
        return moment(layout.updated_at)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"html": STARTER, **super().get_changeform_initial_data(request)}

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(editor.preview_layout)
        urls: list[URLPattern] = super().get_urls()
        return [path("preview/", view, name="messaging_layout_preview"), *urls]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        extra = {"inside": Template.objects.only("name")[:200], **(extra_context or {})}
        return super().changeform_view(request, object_id, form_url, extra)
