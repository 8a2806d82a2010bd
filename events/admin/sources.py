"""Sources: where data comes from, their keys, and how to connect one and see its first event arrive."""

from __future__ import annotations

import secrets
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin

from events.admin import hooks
from events.admin.recipes import recipes
from events.models import InboundRequest, Source, SourceKey, new_key
from events.templatetags.console import badge, moment

# The newest requests among which a source's refused calls are looked for.
REQUESTS_LOOKED_AT = 2_000


class KeyForm(forms.Form):
    """What a new key is for."""

    kind = forms.ChoiceField(choices=SourceKey.Kind.choices)
    label = forms.CharField(max_length=100, required=False)


@admin.register(Source)
class SourceAdmin(ModelAdmin):
    list_display = ("name", "state", "last_event", "live_keys")
    search_fields = ("name",)
    empty_help = "A source is something that sends data in: a web site, an application, a server."
    change_form_outer_after_template = "admin/events/source_connect.html"

    def get_fields(self, request: HttpRequest, obj: Source | None = None) -> list[str]:
        return ["name", "enabled", "site_id"] if obj else ["name", "kind"]

    def get_readonly_fields(self, request: HttpRequest, obj: Source | None = None) -> list[str]:
        return ["site_id"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Source]:
        live = Count("keys", filter=Q(keys__revoked_at=None))
        queryset: QuerySet[Source] = super().get_queryset(request).annotate(live_keys=live)
        return queryset

    @admin.display(description="State")
    def state(self, source: Source) -> SafeString:
        if not source.enabled:
            return badge("muted", "Switched off")
        return badge("ok", "Receiving") if source.last_event_at else badge("warn", "Waiting for a first event")

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
            return
        obj.site_id = secrets.token_hex(10)
        hooks.prepare(obj)
        super().save_model(request, obj, form, change)
        add_key(obj, SourceKey.Kind.PUBLIC, "First key")

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
        connect = connect_context(request, source) if source else {}
        context = {"show_save_and_add_another": False, **(extra_context or {}), **connect}
        response: HttpResponse = super().change_view(request, object_id, form_url, context)
        return response

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        own = [
            path("<int:pk>/keys/", wrap(self.new_key), name="events_source_new_key"),
            path("<int:pk>/keys/<int:key>/revoke/", wrap(self.revoke), name="events_source_revoke_key"),
            path("<int:pk>/signs/", wrap(self.signs), name="events_source_signs"),
            *hooks.urls(self),
        ]
        return own + list(super().get_urls())

    def new_key(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Make a key and show it. A secret one is in this answer and nowhere else."""
        return self._keys(request, pk, self._make_key)

    def revoke(self, request: HttpRequest, pk: int, key: int) -> HttpResponse:
        return self._keys(request, pk, lambda request, source: revoke_key(source, key))

    def signs(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Say whether something has arrived: polled by the page."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        source = get_object_or_404(Source, pk=pk)
        return render(request, "admin/events/source_signs.html", signs_context(source))

    def _make_key(self, request: HttpRequest, source: Source) -> str:
        form = KeyForm(request.POST)
        if not form.is_valid():
            return ""
        return add_key(source, form.cleaned_data["kind"], form.cleaned_data["label"])

    def _keys(self, request: HttpRequest, pk: int, act: Any) -> HttpResponse:
        if not self.has_change_permission(request):
            raise PermissionDenied
        return _act_on_keys(request, pk, act)


@never_cache
@require_POST
def _act_on_keys(request: HttpRequest, pk: int, act: Any) -> HttpResponse:
    source = get_object_or_404(Source, pk=pk)
    fresh = act(request, source)
    return render(request, "admin/events/source_keys.html", {**keys_context(source), "fresh": fresh})


def add_key(source: Source, kind: str, label: str) -> str:
    """Store a new key and return its text."""
    text = new_key(kind)
    key = SourceKey(source=source, kind=kind, label=label)
    key.set_key(text)
    key.save()
    return text


def revoke_key(source: Source, key: int) -> str:
    """Refuse a key from now on. Shows nothing."""
    source.keys.filter(pk=key, revoked_at=None).update(revoked_at=timezone.now())
    return ""


def keys_context(source: Source) -> dict[str, Any]:
    keys = list(source.keys.order_by("revoked_at", "pk"))
    keys.sort(key=lambda key: (key.revoked_at is not None, key.pk))
    return {"source": source, "keys": keys, "kinds": SourceKey.Kind.choices}


def signs_context(source: Source) -> dict[str, Any]:
    newest = InboundRequest.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    refused = (
        InboundRequest.objects.filter(pk__gt=newest - REQUESTS_LOOKED_AT)
        .filter(Q(source=source) | Q(source=None), ~Q(status=200))
        .order_by("-pk")
        .first()
    )
    return {"source": source, "refused": refused}


def connect_context(request: HttpRequest, source: Source) -> dict[str, Any]:
    """Return what the page below the form shows."""
    keys = keys_context(source)
    public = next((key for key in keys["keys"] if key.public_value and key.revoked_at is None), None)
    shown = recipes(settings.BASE_URL, public.public_value) if public else []
    return {**keys, **signs_context(source), **hooks.page_context(request, source), "recipes": shown}
