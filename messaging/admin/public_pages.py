"""The look of the pages that recipients reach from their mails: unsubscribe, preferences, confirmation."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin

from events import audit
from events.admin_paging import ReadOnly
from events.audit import Actor
from messaging import links
from messaging.models import PublicPages, Topic
from messaging.preview import NOBODY
from messaging.public_pages import BLUE, on
from messaging.public_words import in_language

CHANGE = "messaging.change_publicpages"


class LookForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = PublicPages
        fields = ("sender", "logo_url", "colour", "privacy_url", "note")
        widgets = {
            "note": forms.Textarea({"rows": 3}),
            "colour": forms.TextInput({"placeholder": BLUE, "size": 8}),
            "logo_url": forms.URLInput({"placeholder": "https://"}),
            "privacy_url": forms.URLInput({"placeholder": "https://"}),
        }

    def clean_logo_url(self) -> str:
        url: str = self.cleaned_data["logo_url"]
        if url and not url.startswith("https://"):
            raise forms.ValidationError("Browsers show pictures of https:// addresses only.")
        return url


@admin.register(PublicPages)
class PublicPagesAdmin(ReadOnly, ModelAdmin):
    """One page; there is one row."""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        may_change = request.user.has_perm(CHANGE)
        form = LookForm(request.POST or None, instance=PublicPages.current())
        if request.method == "POST":
            if not may_change:
                raise PermissionDenied
            if form.is_valid():
                form.save()
                audit.note(Actor.of_user(request.user), "pages", changed=form.changed_data)
                messages.success(request, "Saved. The pages look like this from now on.")
                return HttpResponseRedirect(request.path)
        colour = PublicPages.current().colour or BLUE
        context = {
            **self.admin_site.each_context(request),
            "title": "Public pages",
            "opts": self.opts,
            "form": form,
            "may_change": may_change,
            "colour": colour,
            "on_colour": on(colour),
            "languages": in_language.known,
            "topics": Topic.objects.filter(archived=False),
            "example": links.preferences_url(NOBODY),
        }
        return TemplateResponse(request, "admin/messaging/public_pages.html", context)
