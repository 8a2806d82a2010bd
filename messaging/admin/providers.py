"""The accounts that carry mail: their settings, and beside them whether they work."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from messaging import credentials
from messaging.admin import provider_panel
from messaging.admin.provider_form import SECRETS, SETTINGS, ProviderForm, stored
from messaging.channels import webhook
from messaging.kinds import KINDS
from messaging.models import Message, Provider
from messaging.names import ChannelName


def shown_for(name: str) -> str:
    """Return the browser's condition for showing the form field ``name``: the kinds that have it."""
    base = name.removeprefix("clear_")
    kinds = [kind for kind in SETTINGS if base in SETTINGS[kind] or base in credentials.SECRETS[kind]]
    return " || ".join(f"kind == '{kind}'" for kind in kinds)


ACCOUNT = (
    "host",
    "port",
    "security",
    *(name for secret in SECRETS for name in (secret, f"clear_{secret}")),
    "sender_domain",
    "region",
    "project_id",
    "subaccount",
    "gateway_url",
    "gateway_body",
    "vapid_public",
    "message_stream",
    "webhook_key",
    "api_url",
)
# The others reach people inside of an application, programs and teams: there is nobody to answer to.
WITH_SENDER = (ChannelName.EMAIL, ChannelName.SMS, ChannelName.PUSH)
PACE = ("fallback", "per_second", "limits", "warm_up_from", "warm_up_first")


@admin.register(Provider)
class ProviderAdmin(ModelAdmin):
    form = ProviderForm
    change_form_outer_before_template = "admin/messaging/provider/before.html"
    change_form_outer_after_template = "admin/messaging/provider/after.html"
    list_display = ("name", "kind", "from_email", "works", "default", "enabled")
    search_fields = ("name",)
    empty_help = "A provider carries messages. Add one above; the built-in mailbox needs no account."
    show_facets = admin.ShowFacets.NEVER
    conditional_fields = {name: shown_for(name) for name in ACCOUNT} | {
        "from_email": " || ".join(f"kind == '{name}'" for name, kind in KINDS.items() if kind.channel in WITH_SENDER)
    }

    @admin.display(description="Connection")
    def works(self, provider: Provider) -> SafeString:
        tone, words = {None: ("muted", "not checked"), True: ("ok", "works"), False: ("bad", "does not work")}[
            provider.check_ok
        ]
        return format_html('<span class="cb-badge cb-badge--{}">{}</span>', tone, words)

    @admin.display(description="")
    def default(self, provider: Provider) -> SafeString | str:
        return format_html('<span class="cb-badge cb-badge--info">default</span>') if provider.is_default else ""

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """Show the account's fields; to forget a secret is offered where there is one."""
        known = stored(obj) if isinstance(obj, Provider) else {}
        shown = [name for name in ACCOUNT if not name.startswith("clear_") or name.removeprefix("clear_") in known]
        return (
            (None, {"fields": ("name", "kind", "from_email", *shown, "enabled")}),
            ("How fast, and who stands in", {"fields": PACE, "classes": ("collapse",)}),
        )

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        initial: dict[str, Any] = super().get_changeform_initial_data(request)
        return {"from_email": settings.DEFAULT_FROM_EMAIL, **initial}

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        provider = self.get_object(request, object_id) if object_id else None
        panel = provider_panel.context(request, provider) if provider else {}
        response: HttpResponse = super().changeform_view(
            request, object_id, form_url, {**panel, **(extra_context or {})}
        )
        return response

    def save_model(self, request: HttpRequest, obj: Provider, form: Any, change: bool) -> None:
        """Let the first provider be the default one: mails without one could not be sent."""
        channel = KINDS[obj.kind].channel
        if not change and not Provider.objects.filter(is_default=True, channel=channel).exists():
            obj.is_default = True
        if channel == ChannelName.WEBHOOK and not obj.secrets:
            secret = webhook.new_secret()
            credentials.store(obj, {"signing_secret": secret})
            text = (
                f"Calls are signed with {secret}. Copy it now to the programs that are called: it is not shown again."
            )
            messages.warning(request, text)
        super().save_model(request, obj, form, change)

    def response_add(self, request: HttpRequest, obj: Provider, post_url_continue: str | None = None) -> HttpResponse:
        response: HttpResponse = super().response_add(request, obj, post_url_continue)
        return self._checked(request, obj, response)

    def response_change(self, request: HttpRequest, obj: Provider) -> HttpResponse:
        response: HttpResponse = super().response_change(request, obj)
        return self._checked(request, obj, response)

    def _checked(self, request: HttpRequest, provider: Provider, response: HttpResponse) -> HttpResponse:
        """Lead back to the provider's page, which then checks the connection by itself, outside of the saving."""
        if "_addanother" in request.POST or "_popup" in request.POST:
            return response
        url = reverse("admin:messaging_provider_change", args=[provider.pk])
        return HttpResponseRedirect(f"{url}?check=1")

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Keep what has carried messages: switch it off instead."""
        if obj is not None and Message.objects.filter(provider_id=obj.pk).exists():
            return False
        allowed: bool = super().has_delete_permission(request, obj)
        return allowed

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Offer no deleting of many at once: it would not ask each of them whether it has carried messages."""
        return {}

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("<int:provider_id>/check/", view(provider_panel.check), name="messaging_provider_check"),
            path("<int:provider_id>/default/", view(provider_panel.make_default), name="messaging_provider_default"),
            path("<int:provider_id>/trial/", view(provider_panel.send_trial), name="messaging_provider_trial"),
        ]
        urls: list[URLPattern] = super().get_urls()
        return own + urls
