"""The template editor: what is said, beside a live preview."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from unfold.admin import StackedInline
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from events.admin_in_turn import InTurnAdmin
from events.templatetags.console import moment
from messaging import usage
from messaging.admin import editor, history, unsaved, visual
from messaging.admin.send_test import send_test
from messaging.channels import webhook
from messaging.checking import problems
from messaging.models import Provider, Purpose, Template, TemplateTranslation, TemplateVersion
from messaging.names import ChannelName
from messaging.versions import content_of


class CodeArea(UnfoldAdminTextareaWidget):
    """A text area for code: evenly spaced letters, no spell checking."""

    def __init__(self, rows: int) -> None:
        super().__init__({"rows": rows, "spellcheck": "false", "wrap": "soft"})
        self.attrs["class"] += " cbm-code"


EMAIL, SMS, PUSH, IN_APP, WEBHOOK, CHAT = ChannelName
# Which channels have a field; the others do not show it, and forget it.
FIELDS_OF: dict[str, tuple[ChannelName, ...]] = {
    "subject": (EMAIL, PUSH, IN_APP),
    "preheader": (EMAIL,),
    "markup": (EMAIL,),
    "html": (EMAIL,),
    "layout": (EMAIL,),
    "topic": (EMAIL, SMS, PUSH, IN_APP),
    "purpose": (EMAIL, SMS, PUSH, IN_APP),
    "reply_to": (EMAIL,),
    "from_email": (EMAIL, SMS),
    "option_url": (PUSH, IN_APP, WEBHOOK),
    "option_image": (PUSH, IN_APP),
    "option_icon": (PUSH,),
    "option_button": (IN_APP,),
    "option_style": (IN_APP,),
    "option_position": (IN_APP,),
    "option_days": (IN_APP,),
    "option_method": (WEBHOOK,),
    "option_headers": (WEBHOOK,),
}
EMPTY: dict[str, Any] = {"layout": None, "topic": None, "markup": Template.Markup.HTML}


def option(label: str, help_text: str = "", **more: Any) -> forms.CharField:
    """Return a field of what a channel has besides; Liquid may stand in it."""
    widget = more.pop("widget", None) or UnfoldAdminTextInputWidget()
    return forms.CharField(label=label, required=False, widget=widget, help_text=help_text, **more)


def choice(label: str, choices: list[tuple[str, str]]) -> forms.ChoiceField:
    return forms.ChoiceField(label=label, required=False, choices=choices, widget=UnfoldAdminSelectWidget())


class TemplateForm(forms.ModelForm):  # type: ignore[type-arg]
    option_url = option("Address", "Where it leads, or what is called: https://… It may hold Liquid.")
    option_button = option("Words of the button", "Empty: Open.")
    option_image = option("Picture", "The address of a picture: https://…")
    option_icon = option("Icon", "The address of a small square picture: https://…")
    option_style = choice(
        "Shown as", [("card", "Card in a corner"), ("banner", "Banner"), ("modal", "Window in front")]
    )
    option_position = choice("Banner's place", [("", "Below"), ("top", "Above")])
    option_days = forms.IntegerField(
        label="Waits for so many days",
        required=False,
        min_value=1,
        max_value=365,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text="Empty: 30. After that it is not shown any more.",
    )
    option_method = choice("Method", [(method, method) for method in webhook.METHODS])
    option_headers = option(
        "Headers", "One Name: value a line.", widget=UnfoldAdminTextareaWidget({"rows": 2, "spellcheck": "false"})
    )

    class Meta:
        model = Template
        fields = (
            "name",
            "channel",
            "purpose",
            "topic",
            "layout",
            "subject",
            "preheader",
            "markup",
            "html",
            "text",
            "provider",
            "from_email",
            "reply_to",
        )
        labels = {"preheader": "Pre-header", "subject": "Subject or title"}
        help_texts = {"text": "Of mail: empty, it is made from the HTML. Of a webhook: the JSON that is posted."}
        widgets = {
            "subject": UnfoldAdminTextInputWidget,
            "preheader": UnfoldAdminTextInputWidget,
            "html": CodeArea(18),
            "text": CodeArea(6),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "channel" not in self.fields:
            return
        for name in unsaved.OPTIONS:
            self.fields[f"option_{name}"].initial = self.instance.options.get(name)
        # Not every browser posts what it does not show.
        for name in ("purpose", "channel", "markup"):
            self.fields[name].required = False
        if self.instance.pk:
            self.fields["channel"].disabled = True

    def clean_channel(self) -> str:
        return self.cleaned_data["channel"] or ChannelName.EMAIL.value

    def clean_purpose(self) -> str:
        return self.cleaned_data["purpose"] or Purpose.MARKETING.value

    def clean_markup(self) -> str:
        return self.cleaned_data["markup"] or Template.Markup.HTML.value

    def clean_html(self) -> str:
        return unsaved.clean(self.cleaned_data["html"])

    def clean_text(self) -> str:
        return unsaved.clean(self.cleaned_data["text"])

    def clean(self) -> dict[str, Any] | None:
        """Refuse what could not be sent, at the field where it is wrong; forget what its channel does not have."""
        cleaned = super().clean()
        if cleaned is None or "channel" not in cleaned:
            return cleaned
        for name, channels in FIELDS_OF.items():
            if cleaned["channel"] not in channels and name in cleaned and name != "purpose":
                cleaned[name] = EMPTY.get(name, "")
        provider = cleaned.get("provider")
        if provider and provider.channel != cleaned["channel"] and provider.kind != Provider.Kind.MAILBOX:
            self.add_error("provider", f"It carries messages of another channel: {provider.get_channel_display()}.")
        self.instance.options = unsaved.options({name: cleaned.get(name) for name in self.fields})
        if not self.errors:
            names = {field.name for field in Template._meta.fields} - {"provider", "topic"}
            known = {name: value for name, value in cleaned.items() if name in names}
            content = content_of(Template(**known, options=self.instance.options), self.translations())
            add_problems(self, content, {"layout_html": "layout", "layout_text": "layout", "url": "option_url"})
        return cleaned

    def translations(self) -> dict[str, dict[str, str]]:
        """Return the words in other languages that were posted along."""
        return unsaved.translations(self.data) if isinstance(self.data, QueryDict) else {}


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


class TranslationForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = TemplateTranslation
        fields = ("language", "subject", "preheader", "html", "text")
        widgets = {
            "subject": UnfoldAdminTextInputWidget,
            "preheader": UnfoldAdminTextInputWidget,
            "html": CodeArea(12),
            "text": CodeArea(4),
        }

    def clean_language(self) -> str:
        language: str = self.cleaned_data["language"].strip().lower().replace("_", "-")
        if not re.fullmatch(r"[a-z]{2,3}(-[a-z0-9]{2,8})*", language):
            raise ValidationError("Write a language such as de, or pt-BR for one country only.")
        return language


class TranslationInline(StackedInline):
    model = TemplateTranslation
    form = TranslationForm
    extra = 0
    verbose_name = "language"
    verbose_name_plural = "In other languages"


@admin.register(Template)
class TemplateAdmin(EditorAdmin):
    form = TemplateForm
    inlines = (TranslationInline,)
    conditional_fields = {
        name: " || ".join(f"channel == '{channel}'" for channel in channels) for name, channels in FIELDS_OF.items()
    }
    preview_url_name = "messaging_template_preview"
    list_display = ("name", "channel", "subject", "for_what", "layout", "changed")
    list_filter = ("channel", "purpose")
    list_select_related = ("layout",)
    search_fields = ("name", "subject")
    empty_help = "A template is what a mail says. Add one above: a preview shows how it will look."
    show_facets = admin.ShowFacets.NEVER
    fieldsets = (
        (None, {"fields": ("name", "channel", "purpose", "layout", "topic")}),
        (
            "What it says",
            {
                "fields": (
                    "option_style",
                    "option_position",
                    "subject",
                    "preheader",
                    "markup",
                    "html",
                    "option_method",
                    "option_url",
                    "option_headers",
                    "text",
                    "option_button",
                    "option_image",
                    "option_icon",
                    "option_days",
                )
            },
        ),
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
            path("links/", view(editor.check_links), name="messaging_template_links"),
            path("words/", view(editor.words), name="messaging_template_words"),
            path("<int:template_id>/visual/", view(visual.page), name="messaging_template_visual"),
            path("<int:template_id>/versions/", view(history.page), name="messaging_template_versions"),
            path("<int:template_id>/restore/<int:number>/", view(history.restore), name="messaging_template_restore"),
            path("<int:template_id>/test/", view(send_test), name="messaging_template_test"),
        ]
        urls: list[URLPattern] = super().get_urls()
        return own + urls

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        template = self.get_object(request, object_id)
        facts = {"uses": usage.of_template(template), "versions": template.versions.count()} if template else {}
        response: HttpResponse = super().change_view(request, object_id, form_url, {**(extra_context or {}), **facts})
        return response

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Keep what has been sent: its versions are the record of it."""
        if obj is not None and TemplateVersion.objects.filter(template_id=obj.pk).exists():
            return False
        allowed: bool = super().has_delete_permission(request, obj)
        return allowed
