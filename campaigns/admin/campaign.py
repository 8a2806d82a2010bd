"""The list of campaigns, how a new one begins, and the addresses of a campaign's pages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.views import ChangeList as UnfoldChangeList

from campaigns import metrics, publishing
from campaigns.admin import (
    backtests,
    entering,
    figures,
    intakes,
    journey,
    journeys,
    mending,
    moves,
    naming,
    page,
    publication,
    refused,
    rollout,
    starting,
    tryout,
    validation,
    versions,
    why,
    words,
    workflow,
)
from campaigns.admin import draft as drafts
from campaigns.models import Campaign, Metric
from campaigns.starters import STARTERS
from events.admin_in_turn import InTurnAdmin

FIGURE_DAYS = 7
# Behind the form waits the workflow: there is nothing else to go on with.
SAVE_ONLY = {"show_save_and_add_another": False, "show_save_and_continue": False}


class CampaignList(UnfoldChangeList):
    """A page of campaigns with their figures of the last days."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        since = (timezone.now() - timedelta(days=FIGURE_DAYS)).date()
        figures = metrics.of_campaigns(since)
        for campaign in self.result_list:
            campaign.week = figures.get(campaign.pk, {})


@admin.register(Campaign)
class CampaignAdmin(InTurnAdmin):
    """Campaigns. The change page is the workflow editor; name and description are under "details"."""

    list_display = ("title", "state", "starts_with", "live", "entered", "sent", "converted")
    list_filter = ("status",)
    search_fields = ("name", "description")
    list_select_related = ("live_version",)
    list_per_page = 50
    fields = ("name", "description")
    actions = ("publish_selected", "pause_selected", "resume_selected")
    warn_unsaved_form = True
    empty_help = "Make one with the button above: six are ready made to start from, such as a reminder of the cart."
    change_form_outer_before_template = "admin/campaigns/starters.html"
    view_on_site = False

    class Media:
        css: ClassVar = {"all": ("campaigns/campaigns.css",)}

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return CampaignList

    def get_urls(self) -> list[URLPattern]:
        start = path("add/<slug:slug>/", self.admin_site.admin_view(starting.show), name="campaigns_campaign_start")
        enter = path("enter/", self.admin_site.admin_view(entering.show), name="campaigns_campaign_enter")
        ask = path("why/", self.admin_site.admin_view(why.choose), name="campaigns_campaign_ask_why")
        return [start, enter, ask, *self._page_urls(), *super().get_urls()]

    def _page_urls(self) -> list[URLPattern]:
        act = page.page(journey.act, post=True, change="campaigns.change_journey")
        pages = {
            "workflow": ("workflow/", page.page(workflow.show)),
            "publish": ("publish/", page.page(publication.publish)),
            "pause": ("pause/", page.page(publication.pause, post=True)),
            "resume": ("resume/", page.page(publication.resume, post=True)),
            "journeys": ("journeys/", page.page(journeys.show)),
            "refused": ("journeys/refused/", page.page(refused.show)),
            "mend": ("journeys/mend/", page.page(mending.mend, post=True, change="campaigns.change_journey")),
            "journey": ("journeys/<int:journey_id>/", page.page(journey.show)),
            "journey_act": ("journeys/<int:journey_id>/<slug:action>/", act),
            "metrics": ("metrics/", page.page(figures.show)),
            "intakes": ("intakes/", page.page(intakes.show)),
            "intake_act": ("intakes/<int:intake_id>/<slug:action>/", page.page(intakes.act, post=True)),
            "rollout": ("rollout/", page.page(rollout.show)),
            "rollout_next": ("rollout/next/", page.page(rollout.next_stage, post=True)),
            "check": ("check/", page.page(validation.show)),
            "check_test": ("check/test/", page.page(validation.set_test, post=True, change=validation.CHANGE_PROFILE)),
            "backtest": ("backtest/", page.page(backtests.show)),
            "backtest_cancel": ("backtest/<int:backtest_id>/cancel/", page.page(backtests.cancel, post=True)),
            "backtest_mail": (
                "backtest/<int:backtest_id>/<int:sample>/<int:number>/",
                page.page(backtests.mail, change="messaging.view_message"),
            ),
            "tryout": ("tryout/", page.page(tryout.show, change=page.VIEW)),
            "why": ("why/", page.page(why.show)),
            "versions": ("versions/", page.page(versions.show)),
            "restore": ("versions/<int:number>/restore/", page.page(versions.restore, post=True)),
            "roll_back": ("versions/<int:number>/back/", page.page(versions.roll_back)),
            "move": ("versions/<int:number>/move/", page.page(moves.show, change="campaigns.change_journey")),
            "details": ("details/", self.admin_site.admin_view(self.details)),
        }
        return [path(f"<int:pk>/{end}", view, name=f"campaigns_campaign_{name}") for name, (end, view) in pages.items()]

    def details(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Edit name and description."""
        response: HttpResponse = self.changeform_view(request, str(pk), "", SAVE_ONLY)
        return response

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        offered = [each for each in STARTERS if starting.may(request, each)]
        context = {**SAVE_ONLY, "title": "New campaign", "starters": offered, **(extra_context or {})}
        response: HttpResponse = super().add_view(request, form_url, context)
        return response

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "description" and field:
            field.widget.attrs["rows"] = 3
        return field

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Mapping[str, Any] | None = None
    ) -> HttpResponse:
        """Lead to the workflow editor: it is what people mean by "the campaign"."""
        if not object_id.isdigit():
            return HttpResponseRedirect(reverse("admin:campaigns_campaign_changelist"))
        return HttpResponseRedirect(page.url("workflow", int(object_id)))

    def save_model(self, request: HttpRequest, obj: Campaign, form: ModelForm[Campaign], change: Any) -> None:
        if not change:
            obj.slug = naming.unused_slug(obj.name)
            obj.draft = drafts.empty()
        super().save_model(request, obj, form, change)

    def response_add(self, request: HttpRequest, obj: Campaign, post_url_continue: str | None = None) -> HttpResponse:
        messages.success(request, f"{obj.name} is ready to be filled in: choose what starts it and what it sends.")
        return HttpResponseRedirect(page.url("workflow", obj) + "?open=trigger")

    def response_change(self, request: HttpRequest, obj: Campaign) -> HttpResponse:
        return HttpResponseRedirect(page.url("workflow", obj))

    def has_delete_permission(self, request: HttpRequest, obj: Campaign | None = None) -> bool:
        """Allow it for drafts only: a campaign that was live is part of people's histories."""
        if obj is None or not super().has_delete_permission(request, obj):
            return False
        return not obj.versions.exists()

    @admin.display(description="Campaign", ordering="name")
    def title(self, campaign: Campaign) -> str:
        return campaign.name

    @admin.display(description="Status", ordering="status")
    def state(self, campaign: Campaign) -> SafeString:
        tone = page.BADGES[Campaign.Status(campaign.status)]
        return format_html('<span class="cb-badge cb-badge--{}">{}</span>', tone, campaign.get_status_display())

    @admin.display(description="Starts with")
    def starts_with(self, campaign: Campaign) -> str:
        version = campaign.live_version
        return words.trigger(version.definition if version else drafts.opened(campaign.draft))

    @admin.display(description="Version")
    def live(self, campaign: Campaign) -> str:
        return str(campaign.live_version.number) if campaign.live_version else "–"

    @admin.display(description="Entered, 7 days")
    def entered(self, campaign: Campaign) -> str:
        return _figure(campaign, Metric.ENTERED)

    @admin.display(description="Sent")
    def sent(self, campaign: Campaign) -> str:
        return _figure(campaign, Metric.SENT)

    @admin.display(description="Converted")
    def converted(self, campaign: Campaign) -> str:
        return _figure(campaign, Metric.CONVERTED)

    @admin.action(description="Publish …", permissions=["change"])
    def publish_selected(self, request: HttpRequest, queryset: QuerySet[Campaign]) -> HttpResponse | None:
        chosen = list(queryset[:2])
        if len(chosen) == 1:
            return HttpResponseRedirect(page.url("publish", chosen[0]))
        messages.warning(request, "Publish one campaign at a time: each needs a reason of its own.")
        return None

    @admin.action(description="Pause", permissions=["change"])
    def pause_selected(self, request: HttpRequest, queryset: QuerySet[Campaign]) -> None:
        live = list(queryset.filter(status=Campaign.Status.LIVE))
        for campaign in live:
            publishing.pause(campaign)
            self.log_change(request, campaign, "Paused.")
        messages.success(request, _names("Paused", live, "None of them is live."))

    @admin.action(description="Resume", permissions=["change"])
    def resume_selected(self, request: HttpRequest, queryset: QuerySet[Campaign]) -> None:
        paused = list(queryset.filter(status=Campaign.Status.PAUSED))
        for campaign in paused:
            publishing.resume(campaign)
            self.log_change(request, campaign, "Resumed.")
        messages.success(request, _names("Resumed", paused, "None of them is paused."))


def _figure(campaign: Campaign, metric: Metric) -> str:
    week: dict[str, int] = getattr(campaign, "week", {})
    return f"{week.get(metric, 0):,}"


def _names(done: str, campaigns: list[Campaign], none: str) -> str:
    return f"{done}: {', '.join(campaign.name for campaign in campaigns)}." if campaigns else none
