"""The shop window: a page that plays a customer's application and reports to the public tracking API.

Nothing here goes past the API, but for one thing: people from this page are made test persons, so that their waits
can be skipped and they stay out of the figures. An application of one's own would never do that.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_GET, require_POST

from campaigns.admin import links
from campaigns.demo.campaigns import HOUR
from campaigns.demo.seed import SOURCE
from campaigns.engine.definition import start_of
from campaigns.models import Campaign
from events import testers
from events.models import Identity, SourceKey
from events.templatetags.console import duration

# Ids that this page makes up begin so; nobody else can be made a test person here.
PREFIX = "shop-"
PLANS = (("Starter", "0"), ("Pro", "29"), ("Team", "79"))


@dataclass(frozen=True, slots=True)
class Answer:
    """A live campaign that answers an event, or counts it as its goal, and where that can be watched."""

    name: str
    steps: str
    speed: str
    is_goal: bool
    campaign_url: str
    journeys_url: str
    check_url: str


@require_GET
@ensure_csrf_cookie
def shop(request: HttpRequest) -> HttpResponse:
    key = SourceKey.objects.filter(source__name=SOURCE, kind=SourceKey.Kind.PUBLIC, revoked_at=None).first()
    live = list(Campaign.objects.filter(status=Campaign.Status.LIVE).select_related("live_version").order_by("name"))
    names = ("Signed Up", "Visited Pricing Page", "Project Created", "Order Completed")
    context = {
        "write_key": key.public_value if key else "",
        "prefix": PREFIX,
        "plans": PLANS,
        "answers": {name.lower().replace(" ", "_"): answers(live, name) for name in names},
        "mailbox_url": links.to("messaging_mailbox") or links.to("messaging_message_changelist"),
        "live_url": links.to("events_event_changelist"),
    }
    return render(request, "campaigns/demo/shop.html", context)


@require_POST
def test_person(request: HttpRequest) -> JsonResponse:
    """Make a person of this page a test person."""
    try:
        user_id = str(json.loads(request.body)["userId"])
    except (ValueError, KeyError, TypeError):
        return JsonResponse({"code": "invalid_request", "message": "needs a userId", "field": "userId"}, status=400)
    known = Identity.objects.filter(kind=Identity.Kind.USER, value=user_id).values_list("profile_id", flat=True)
    if not user_id.startswith(PREFIX) or not known:
        return JsonResponse({"code": "not_found", "message": "nobody from this page", "field": "userId"}, status=404)
    testers.switch(known, True)
    return JsonResponse({"success": True})


def answers(live: list[Campaign], event: str) -> list[Answer]:
    """Return the campaigns that ``event`` starts, then those whose goal it is."""
    started = [_answer(campaign, False) for campaign in live if start_of(_definition(campaign)).event == event]
    return started + [_answer(campaign, True) for campaign in live if _goal(campaign) == event]


def _goal(campaign: Campaign) -> str:
    found = _definition(campaign).get("goal")
    return str(found.get("event", "")) if isinstance(found, dict) else ""


def _definition(campaign: Campaign) -> dict[str, object]:
    definition: dict[str, object] = campaign.live_version.definition if campaign.live_version else {}
    return definition


def _answer(campaign: Campaign, is_goal: bool) -> Answer:
    steps = _definition(campaign).get("steps")
    names = [str(step.get("name", "")) for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []
    return Answer(
        campaign.name,
        " → ".join(names),
        _speed(_definition(campaign).get("speed")),
        is_goal,
        links.to("campaigns_campaign_change", campaign.pk),
        links.to("campaigns_campaign_journeys", campaign.pk),
        links.to("campaigns_campaign_check", campaign.pk),
    )


def _speed(speed: object) -> str:
    """Say what a campaign's speed makes of an hour; nothing where it runs in earnest."""
    if not isinstance(speed, int) or speed <= 1:
        return ""
    return f"speed {speed}: an hour takes {duration(HOUR / speed)}"
