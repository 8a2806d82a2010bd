"""Parked events: those whose evaluation failed, with the error, until somebody lets them try again."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from events import log
from events.admin_paging import KeysetAdmin, ReadOnly
from events.models import Pending
from events.templatetags.console import moment


@admin.register(Pending)
class ParkedAdmin(ReadOnly, KeysetAdmin):
    list_display = ("event", "person", "error", "parked")
    list_display_links = None
    list_before_template = "admin/events/parked_note.html"
    empty_title = "All is well"
    empty_help = "No event is parked."
    actions = ("try_again",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Pending]:
        parked: QuerySet[Pending] = super().get_queryset(request).exclude(parked_at=None)
        return parked.select_related("profile")

    def has_try_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("events.change_pending")

    @admin.action(description="Try the chosen events again", permissions=["try"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[Pending]) -> None:
        count = log.retry_parked(list(queryset.values_list("pk", flat=True)))
        self.message_user(
            request, f"{count} on their way again. Those that fail once more come back.", messages.SUCCESS
        )

    @admin.display(description="Event")
    def event(self, pending: Pending) -> SafeString:
        return _link("events_event_change", pending.event_id, pending.name or "Without a name")

    @admin.display(description="Person")
    def person(self, pending: Pending) -> SafeString:
        return _link("events_profile_change", pending.profile_id, str(pending.profile))

    @admin.display(description="Parked")
    def parked(self, pending: Pending) -> SafeString | str:
        return moment(pending.parked_at)


def _link(name: str, key: int, text: str) -> SafeString:
    return format_html('<a class="cb-link" href="{}">{}</a>', reverse(f"admin:{name}", args=[key]), text)
