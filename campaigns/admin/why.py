"""The tab that answers why somebody did, or did not, get a campaign; also reached from the person's page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone

from campaigns import explain
from campaigns.admin import page, people
from campaigns.explain import About, Line
from campaigns.models import Campaign
from events.models import Profile


@dataclass(frozen=True, slots=True)
class Shown:
    """A line with the address of what it is about, "" for none."""

    line: Line
    url: str
    label: str


def show(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Ask for the person, and tell. Several who share an address are offered."""
    wanted, number = request.GET.get("person", "").strip(), request.GET.get("profile", "")
    matches = list(Profile.objects.filter(pk=number)) if number.isascii() and number.isdigit() else []
    matches = matches or (people.find(wanted) if wanted else [])
    profile = matches[0] if len(matches) == 1 else None
    found = explain.trace(campaign, profile, timezone.now()) if profile else None
    context = {
        "wanted": wanted,
        "matches": matches,
        "profile": profile,
        "profile_url": reverse("admin:events_profile_change", args=[profile.pk]) if profile else "",
        "trace": found,
        "sections": [(each.title, _shown(campaign, each.lines)) for each in found.sections] if found else [],
        "here": page.url("why", campaign),
    }
    return page.render_tab(request, campaign, "why", context)


def choose(request: HttpRequest) -> HttpResponse:
    """Lead from a person's page to the tab of the campaign that was chosen there."""
    campaign = get_object_or_404(Campaign, slug=request.GET.get("campaign", ""))
    number = request.GET.get("profile", "")
    asked = f"?profile={number}" if number.isascii() and number.isdigit() else ""
    return HttpResponseRedirect(page.url("why", campaign) + asked)


def _shown(campaign: Campaign, lines: Sequence[Line]) -> list[Shown]:
    return [Shown(line, *_link(campaign, line.about)) for line in lines]


def _link(campaign: Campaign, about: About | None) -> tuple[str, str]:
    match about:
        case About("event", pk):
            return reverse("admin:events_event_change", args=[pk]), "See the event"
        case About("journey", pk):
            return page.url("journey", campaign, pk), "Open the journey"
        case About("message", pk):
            return reverse("admin:messaging_message_change", args=[pk]), "Open the message"
        case About("campaign", _):
            return page.url("workflow", campaign), "Open the workflow"
    return "", ""
