"""The template editor: what is said, beside a live preview."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from events.admin_in_turn import InTurnAdmin
from events.templatetags.console import moment
from messaging.admin import editor, unsaved
from messaging.admin.send_test import send_test
from messaging.checking import problems
from messaging.models import Template, TemplateVersion
from messaging.versions import content_of


class CodeArea(UnfoldAdminTextareaWidget):
    """A text area for code: evenly spaced letters, no spell checking."""

    def __init__(self, rows: int) -> None:
        super().__init__({"rows": rows, "spellcheck": "false", "wrap": "soft"})
        self.attrs["class"] += " cbm-code"


class TemplateForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Template
        fields = (
            "name",
            "purpose",
            "topic",
            "layout",
            "subject",
            "preheader",
            "html",
            "text",
            "provider",
            "from_email",
            "reply_to",
        )
        labels = {"preheader": "Pre-header"}
        widgets = {
            "subject": UnfoldAdminTextInputWidget,
            "preheader": UnfoldAdminTextInputWidget,
            "html": CodeArea(18),
            "text": CodeArea(6),
        }

    def clean_html(self) -> str:
        return unsaved.clean(self.cleaned_data["html"])

    def clean_text(self) -> str:
        return unsaved.clean(self.cleaned_data["text"])

    def clean(self) -> dict[str, Any] | None:
        """Refuse what could not be sent, at the field where it is wrong."""
        cleaned = super().clean()
        if not self.errors and cleaned is not None:
            known = {name: value for name, value in cleaned.items() if name not in ("provider", "topic")}
            add_problems(self, content_of(Template(**known)), {"layout_html": "layout", "layout_text": "layout"})
        return cleaned


def add_problems(form: forms.BaseForm, content: dict[str, str], fields: dict[str, str]) -> None:
    """Put the problems of ``content`` at the form's fields; ``fields`` maps those named differently there."""
    for problem in problems(content):
        note = editor.problem_note(problem)
        field = fields.get(note.field, note.field)
        place = f"Line {note.line}: " if note.line else ""
        form.add_error(field if field in form.fields else None, f"{place}{note.text}")


class EditorAdmin(InTurnAdmin):
    """What the template and the layout editor share."""

    compressed_fields = False
    warn_unsaved_form = True
    preview_url_name = ""

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        extra = {
            "is_fullwidth": "1",
            "preview_url": f"admin:{self.preview_url_name}",
            "may_choose": request.user.has_perm(editor.VIEW_PEOPLE),
            "may_test": request.user.has_perm("messaging.change_template"),
            **(extra_context or {}),
        }
        response: HttpResponse = super().changeform_view(request, object_id, form_url, extra)
        return response


@admin.register(Template)
class TemplateAdmin(EditorAdmin):
    form = TemplateForm
    preview_url_name = "messaging_template_preview"
    list_display = ("name", "subject", "for_what", "layout", "changed")
    list_filter = ("purpose",)
    list_select_related = ("layout",)
    search_fields = ("name", "subject")
    empty_help = "A template is what a mail says. Add one above: a preview shows how it will look."
    show_facets = admin.ShowFacets.NEVER
    fieldsets = (
        (None, {"fields": ("name", ("purpose", "layout"), "topic")}),
        ("What it says", {"fields": ("subject", "preheader", "html", "text")}),
        ("How it is sent", {"fields": ("provider", "from_email", "reply_to"), "classes": ("collapse",)}),
    )

    @admin.display(description="Purpose", ordering="purpose")
    def for_what(self, template: Template) -> str:
        return template.purpose.capitalize()

    @admin.display(description="Last changed", ordering="updated_at")
    def changed(self, template: Template) -> SafeString | str:
        return moment(template.updated_at)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("preview/", view(editor.preview_template), name="messaging_template_preview"),
            path("choice/", view(editor.choice), name="messaging_template_choice"),
            path("people/", view(editor.found_people), name="messaging_template_people"),
            path("<int:template_id>/test/", view(send_test), name="messaging_template_test"),
        ]
        urls: list[URLPattern] = super().get_urls()
        return own + urls

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Keep what has been sent: its versions are the record of it."""
        if obj is not None and TemplateVersion.objects.filter(template_id=obj.pk).exists():
            return False
        allowed: bool = super().has_delete_permission(request, obj)
        return allowed
