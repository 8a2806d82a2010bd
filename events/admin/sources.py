"""Sources: where data comes from, their keys, and how to connect one and see its first event arrive."""

from __future__ import annotations

import secrets
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from events import audit, keys
from events.admin import hooks, source_keys
from events.admin.live import request_context
from events.audit import Actor
from events.models import InboundRequest, Source, SourceKey
from events.templatetags.console import badge, moment

# The newest requests among which a source's refused calls are looked for.
REQUESTS_LOOKED_AT = 2_000
CALLS_LISTED = 10


class SourceForm(forms.ModelForm):  # type: ignore[type-arg]
    """What a source is called and how it treats what comes in, in the words of whoever sets it up."""

    class Meta:
        model = Source
        fields = ("name", "kind", "enabled", "is_sandbox", "strict", "dedupe_content", "store_ip", "store_user_agent")
        help_texts: ClassVar = {
            "enabled": "Off: every call with a key of this source is refused with 401.",
            "is_sandbox": "For trying things out. Its people are kept apart from everybody else’s, their mail goes to "
            "the built-in mailbox only, and nothing counts in figures. It cannot be changed later.",
            "strict": "Libraries for Customer.io’s pipelines are told 200 even if a call cannot be taken; it is shown "
            "refused under Live events. On: they get the error itself, as if they asked for strict mode.",
            "dedupe_content": "For libraries that send no message id, such as Customer.io’s for Python: the same event "
            "on one day (UTC) counts once. Leave it off where doing the same thing twice has to count twice.",
            "store_ip": "Off: addresses are taken out of what comes in before anything is stored.",
            "store_user_agent": "The name and version of people’s browsers. Off: taken out before anything is stored.",
        }


@admin.register(Source)
class SourceAdmin(ModelAdmin):
    form = SourceForm
    list_display = ("name", "state", "last_event", "live_keys")
    search_fields = ("name",)
    empty_help = "A source is something that sends data in: a web site, an application, a server."
    change_form_outer_after_template = "admin/events/source_connect.html"

    def get_fieldsets(self, request: HttpRequest, obj: Source | None = None) -> Any:
        handling = "strict", "dedupe_content", "store_ip", "store_user_agent"
        if obj is None:
            return [(None, {"fields": ["name", "kind", "is_sandbox"]})]
        return [
            (None, {"fields": ["name", "enabled", "kind", "sandbox", "site_id"]}),
            ("What is kept, and how it is answered", {"fields": handling, "classes": ["collapse"]}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Source | None = None) -> list[str]:
        return ["kind", "sandbox", "site_id"] if obj else []

    def get_queryset(self, request: HttpRequest) -> QuerySet[Source]:
        live = Count("keys", filter=Q(keys__revoked_at=None))
        queryset: QuerySet[Source] = super().get_queryset(request).annotate(live_keys=live)
        return queryset

    @admin.display(description="State")
    def state(self, source: Source) -> SafeString:
        if not source.enabled:
            return badge("muted", "Switched off")
        if source.is_sandbox and source.last_event_at:
            return badge("info", "Receiving, a sandbox")
        return badge("ok", "Receiving") if source.last_event_at else badge("warn", "Waiting for a first event")

    @admin.display(description="Sandbox")
    def sandbox(self, source: Source) -> str:
        if source.is_sandbox:
            return (
                "Yes: its people are kept apart, their mail stays in the built-in mailbox, nothing counts in figures."
            )
        return "No: its people get mail, and count."

    @admin.display(description="Last event")
    def last_event(self, source: Source) -> SafeString | str:
        return moment(source.last_event_at)

    @admin.display(description="Keys in use")
    def live_keys(self, source: Source) -> int:
        return int(getattr(source, "live_keys", 0))

    def has_delete_permission(self, request: HttpRequest, obj: Source | None = None) -> bool:
        """Let only a source without history go: the log keeps pointing at the others. They can be switched off."""
        allowed = super().has_delete_permission(request, obj)
        return bool(allowed and obj is not None and obj.last_event_at is None)

    def save_model(self, request: HttpRequest, obj: Source, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            audit.note(Actor.of_user(request.user), "source", source=obj.name, changed=form.changed_data)
            return
        obj.site_id = secrets.token_hex(10)
        hooks.prepare(obj)
        super().save_model(request, obj, form, change)
        keys.make(obj, SourceKey.Kind.PUBLIC, "First key")

    def response_add(self, request: HttpRequest, obj: Source, post_url_continue: str | None = None) -> HttpResponse:
        return redirect(reverse("admin:events_source_change", args=[obj.pk]))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        source = self.get_object(request, object_id)
        connect = connect_context(request, source, self.has_change_permission(request)) if source else {}
        context = {"show_save_and_add_another": False, **(extra_context or {}), **connect}
        response: HttpResponse = super().change_view(request, object_id, form_url, context)
        return response

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        own = [
            path("<int:pk>/signs/", wrap(self.signs), name="events_source_signs"),
            path("<int:pk>/last/", wrap(self.last), name="events_source_last"),
            *source_keys.urls(self),
            *hooks.urls(self),
        ]
        return own + list(super().get_urls())

    def signs(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Say whether something has arrived: polled by the page. 204 when that is what ``?seen=`` names."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = signs_context(get_object_or_404(Source, pk=pk))
        if request.GET.get("seen") == context["signs_seen"]:
            return HttpResponse(status=204)
        return render(request, "admin/events/source_signs.html", context)

    def last(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show the newest kept call, how it is read and its answer; alone, and only when it is new, to the page itself.

        ``?seen=`` names the call that the page shows.
        """
        if not self.has_view_permission(request) or not request.user.has_perm("events.view_event"):
            raise PermissionDenied
        source = get_object_or_404(Source, pk=pk)
        context = last_context(request, source)
        if not request.headers.get("HX-Request"):
            site = self.admin_site.each_context(request)
            return render(request, "admin/events/source_last.html", {**site, **context, "opts": self.opts})
        if request.GET.get("seen") == str(context["seen"]):
            return HttpResponse(status=204)
        return render(request, "admin/events/source_last_call.html", context)


def signs_context(source: Source) -> dict[str, Any]:
    newest = InboundRequest.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    refused = (
        InboundRequest.objects.filter(pk__gt=newest - REQUESTS_LOOKED_AT)
        .filter(Q(source=source) | Q(source=None), ~Q(status=200))
        .order_by("-pk")
        .first()
    )
    last = source.last_event_at.timestamp() if source.last_event_at else 0
    seen = f"{source.enabled:d}-{last}-{refused.pk if refused and not last else 0}"
    return {"source": source, "refused": refused, "signs_seen": seen}


def last_context(request: HttpRequest, source: Source) -> dict[str, Any]:
    calls = list(InboundRequest.objects.filter(source=source).select_related("source").order_by("-pk")[:CALLS_LISTED])
    shown = request_context(calls[0], request) if calls else {}
    title = f"Last call of {source}"
    return {"source": source, "title": title, "seen": calls[0].pk if calls else 0, "earlier": calls[1:], **shown}


def connect_context(request: HttpRequest, source: Source, may_change: bool) -> dict[str, Any]:
    """Return what the page below the form shows."""
    shown = {
        **source_keys.keys_context(source, may_change),
        **signs_context(source),
        **hooks.page_context(request, source),
    }
    if source.kind == Source.Kind.TRACKING:
        shown |= source_keys.recipes_context(source)
    return shown
