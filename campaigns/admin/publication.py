"""Publish, pause and resume: the buttons in a campaign's head."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from campaigns import preflight, publishing
from campaigns.admin import cards, compare, page
from campaigns.admin import draft as drafts
from campaigns.engine.definition import Problem
from campaigns.models import Campaign


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What keeps a draft from being published, and the page that mends it."""

    place: str
    message: str
    url: str


@dataclass(frozen=True, slots=True)
class Caution:
    """What the author has to acknowledge; ``key`` names it, ``seen``: they have."""

    obstacle: Obstacle
    advice: str
    key: str
    seen: bool


def obstacles(campaign: Campaign, problems: Iterable[Problem]) -> list[Obstacle]:
    """Return the problems with a link to the card of the editor where each is mended."""
    draft = drafts.opened(campaign.draft)
    faults = [cards.locate(draft, problem) for problem in problems if problem.path != "reason"]
    editor = page.url("workflow", campaign)
    return [
        Obstacle(fault.place, fault.message, f"{editor}?{urlencode({'open': fault.anchor})}#{fault.anchor}")
        for fault in faults
    ]


def publish(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Ask for the reason and show what will change (GET); publish (POST)."""
    reason, error = "", ""
    if request.method == "POST":
        reason, seen = request.POST.get("reason", ""), request.POST.getlist("seen")
        try:
            version = publishing.publish(campaign, cast(User, request.user), reason, seen)
        except publishing.NotPublishable as refusal:
            error = next((problem.message for problem in refusal.problems if problem.path == "reason"), "")
        else:
            page.log(request, campaign, f"Published version {version.number}.")
            messages.success(request, f"Version {version.number} is live. Now send an event and watch it arrive.")
            if "matching" in request.POST:
                return HttpResponseRedirect(page.url("intakes", campaign) + "#matching")
            return HttpResponseRedirect(page.url("check", campaign))
    return _ask(request, campaign, reason, error)


def _cautions(campaign: Campaign, seen: Collection[str]) -> list[Caution]:
    found = preflight.warnings(campaign)
    places = obstacles(campaign, [Problem(warning.path, warning.message) for warning in found])
    return [
        Caution(place, warning.advice, warning.key, warning.key in seen)
        for place, warning in zip(places, found, strict=True)
    ]


def _ask(request: HttpRequest, campaign: Campaign, reason: str, error: str) -> HttpResponse:
    found, cautions = obstacles(campaign, publishing.problems(campaign)), []
    if not found:
        cautions = _cautions(campaign, request.POST.getlist("seen"))
    live = campaign.live_version
    names = page.template_names()
    changes = compare.changes(live.definition if live else None, campaign.draft, names)
    context = {
        **page.head(request, campaign),
        "tabs": page.tabs(campaign, ""),
        "obstacles": found,
        "cautions": cautions,
        "unseen": request.method == "POST" and any(not caution.seen for caution in cautions),
        "forecast": preflight.forecast(campaign),
        "changes": changes,
        "next_number": live.number + 1 if live else 1,
        "reason": reason,
        "error": error,
        "cancel_url": page.url("workflow", campaign),
    }
    status = 400 if request.method == "POST" else 200
    return page.render(request, "admin/campaigns/publish.html", f"{campaign.name}: publish", context, status)


def pause(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Pause and return to where the button was."""
    publishing.pause(campaign)
    page.log(request, campaign, "Paused.")
    messages.success(request, "Paused: nobody enters, and those under way keep their place until you resume.")
    return HttpResponseRedirect(page.url("workflow", campaign))


def resume(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Resume and return to where the button was."""
    publishing.resume(campaign)
    page.log(request, campaign, "Resumed.")
    messages.success(request, "Live again. Waits that ran out during the pause go on at once.")
    return HttpResponseRedirect(page.url("workflow", campaign))
