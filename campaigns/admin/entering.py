"""The page that lets people into a campaign by hand: which campaign, who would enter, who would not and why."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from campaigns import entering, workflows
from campaigns.admin import conditions, page, words
from campaigns.models import Campaign
from campaigns.reasons import Entry
from events import patience
from events.admin import gather
from events.audit import Actor
from events.models import Profile
from events.panels import Act

MAY_ENTER = "campaigns.add_journey"
ACT = Act(
    "enter_campaign",
    "Enter into a campaign",
    "admin:campaigns_campaign_enter",
    (page.VIEW, MAY_ENTER, "events.view_profile"),
)
# What it may take to see who would enter.
SECONDS = 5


@dataclass(frozen=True, slots=True)
class Outlook:
    """How many would enter by the rules of entry, and of the others how many for which reason; ``rule`` quotes them."""

    entering: int
    others: Sequence[tuple[str, int]]
    rule: str
    condition: str


def show(request: HttpRequest) -> HttpResponse:
    """Ask for the campaign, show what would come of it (GET), and do it (POST)."""
    if not request.user.has_perms(ACT.permissions):
        raise PermissionDenied
    live = Campaign.objects.filter(status=Campaign.Status.LIVE).select_related("live_version").order_by("name")
    campaign = live.filter(slug=request.GET.get("campaign", "")).first()
    search, ids = gather.search_of(request.GET), gather.ids_of(request.GET)
    if request.method == "POST" and campaign and ids:
        return _enter(request, campaign, ids)
    context: dict[str, object] = {
        "live": list(live.values_list("slug", "name")),
        "campaign": campaign,
        "ids": ids,
        "words": search.words(),
        "some": gather.some_of(search, ids),
        "asked": [(name, value) for name, value in request.GET.items() if name != "campaign"],
        "key": uuid.uuid4().hex,
        "back": _back(request, ids),
    }
    if campaign:
        people = Profile.objects.filter(pk__in=ids) if ids else search.people(Profile.objects.all())
        context["outlook"] = outlook_of(campaign, people)
    return page.render(request, "admin/campaigns/enter.html", "Enter into a campaign", context)


def outlook_of(campaign: Campaign, people: QuerySet[Profile]) -> Outlook | None:
    """Return what would come of it; None where to find out takes too long."""
    version = campaign.live_version
    assert version is not None, "it is live"
    reentry = workflows.of_versions({version.pk})[version.pk].reentry
    try:
        with patience.at_most(SECONDS):
            found = entering.outlook(campaign, reentry, people, timezone.now())
    except patience.TooLong:
        return None
    where = version.definition["trigger"].get("where")
    others = [(entry.label, number) for entry, number in found.items() if entry is not Entry.ENTERED]
    return Outlook(
        found.get(Entry.ENTERED, 0),
        sorted(others, key=lambda other: -other[1]),
        words.reentry(version.definition),
        conditions.words(where) if where else "",
    )


def _back(request: HttpRequest, ids: list[int]) -> str:
    if len(ids) == 1:
        return reverse("admin:events_profile_change", args=ids)
    return reverse("admin:events_profile_changelist") + ("" if ids else f"?{request.GET.urlencode()}")


def _enter(request: HttpRequest, campaign: Campaign, ids: list[int]) -> HttpResponse:
    number = entering.enter(campaign, ids, Actor.of_user(request.user).name, request.POST.get("key", "")[:40])
    if number:
        page.log(request, campaign, f"Asked for {number:,} people to be let in by hand.")
        who = "One person is" if number == 1 else f"{number:,} people are"
        messages.success(request, f"{who} on the way into {campaign.name}. Who does not enter is told with the reason.")
    return HttpResponseRedirect(_back(request, ids) if len(ids) == 1 else page.url("journeys", campaign))
