"""What campaigns add to pages of the events room: a person's journeys, and what an event triggered."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from campaigns.admin import entering, journeys, page, refused
from campaigns.admin.journeys import Row
from campaigns.admin.refused import Refusal
from campaigns.models import Campaign, Decision, Journey, LivePeriod
from campaigns.reasons import Entry
from events import panels
from events.api.parsing import DESTINATION
from events.models import Event, EventDefinition, Pending, Profile

SHOWN = 8
OFFERED = 500
SHOWN_REFUSALS = 5


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an event meant to one campaign: a journey, or the reason why not."""

    campaign: str
    campaign_url: str
    row: Row | None
    refusal: Refusal


def register() -> None:
    """Show the panels from now on."""
    panels.register(panels.PROFILE, "Journeys", profile_journeys)
    panels.register(panels.EVENT, "What it triggered", event_verdicts)
    panels.register_act(entering.ACT)
    panels.register(panels.DEFINITION, "Campaigns that start on it", started_campaigns)


def profile_journeys(profile: Profile, request: HttpRequest) -> panels.Content | None:
    """Return a person's latest journeys, and the latest events that started none. Five statements."""
    if not request.user.has_perm(page.VIEW):
        return None
    latest = Journey.objects.filter(profile=profile).select_related("profile", "campaign").order_by("-pk")[:SHOWN]
    turned_away = Decision.objects.filter(profile=profile).exclude(entry=Entry.ENTERED)
    decisions = turned_away.select_related("profile", "campaign").order_by("-pk")[:SHOWN_REFUSALS]
    return panels.Content(
        "admin/campaigns/profile_journeys.html",
        {
            "rows": journeys.rows(latest, timezone.now()),
            "refusals": refused.refusals(list(decisions)),
            "campaigns": Campaign.objects.order_by("name").values_list("slug", "name")[:OFFERED],
            "may_enter": request.user.has_perms(entering.ACT.permissions),
        },
    )


def started_campaigns(definition: EventDefinition, request: HttpRequest) -> panels.Content | None:
    """Return the campaigns whose live version or draft starts on an event of this name. One statement."""
    if not request.user.has_perm(page.VIEW):
        return None
    campaigns = _starting_on(definition.name)[:SHOWN]
    return panels.Content("admin/campaigns/started_campaigns.html", {"campaigns": campaigns})


def event_verdicts(event: Event, request: HttpRequest) -> panels.Content | None:
    """Return what an event meant to each campaign that listens for it, or why to none. Four statements at most."""
    if not request.user.has_perm(page.VIEW):
        return None
    template = "admin/campaigns/event_verdicts.html"
    if event.type != Event.Type.TRACK:
        return panels.Content(template, {"is_no_trigger": True})
    found = Decision.objects.filter(event_id=event.pk).select_related("profile", "campaign", "journey__profile")
    decisions = list(found.order_by("pk"))
    if decisions:
        return panels.Content(template, {"verdicts": _verdicts(decisions)})
    waiting = Pending.objects.filter(pk=event.pk).exists()
    kept_out = not waiting and _is_kept_out(event)
    listening = [] if waiting or kept_out else list(_starting_on(event.name)[:SHOWN])
    return panels.Content(template, {"waiting": waiting, "kept_out": kept_out, "listening": listening})


def _is_kept_out(event: Event) -> bool:
    """Say whether the sender switched us off for this event: see the tracking API's ``integrations``."""
    chosen = event.extra.get("integrations")
    return isinstance(chosen, dict) and chosen.get(DESTINATION, chosen.get("All", True)) is False


def _starting_on(name: str) -> QuerySet[Campaign]:
    """Return the campaigns whose live version or draft starts on an event of this name."""
    live = LivePeriod.objects.filter(version=OuterRef("live_version"), event=name)
    return Campaign.objects.filter(Q(draft__trigger__event=name) | Q(Exists(live))).order_by("name")


def _verdicts(decisions: Collection[Decision]) -> list[Verdict]:
    started = [decision.journey for decision in decisions if decision.journey]
    rows = {row.journey.pk: row for row in journeys.rows(started, timezone.now())}
    return [
        Verdict(
            campaign=refusal.decision.campaign.name,
            campaign_url=page.url("workflow", refusal.decision.campaign_id),
            row=rows.get(refusal.decision.journey_id or 0),
            refusal=refusal,
        )
        for refusal in refused.refusals(decisions)
    ]
