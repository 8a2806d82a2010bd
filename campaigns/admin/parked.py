"""What single campaigns could not look at, with the error, until somebody lets it try again or gives it up."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from campaigns import parking, strain
from campaigns.admin import page
from campaigns.models import Campaign, Parked
from events.admin_paging import KeysetAdmin, ReadOnly
from events.templatetags.console import moment

# So many are counted each second, along an index, while somebody looks on.
COUNTED = 100_000
LONGEST_REASON = 500


@admin.register(Parked)
class ParkedAdmin(ReadOnly, KeysetAdmin):
    list_display = ("event", "for_campaign", "person", "error", "tried", "since")
    list_display_links = None
    list_filter = ("campaign",)
    list_select_related = ("campaign", "profile")
    list_before_template = "admin/campaigns/parked_note.html"
    empty_title = "All is well"
    empty_help = "Every campaign could look at its events."
    actions = ("try_again", "try_all", "give_up")

    def has_try_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("campaigns.change_parked")

    @admin.action(description="Try the chosen events again", permissions=["try"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[Parked]) -> None:
        self._retry(request, queryset)

    @admin.action(description="Try all events of the same campaigns again", permissions=["try"])
    def try_all(self, request: HttpRequest, queryset: QuerySet[Parked]) -> None:
        self._retry(request, Parked.objects.filter(campaign__in=set(queryset.values_list("campaign", flat=True))))

    @admin.action(description="Give the chosen events up: they start nothing", permissions=["try"])
    def give_up(self, request: HttpRequest, queryset: QuerySet[Parked]) -> HttpResponse | None:
        """Ask why, then give up; the reason stands in the history of the admin."""
        chosen = list(queryset)
        reason = request.POST.get("reason", "").strip()[:LONGEST_REASON]
        if not reason:
            context = {
                **self.admin_site.each_context(request),
                "title": "Give events up",
                "chosen": chosen,
                "campaigns": sorted({str(row.campaign) for row in chosen}),
                "is_missing": "reason" in request.POST,
                "longest": LONGEST_REASON,
            }
            return TemplateResponse(request, "admin/campaigns/give_up.html", context)
        for row in chosen:
            self.log_change(request, row, f"Given up for {row.campaign}: {reason} (It had failed: {row.error})")
        count = parking.drop([row.pk for row in chosen])
        self.message_user(request, f"{count} given up. The decisions about them say so.", messages.SUCCESS)
        return None

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        resting = strain.resting().values("version__campaign")
        more = {
            **_progress(0),
            "resting": Campaign.objects.filter(pk__in=resting).order_by("name"),
            "patience": strain.PATIENCE,
        }
        response: HttpResponse = super().changelist_view(request, {**(extra_context or {}), **more})
        return response

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.progress)
        urls: list[URLPattern] = super().get_urls()
        return [path("progress/", view, name="campaigns_parked_progress"), *urls]

    def progress(self, request: HttpRequest) -> HttpResponse:
        """Return how many are left ``?of=`` those on their way again; when none is the page is read again."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        said = request.GET.get("of", "")
        found = _progress(int(said) if said.isascii() and said.isdigit() and len(said) < 10 else 0)
        if not found["left"]:
            return HttpResponse(headers={"HX-Refresh": "true"})
        return render(request, "admin/campaigns/parked_progress.html", found)

    def _retry(self, request: HttpRequest, queryset: QuerySet[Parked]) -> None:
        count = parking.retry(list(queryset.values_list("pk", flat=True)))
        way = "its way" if count == 1 else "their way"
        text = f"{count:,} on {way} again. Those that fail once more stay here, with one more try."
        self.message_user(request, text, messages.SUCCESS)

    @admin.display(description="Event")
    def event(self, parked: Parked) -> SafeString:
        return _link(reverse("admin:events_event_change", args=[parked.event_id]), parked.name or "Without a name")

    @admin.display(description="Campaign")
    def for_campaign(self, parked: Parked) -> SafeString:
        return _link(page.url("workflow", parked.campaign_id), str(parked.campaign))

    @admin.display(description="Person")
    def person(self, parked: Parked) -> SafeString:
        return _link(reverse("admin:events_profile_change", args=[parked.profile_id]), str(parked.profile))

    @admin.display(description="Tried")
    def tried(self, parked: Parked) -> str:
        times = "once" if parked.tries == 1 else f"{parked.tries} times"
        return f"{times}; on its way again" if parked.retry_at else times

    @admin.display(description="Parked")
    def since(self, parked: Parked) -> SafeString | str:
        return moment(parked.parked_at)


def _progress(of: int) -> dict[str, int]:
    """Return how many are ``left`` and ``done`` of those on their way again: of at least as many as there are."""
    left = Parked.objects.exclude(retry_at=None).order_by().values("pk")[:COUNTED].count()
    of = max(of, left)
    return {"left": left, "of": of, "done": of - left}


def _link(url: str, text: str) -> SafeString:
    return format_html('<a class="cb-link" href="{}">{}</a>', url, text)
