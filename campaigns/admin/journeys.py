"""The journeys tab: who is in this campaign, at which step, and what they wait for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone

from campaigns import workflows
from campaigns.admin import compare, page, people, words
from campaigns.admin.standing import Standing, standing
from campaigns.models import Campaign, CampaignVersion, Journey
from events.admin_paging import before_key, page_before

PAGE = 50
UNDER_WAY = (Journey.State.WAITING, Journey.State.PAUSED, Journey.State.STUCK)
Step = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Definition:
    """A version's definition, ready to be looked things up in."""

    number: int
    time_zone: str
    steps: Mapping[str, Step]


@dataclass(frozen=True, slots=True)
class Row:
    """One journey in a list."""

    journey: Journey
    standing: Standing
    version: int
    url: str
    profile_url: str


@dataclass(frozen=True, slots=True)
class Filters:
    """What the list is narrowed to; empty texts narrow nothing."""

    state: str
    step: str
    person: str

    @classmethod
    def of(cls, request: HttpRequest) -> Filters:
        state = request.GET.get("state", "")
        return cls(
            state if state in Journey.State.values else "",
            request.GET.get("step", ""),
            request.GET.get("person", "").strip(),
        )

    @property
    def any(self) -> bool:
        return bool(self.state or self.step or self.person)

    def query(self, **more: Any) -> str:
        pairs = {"state": self.state, "step": self.step, "person": self.person, **more}
        return "?" + urlencode({key: value for key, value in pairs.items() if value})


def show(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """List journeys, newest first. The number of statements does not depend on how many there are."""
    filters = Filters.of(request)
    found = page_before(filtered(campaign, filters), before_key(request), PAGE)
    context = {
        "rows": rows(found.rows, timezone.now()),
        "filters": filters,
        "older_url": filters.query(before=found.older) if found.older else "",
        "is_first": "before" not in request.GET,
        "states": Journey.State.choices,
        "steps": step_names(campaign),
        "refused_url": page.url("refused", campaign),
        "why_url": page.url("why", campaign),
        "here": page.url("journeys", campaign),
        "check_url": page.url("check", campaign),
        "stuck": Journey.objects.filter(campaign=campaign, state=Journey.State.STUCK).exists(),
        # Choosing and a list that draws itself anew do not go together.
        "mend_url": page.url("mend", campaign) if _may_mend(request) and filters.state == Journey.State.STUCK else "",
    }
    if request.headers.get("HX-Request"):
        return page.render(request, "admin/campaigns/journeys_list.html", "", context)
    return page.render_tab(request, campaign, "journeys", context)


def _may_mend(request: HttpRequest) -> bool:
    return request.user.has_perm("campaigns.change_journey")


def filtered(campaign: Campaign, filters: Filters) -> QuerySet[Journey]:
    found = Journey.objects.filter(campaign=campaign).select_related("profile")
    if filters.state:
        found = found.filter(state=filters.state)
    if filters.step:
        found = found.filter(step_id=filters.step)
        if not filters.state:
            found = found.filter(state__in=UNDER_WAY)
    if filters.person:
        found = found.filter(profile__in=[profile.pk for profile in people.find(filters.person)])
    return found


def rows(journeys: Iterable[Journey], now: datetime) -> list[Row]:
    """Return list rows; profiles must have been fetched along. One statement."""
    listed = list(journeys)
    known = definitions({journey.version_id for journey in listed})
    return [row(journey, known[journey.version_id], now) for journey in listed]


def row(journey: Journey, definition: Definition, now: datetime) -> Row:
    zone = workflows.zone_for(journey.profile.time_zone, definition.time_zone)
    return Row(
        journey=journey,
        standing=standing(journey, definition.steps.get(journey.step_id), zone, now),
        version=definition.number,
        url=page.url("journey", journey.campaign_id, journey.pk),
        profile_url=reverse("admin:events_profile_change", args=[journey.profile_id]),
    )


def definitions(version_ids: Collection[int]) -> dict[int, Definition]:
    """Return definitions by version id. One statement."""
    return {
        version.pk: Definition(
            version.number,
            str(version.definition.get("time_zone") or ""),
            {str(step["id"]): step for step in compare.steps(version.definition)},
        )
        for version in CampaignVersion.objects.filter(pk__in=version_ids)
    }


def step_names(campaign: Campaign) -> list[tuple[str, str]]:
    """Return id and name of the steps people can stand at: those of the live version in order, older ones behind."""
    names: dict[str, str] = {}
    for version in CampaignVersion.objects.filter(campaign=campaign).order_by("-number")[:20]:
        for step in compare.steps(version.definition):
            names.setdefault(str(step["id"]), words.name(step))
    return list(names.items())
