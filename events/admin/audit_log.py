"""The audit log: who did what to whose data, and when. Nobody can change it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from events.admin_paging import KeysetAdmin, ReadOnly
from events.audit import ACTIONS
from events.models import AuditEntry, Profile
from events.searching import found_by
from events.templatetags.console import badge, moment

# Of what a search finds, so many people count.
SEARCHED = 200
DETAILS = {
    "events": "events erased",
    "ids": "ids",
    "merged": "merged away: person",
    "event": "event",
    "source": "source",
    "changed": "changed",
    "kind": "what",
    "format": "as",
    "name": "named",
    "days": "days of",
}


class ActionFilter(admin.SimpleListFilter):
    title = "act"
    parameter_name = "act"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(ACTIONS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        return queryset.filter(action=self.value()) if self.value() in ACTIONS else queryset


class ActorFilter(admin.SimpleListFilter):
    """By whom: the users, tokens and sources that have acted, as far as a menu has room for them."""

    title = "by"
    parameter_name = "by"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        actors = AuditEntry.objects.order_by("actor").values_list("actor", flat=True).distinct()
        return [(actor, actor) for actor in actors[:50]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        return queryset.filter(actor=self.value()) if self.value() else queryset


@admin.register(AuditEntry)
class AuditAdmin(ReadOnly, KeysetAdmin):
    list_display = ("when", "who", "act", "person", "more")
    fields = ("at", "actor", "action", "profile_id", "pseudonym", "details")
    list_filter = (ActionFilter, ActorFilter, "at")
    search_fields = ("pseudonym",)
    search_help_text = "Email or user id, from its beginning, or the pseudonym of an erased person"
    list_before_template = "admin/events/privacy/audit_note.html"
    empty_title = "Nothing yet"
    empty_help = "Here it stands who opened, exported, merged, ignored or erased whom."
    actions = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEntry]:
        """Add what each person is called now; what is stored here tells nobody."""
        person = Profile.objects.filter(pk=OuterRef("profile_id")).annotate(called=Coalesce("user_id", "email"))
        entries: QuerySet[AuditEntry] = super().get_queryset(request)
        return entries.annotate(called=Subquery(person.values("called")[:1]))

    @admin.display(description="When")
    def when(self, entry: AuditEntry) -> SafeString | str:
        return moment(entry.at)

    @admin.display(description="Who")
    def who(self, entry: AuditEntry) -> str:
        return entry.actor

    @admin.display(description="What")
    def act(self, entry: AuditEntry) -> str:
        return ACTIONS.get(entry.action, entry.action)

    @admin.display(description="To whom")
    def person(self, entry: Any) -> SafeString | str:
        if entry.pseudonym:
            return format_html("{} <code>{}</code>", badge("muted", "Erased"), entry.pseudonym)
        if entry.profile_id is None:
            return "–"
        link = reverse("admin:events_profile_change", args=[entry.profile_id])
        return format_html('<a class="cb-link" href="{}">{}</a>', link, entry.called or f"Person {entry.profile_id}")

    @admin.display(description="Details")
    def more(self, entry: AuditEntry) -> str:
        said = (f"{DETAILS.get(name, name)} {_words(value)}" for name, value in entry.details.items())
        return " · ".join(said) or "–"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AuditEntry], search_term: str
    ) -> tuple[QuerySet[AuditEntry], bool]:
        term = search_term.replace("\0", "").strip()
        if not term:
            return queryset, False
        found = list(found_by(Profile.objects.all(), term).values_list("pk", flat=True)[:SEARCHED])
        return (queryset.filter(profile_id__in=found) if found else queryset.filter(pseudonym=term.lower())), False


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {'for ever' if inner is None else inner}" for name, inner in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
