"""Profiles: find a person, and see everything known about them on one page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from events import audit, panels, patience, people, testers
from events.admin import merge_page, privacy
from events.admin.activity import KINDS, Wish, activity
from events.admin.conditions import views as conditions
from events.admin_paging import KeysetAdmin, KeysetChangeList
from events.audit import Actor
from events.models import ComputedTrait, Profile
from events.searching import Search
from events.templatetags.console import badge, moment

IDENTITIES_SHOWN = 50
# A rare trait is looked for among everybody.
SEARCH_SECONDS = 5


class PeopleList(KeysetChangeList):
    """A page of people; none, with a word on why, where finding them takes too long."""

    def get_results(self, request: HttpRequest) -> None:
        try:
            with patience.at_most(SEARCH_SECONDS):
                super().get_results(request)
        except patience.TooLong:
            self.queryset = Profile.objects.none()
            super().get_results(request)
            messages.warning(request, TOO_LONG)


TOO_LONG = (
    f"Nobody was found in {SEARCH_SECONDS} seconds, so the search was given up. "
    "Search by email or user id, or make a segment of it: that looks through everybody in the background."
)


@admin.register(Profile)
class ProfileAdmin(KeysetAdmin):
    list_display = ("person", "email", "test", "time_zone", "seen", "created")
    list_filter = ("is_test", "segment_memberships__segment")
    search_fields = ("user_id", "email")
    search_help_text = "Email or user id, from its beginning, or a trait, such as plan=pro"
    list_before_template = "admin/events/segments/gather_link.html"
    actions = ("make_segment",)
    empty_help = "People appear as soon as a source reports something about them."

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeysetChangeList]:
        return PeopleList

    def has_add_permission(self, request: HttpRequest) -> bool:
        """People come from the application, never from this page."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Profile | None = None) -> bool:
        """Deleting a row would leave the person's history behind."""
        return False

    @admin.display(description="Person")
    def person(self, profile: Profile) -> str:
        return str(profile)

    @admin.display(description="")
    def test(self, profile: Profile) -> SafeString | str:
        return badge("info", "Test person") if profile.is_test else ""

    @admin.display(description="Last seen")
    def seen(self, profile: Profile) -> SafeString | str:
        return moment(profile.last_seen_at)

    @admin.display(description="Known since")
    def created(self, profile: Profile) -> SafeString | str:
        return moment(profile.created_at)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Profile], search_term: str
    ) -> tuple[QuerySet[Profile], bool]:
        return Search(search_term).people(queryset), False

    def has_gather_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("events.add_segment"))

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        found: dict[str, Any] = super().get_actions(request)
        for act in panels.acts(request):
            found[act.name] = (_leading(act), act.name, f"{act.label} (the chosen people)")
        return found

    @admin.action(description="Make a segment of the chosen people", permissions=["gather"])
    def make_segment(self, request: HttpRequest, queryset: QuerySet[Profile]) -> HttpResponse:
        return _lead("admin:events_segment_gather", queryset)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        own = [
            *conditions.urls(wrap),
            path("ignored/", wrap(self.ignored), name="events_profile_ignored"),
            path("by-user/<path:user_id>/", wrap(self.by_user), name="events_profile_by_user"),
            path("<int:pk>/activity/", wrap(self.activity), name="events_profile_activity"),
            path("<int:pk>/merge/", wrap(self.merge), name="events_profile_merge"),
            path("<int:pk>/export/", wrap(require_POST(self.export)), name="events_profile_export"),
            path("<int:pk>/erase/", wrap(self.erase), name="events_profile_erase"),
            path("<int:pk>/test/", wrap(self.set_test), name="events_profile_test"),
        ]
        return own + list(super().get_urls())

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the person. Nothing but the test switch can be changed here: the application owns the rest."""
        profile = self._profile(request, object_id)
        audit.note_look(Actor.of_user(request.user), "look", profile.pk)
        context = {
            **self.admin_site.each_context(request),
            "title": str(profile),
            "opts": self.opts,
            **profile_context(profile, request),
            "may_change": self.has_change_permission(request, profile),
            "may_export": request.user.has_perm(privacy.EXPORT),
            "may_erase": request.user.has_perm(privacy.ERASE),
        }
        return TemplateResponse(request, "admin/events/profile.html", context)

    def by_user(self, request: HttpRequest, user_id: str) -> HttpResponse:
        """Lead from the application's id to the page."""
        profile = people.by_any(user_id)
        if profile is None:
            raise Http404("No such person.")
        return HttpResponseRedirect(reverse("admin:events_profile_change", args=[profile.pk]))

    def activity(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Return a page of the log; 204 when it is the one that ``?seen=`` names, which is what polling mostly asks."""
        profile = self._profile(request, str(pk))
        page = activity(profile, Wish.of(request))
        if request.GET.get("seen") == page.seen:
            return HttpResponse(status=204)
        return render(request, "admin/events/activity.html", {"profile": profile, "activity": page})

    def merge(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Make one person of this one and another."""
        profile = self._profile(request, str(pk))
        if not self.has_change_permission(request, profile):
            raise PermissionDenied
        return merge_page.show(request, profile, {**self._context(request), "original": profile})

    def export(self, request: HttpRequest, pk: int) -> StreamingHttpResponse:
        """Hand out a copy of everything about the person."""
        return privacy.export(request, self._profile(request, str(pk)))

    def erase(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Erase the person, once somebody has read what that means."""
        return privacy.erase(request, self._profile(request, str(pk)), self._context(request))

    def ignored(self, request: HttpRequest) -> HttpResponse:
        """Look after the ids that nobody listens to any more."""
        return privacy.ignored(request, self._context(request))

    def _context(self, request: HttpRequest) -> dict[str, Any]:
        return {**self.admin_site.each_context(request), "opts": self.opts}

    def set_test(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Make the person a test person or an ordinary one."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        profile = self._profile(request, str(pk))
        if not self.has_change_permission(request, profile):
            raise PermissionDenied
        wanted = request.POST.get("is_test") == "1"
        testers.switch([profile.pk], wanted)
        self.log_change(request, profile, "Made a test person." if wanted else "No longer a test person.")
        return HttpResponseRedirect(reverse("admin:events_profile_change", args=[profile.pk]))

    def _profile(self, request: HttpRequest, object_id: str) -> Profile:
        profile = self.get_object(request, object_id)
        if profile is None:
            raise Http404("No such person.")
        if not self.has_view_permission(request, profile):
            raise PermissionDenied
        found: Profile = profile
        return found


def _lead(url_name: str, chosen: QuerySet[Profile]) -> HttpResponse:
    """Lead to a page about the chosen people."""
    ids = ",".join(str(pk) for pk in chosen.order_by("pk").values_list("pk", flat=True))
    return HttpResponseRedirect(f"{reverse(url_name)}?ids={ids}")


def _leading(act: panels.Act) -> Callable[[ProfileAdmin, HttpRequest, QuerySet[Profile]], HttpResponse]:
    return lambda model_admin, request, chosen: _lead(act.url_name, chosen)


def profile_context(profile: Profile, request: HttpRequest) -> dict[str, Any]:
    """Return what the page shows. A handful of statements, and those of the panels."""
    identities = list(profile.identities.order_by("pk")[: IDENTITIES_SHOWN + 1])
    return {
        "profile": profile,
        "traits": sorted(profile.traits.items()),
        "computed": set(ComputedTrait.objects.values_list("name", flat=True)),
        "identities": identities[:IDENTITIES_SHOWN],
        "more_identities": len(identities) > IDENTITIES_SHOWN,
        "badges": panels.shown(panels.BADGES, profile, request),
        "panels": panels.shown(panels.PROFILE, profile, request),
        "activity": activity(profile, Wish.of(request)),
        "kinds": [(key, label) for key, (label, _types) in KINDS.items()],
    }
