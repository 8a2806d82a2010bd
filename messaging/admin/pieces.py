"""Snippets and feeds: what templates share, and what they read from elsewhere."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminPasswordToggleWidget, UnfoldAdminTextareaWidget, UnfoldBooleanWidget

from events import encryption, liquid_engine
from events.admin_in_turn import InTurnAdmin
from events.templatetags.console import moment
from messaging import feeds, usage, variables
from messaging.admin import editor, unsaved
from messaging.admin.templates import CodeArea
from messaging.errors import TemplateError
from messaging.models import Feed, Snippet


class SnippetForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Snippet
        fields = ("slug", "content", "description")
        widgets = {"content": CodeArea(12), "description": UnfoldAdminTextareaWidget({"rows": 2})}

    def clean_content(self) -> str:
        text: str = unsaved.clean(self.cleaned_data["content"])
        try:
            liquid_engine.parse(text, True)
        except liquid_engine.Fault as fault:
            raise ValidationError(f"Line {fault.line}: {fault.message}" if fault.line else fault.message) from fault
        return text


class UsedAdmin(InTurnAdmin):
    """What is used by templates: its page says where, and it cannot be deleted from under them."""

    compressed_fields = False
    show_facets = admin.ShowFacets.NEVER
    change_form_outer_after_template = "admin/messaging/used.html"

    def uses(self, found: Any) -> list[Any]:
        raise NotImplementedError

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        found = self.get_object(request, object_id)
        facts = {"uses": self.uses(found), "used": found} if found else {}
        response: HttpResponse = super().change_view(request, object_id, form_url, {**(extra_context or {}), **facts})
        return response

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed = super().has_delete_permission(request, obj)
        return bool(allowed and (obj is None or not self.uses(obj)))

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Offer no deleting of many at once: it would not ask who uses them."""
        return {}

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Keep the short name: templates know it by that."""
        return ("slug",) if obj else ()


@admin.register(Snippet)
class SnippetAdmin(UsedAdmin):
    form = SnippetForm
    list_display = ("slug", "description", "changed")
    search_fields = ("slug", "description")
    empty_help = "A snippet is a piece that several templates share, such as a signature. Add one above."

    def uses(self, found: Snippet) -> list[Any]:
        return usage.of_snippet(found)

    @admin.display(description="Last changed", ordering="updated_at")
    def changed(self, snippet: Snippet) -> SafeString | str:
        return moment(snippet.updated_at)


class FeedForm(forms.ModelForm):  # type: ignore[type-arg]
    authorization = forms.CharField(
        label="Authorization",
        required=False,
        max_length=2000,
        widget=UnfoldAdminPasswordToggleWidget({"autocomplete": "new-password"}),
        help_text="Sent as the header of that name, such as Bearer abc. Stored encrypted and never shown again.",
    )
    forget = forms.BooleanField(label="Forget the authorization", required=False, widget=UnfoldBooleanWidget())

    class Meta:
        model = Feed
        fields = ("slug", "url", "authorization", "forget", "keep_seconds", "fallback")
        widgets = {
            "url": UnfoldAdminTextareaWidget({"rows": 2, "spellcheck": "false"}),
            "fallback": UnfoldAdminTextareaWidget({"rows": 5, "spellcheck": "false"}),
        }

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"].strip()
        if not url.startswith(("https://", "http://")):
            raise ValidationError("The address has to begin with https:// or http://.")
        if "{" in url.partition("://")[2].partition("/")[0]:
            raise ValidationError("Liquid may stand behind the host only: what is sent there is not for everybody.")
        try:
            liquid_engine.parse(url, False)
        except liquid_engine.Fault as fault:
            raise ValidationError(fault.message) from fault
        return url

    def clean(self) -> dict[str, Any] | None:
        """Ask for the authorization again when it would go elsewhere."""
        cleaned = super().clean() or {}
        moved = self.instance.pk and "url" in self.changed_data and self.instance.secret
        if moved and not cleaned.get("authorization") and not cleaned.get("forget"):
            self.add_error("authorization", "It would go to another address now: enter it again, or have it forgotten.")
        return cleaned

    def save(self, commit: bool = True) -> Any:
        if self.cleaned_data.get("forget"):
            self.instance.secret = ""
        if given := self.cleaned_data.get("authorization"):
            self.instance.secret = encryption.encrypt(given.strip())
        return super().save(commit)


@admin.register(Feed)
class FeedAdmin(UsedAdmin):
    form = FeedForm
    change_form_outer_before_template = "admin/messaging/feed/try.html"
    list_display = ("slug", "url", "keep_seconds")
    search_fields = ("slug", "url")
    empty_help = (
        "A feed is JSON from an address of yours that templates can show: offers, stock, prices. Add one above."
    )

    def uses(self, found: Feed) -> list[Any]:
        return usage.of_feed(found)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(try_feed)
        urls: list[URLPattern] = super().get_urls()
        return [path("<int:feed_id>/try/", view, name="messaging_feed_try"), *urls]


@require_POST
def try_feed(request: HttpRequest, feed_id: int) -> HttpResponse:
    """Ask a feed now, for somebody, and show what it says."""
    editor.require(request, "messaging.change_feed")
    feed = get_object_or_404(Feed, pk=feed_id)
    profile, event = editor.chosen(request, request.POST)
    known = variables.build(profile, {"trigger": event.properties if event else {}}, "", (), "")
    try:
        url = feeds.address(feed, known)
        answer = feeds.fetch(feed, url)
    except TemplateError as error:
        url, answer = "", feeds.Answer(problem=str(error))
    return render(
        request, "admin/messaging/feed/answer.html", {"url": url, "answer": answer, "profile": profile, "feed": feed}
    )
