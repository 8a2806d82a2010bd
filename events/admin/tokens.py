"""API tokens: made here, shown once, revoked here."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin

from events.api.scopes import EVERYTHING, SCOPES
from events.models import ApiToken, hash_key, new_key
from events.templatetags.console import badge, moment


@admin.register(ApiToken)
class ApiTokenAdmin(ModelAdmin):
    list_display = ("label", "state", "may", "last_used", "created", "created_by")
    list_select_related = ("created_by",)
    list_before_template = "admin/events/token_new.html"
    fields = ("label",)
    empty_help = "Make a token above, for a program that is to read people and deliveries."
    ordering = ("-pk",)
    actions = ("revoke",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Tokens are made on the list, where the new one can be shown once."""
        return False

    @admin.display(description="State")
    def state(self, token: ApiToken) -> SafeString:
        return badge("muted", "Revoked") if token.revoked_at else badge("ok", "In use")

    @admin.display(description="May")
    def may(self, token: ApiToken) -> str:
        return "everything" if EVERYTHING in token.scopes else ", ".join(token.scopes) or "nothing"

    @admin.display(description="Last used")
    def last_used(self, token: ApiToken) -> SafeString | str:
        return moment(token.last_used_at) if token.last_used_at else "never"

    @admin.display(description="Made")
    def created(self, token: ApiToken) -> SafeString | str:
        return moment(token.created_at)

    @admin.action(description="Revoke: refuse the chosen tokens from now on", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        count = queryset.filter(revoked_at=None).update(revoked_at=timezone.now())
        self.message_user(request, f"Revoked: {count}.", messages.SUCCESS)

    def get_urls(self) -> list[URLPattern]:
        own = [path("new/", self.admin_site.admin_view(self.new_token), name="events_apitoken_new")]
        return own + list(super().get_urls())

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        response: HttpResponse = super().changelist_view(request, {"scopes": SCOPES.items(), **(extra_context or {})})
        return response

    def new_token(self, request: HttpRequest) -> HttpResponse:
        if not request.user.has_perm("events.add_apitoken"):
            raise PermissionDenied
        return _new_token(request)


@never_cache
@require_POST
def _new_token(request: HttpRequest) -> HttpResponse:
    label = request.POST.get("label", "").strip()[:100]
    chosen = [scope for scope in request.POST.getlist("scopes") if scope in SCOPES]
    context: dict[str, Any] = {"scopes": SCOPES.items(), "label": label, "chosen": chosen}
    if request.POST.get("everything") == "1":
        chosen = [EVERYTHING]
    if label and chosen:
        context = {"scopes": SCOPES.items(), "fresh": add_token(label, request.user, chosen)}
    else:
        context |= {"missing": not label, "missing_scopes": not chosen}
    return render(request, "admin/events/token_new.html", context)


def add_token(label: str, user: Any, scopes: list[str]) -> str:
    """Store a new token and return its text, which is kept nowhere."""
    text = new_key("token")
    ApiToken.objects.create(label=label, key_hash=hash_key(text), scopes=scopes, created_by=user)
    return text
