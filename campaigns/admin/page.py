"""What every page of a campaign shares: its address, who may open it, head and tabs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache

from campaigns.admin import compare
from campaigns.models import Campaign
from messaging import versions as template_versions
from messaging.models import Template, TemplateVersion

VIEW, CHANGE = "campaigns.view_campaign", "campaigns.change_campaign"
BADGES = {
    Campaign.Status.DRAFT: "muted",
    Campaign.Status.LIVE: "ok",
    Campaign.Status.PAUSED: "warn",
}
TABS = {
    "workflow": "Workflow",
    "journeys": "Journeys",
    "metrics": "Metrics",
    "intakes": "Letting in",
    "rollout": "Roll-out",
    "tryout": "Try out",
    "backtest": "Backtest",
    "check": "Check set-up",
    "why": "Why?",
    "versions": "Versions",
}


@dataclass(frozen=True, slots=True)
class Tab:
    label: str
    url: str
    current: bool


def page(view: Callable[..., HttpResponse], post: bool = False, change: str = CHANGE) -> Callable[..., HttpResponse]:
    """Turn a function of request, campaign and the rest of the address into an admin view.

    Looking needs the right to view campaigns, sending anything the right ``change``. ``post``: it only answers POST.
    """

    def wrapped(request: HttpRequest, pk: int, **rest: Any) -> HttpResponse:
        safe = request.method in ("GET", "HEAD")
        if not (request.user.has_perm(VIEW) or request.user.has_perm(CHANGE)):
            raise PermissionDenied
        if not safe and not request.user.has_perm(change):
            raise PermissionDenied
        if post and safe:
            return HttpResponse(status=405, headers={"Allow": "POST"})
        campaign = get_object_or_404(Campaign.objects.select_related("live_version"), pk=pk)
        return view(request, campaign, **rest)

    return never_cache(admin.site.admin_view(wrapped))


def url(name: str, campaign: Campaign | int, *more: object) -> str:
    """Return the address of a page of a campaign."""
    pk = campaign if isinstance(campaign, int) else campaign.pk
    return reverse(f"admin:campaigns_campaign_{name}", args=[pk, *more])


def render(
    request: HttpRequest, template: str, title: str, context: Mapping[str, Any], status: int = 200
) -> TemplateResponse:
    """Answer with a page in the admin's frame."""
    request.current_app = admin.site.name  # Unfold reads it
    shared = admin.site.each_context(request)
    return TemplateResponse(request, template, {**shared, "title": title, **context}, status=status)


def render_tab(
    request: HttpRequest, campaign: Campaign, tab: str, context: Mapping[str, Any], status: int = 200
) -> TemplateResponse:
    """Answer with the page of a tab: ``admin/campaigns/<tab>.html``."""
    return render(
        request,
        f"admin/campaigns/{tab}.html",
        f"{campaign.name}: {TABS[tab]}",
        {**head(request, campaign), "tabs": tabs(campaign, tab), **context},
        status,
    )


def log(request: HttpRequest, campaign: Campaign, text: str) -> None:
    """Note in the admin's history who did something to a campaign."""
    admin.site.get_model_admin(Campaign).log_change(request, campaign, text)


def tabs(campaign: Campaign, current: str) -> list[Tab]:
    return [Tab(label, url(name, campaign), name == current) for name, label in TABS.items()]


def head(request: HttpRequest, campaign: Campaign) -> dict[str, Any]:
    """Return what the head of a campaign's pages shows."""
    live = campaign.live_version
    return {
        "campaign": campaign,
        "badge": BADGES[Campaign.Status(campaign.status)],
        "can_change": request.user.has_perm(CHANGE),
        "differs": live is not None and compare.differ(live.definition, campaign.draft),
        "stale_templates": stale_templates(live.definition) if live else [],
        "details_url": url("details", campaign),
        "publish_url": url("publish", campaign),
        "pause_url": url("pause", campaign),
        "resume_url": url("resume", campaign),
        "changelist_url": reverse("admin:campaigns_campaign_changelist"),
    }


def stale_templates(definition: Mapping[str, Any]) -> list[Template]:
    """Return the templates that were edited after the version froze them. At most one statement."""
    frozen = [number for step in compare.steps(definition) if isinstance(number := step.get("template_version"), int)]
    if not frozen:
        return []
    versions = TemplateVersion.objects.filter(pk__in=frozen).select_related("template__layout")
    stale = {
        version.template_id: version.template
        for version in versions
        if version.content != template_versions.current(version.template)
        or version.purpose != version.template.purpose
        or version.topic_id != version.template.topic_id
    }
    return sorted(stale.values(), key=lambda template: template.name)


def template_names() -> dict[int, str]:
    """Return the names of all templates by id."""
    return dict(Template.objects.order_by("name").values_list("pk", "name"))
