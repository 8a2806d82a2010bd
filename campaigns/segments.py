"""Which campaigns use a segment or anything else, where in them, and which a segment's condition asks about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from django.db.models import Exists, OuterRef, Q
from django.urls import reverse

from campaigns import places
from campaigns.models import Campaign, CampaignVersion, Journey, LivePeriod
from events.segments.usage import Use, mentions

# Says whether a part of a definition, as JSON, speaks of something.
Speaks = Callable[[Any], bool]
PARTS = {"trigger": "what starts it", "goal": "its goal", "reentry": "who may enter again", "exits": "who leaves early"}


def uses(slug: str) -> Iterator[Use]:
    """Yield the campaigns that speak of the segment. Three statements."""
    return using(lambda tree: mentions(tree, slug))


def using(speaks: Speaks) -> Iterator[Use]:
    """Yield the campaigns that speak of something: in a version that runs, or in the draft. Three statements."""
    running = _running(speaks)
    for campaign in Campaign.objects.order_by("name"):
        states = dict(running.get(campaign.pk, {}))
        if speaks(campaign.draft):
            states["the draft"] = campaign.draft
        if states:
            yield Use("Campaign", campaign.name, _page(campaign), tuple(_places(states, speaks)))


def asked(condition: Any) -> Iterator[Use]:
    """Yield the campaigns that a segment's condition names: whose journeys or messages it asks about. One statement."""
    named = set(_named(condition))
    if named:
        for campaign in Campaign.objects.filter(slug__in=named).order_by("name"):
            yield Use("Campaign", campaign.name, _page(campaign))


def _running(speaks: Speaks) -> dict[int, dict[str, Any]]:
    """Return by campaign the definitions that take people in or still have some, by how one calls them."""
    live = LivePeriod.objects.filter(version=OuterRef("pk"), ended_at=None)
    under_way = Journey.objects.filter(version=OuterRef("pk")).exclude(state=Journey.State.ENDED)
    versions = CampaignVersion.objects.annotate(live=Exists(live)).filter(Q(live=True) | Q(Exists(under_way)))
    found: dict[int, dict[str, Any]] = defaultdict(dict)
    rows = versions.order_by("number").values_list("campaign_id", "number", "definition", "live")
    for campaign_id, number, definition, is_live in rows:
        if speaks(definition):
            state = "live" if is_live else "which people are still in"
            found[campaign_id][f"version {number}, {state}"] = definition
    return found


def _places(definitions: dict[str, Any], speaks: Speaks) -> Iterator[str]:
    for state, definition in definitions.items():
        parts = [words for part, words in PARTS.items() if speaks(definition.get(part))]
        parts += _steps(definition.get("steps"), speaks)
        yield f"{', '.join(parts) or 'its settings'} ({state})"


def _steps(trees: Any, speaks: Speaks) -> Iterator[str]:
    """Yield the names of the steps and paths that speak of the segment themselves."""
    for _, step in places.steps(trees, ""):
        name = step.get("name") or step.get("id")
        if speaks({key: value for key, value in step.items() if key not in ("paths", "steps")}):
            yield f"the step “{name}”"
        yield from _steps(step.get("steps"), speaks)
        for _, way in places.paths(step, ""):
            if speaks(way.get("if")):
                yield f"the path “{way.get('name') or way.get('id')}” of “{name}”"
            yield from _steps(way.get("steps"), speaks)


def _named(tree: Any) -> Iterator[str]:
    """Yield the short names of campaigns in JSON."""
    parts = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    for part in parts:
        yield from _named(part)
    if isinstance(tree, dict):
        names = (tree.get("journey"), tree.get("campaign") if "message" in tree else None)
        yield from (name for name in names if isinstance(name, str))


def _page(campaign: Campaign) -> str:
    return reverse("admin:campaigns_campaign_change", args=[campaign.pk])
