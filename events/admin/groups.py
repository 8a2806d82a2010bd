"""Companies and other groups: what is known of each, who belongs to it, and what was last reported."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString

from events import panels, sandbox
from events.admin_paging import KeysetAdmin, before_key, page_before
from events.models import Event, Group, Membership, Profile
from events.templatetags.console import badge, moment

SHOWN = 20
CALLS_SHOWN = 10


@admin.register(Group)
class GroupAdmin(KeysetAdmin):
    list_display = ("group", "type", "key", "sandbox", "changed")
    list_filter = ("is_sandbox",)
    search_fields = ("key",)
    search_help_text = "The application’s id, exactly"
    empty_help = "Companies appear as soon as an application sends a group call."

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Groups come from the application, like people."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return False

    @admin.display(description="Name")
    def group(self, group: Group) -> str:
        return str(group)

    @admin.display(description="")
    def sandbox(self, group: Group) -> SafeString | str:
        return badge("info", "Sandbox") if group.is_sandbox else ""

    @admin.display(description="Last changed")
    def changed(self, group: Group) -> SafeString | str:
        return moment(group.updated_at)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Group], search_term: str
    ) -> tuple[QuerySet[Group], bool]:
        wanted = search_term.replace("\x00", "").strip()
        return (queryset.filter(key=wanted) if wanted else queryset), False

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the group. Nothing can be changed here: the application owns it."""
        group = self.get_object(request, object_id)
        if group is None:
            raise Http404("No such group.")
        if not self.has_view_permission(request, group):
            raise PermissionDenied
        members = Membership.objects.filter(group=group).select_related("profile")
        page = page_before(members, before_key(request), SHOWN)
        context = {
            **self.admin_site.each_context(request),
            "title": str(group),
            "opts": self.opts,
            "group": group,
            "traits": sorted(group.traits.items()),
            "members": page.rows,
            "older": page.older,
            "calls": _calls(group, page.rows),
        }
        return TemplateResponse(request, "admin/events/group.html", context)


def _calls(group: Group, members: list[Membership]) -> list[Event]:
    """Return the last group calls of the members on this page: the log is found by person. One statement."""
    people = [membership.profile_id for membership in members]
    name = group.key.removeprefix(sandbox.PREFIX)
    found = Event.objects.filter(profile__in=people, name=name, type=Event.Type.GROUP).select_related("profile")
    return list(found.order_by("-timestamp", "-pk")[:CALLS_SHOWN])


def groups_panel(profile: Profile, request: HttpRequest) -> panels.Content | None:
    """Show what a person belongs to, the present group first; no panel for who belongs to none. One statement."""
    if not request.user.has_perm("events.view_group"):
        return None
    found = profile.memberships.select_related("group").order_by("-updated_at", "-pk")
    memberships = list(found[: SHOWN + 1])
    if not memberships:
        return None
    return panels.Content(
        "admin/events/groups.html", {"memberships": memberships[:SHOWN], "more": len(memberships) > SHOWN}
    )
