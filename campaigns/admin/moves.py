"""Take who is under way on an old version to the present one: how many stand where, and where they go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404

from campaigns import moving
from campaigns.admin import compare, page
from campaigns.models import Campaign, CampaignVersion
from events.audit import Actor

STAY = "stay"
BEFORE = "Before the first step"


@dataclass(frozen=True, slots=True)
class Place:
    """Where journeys stand in the old version, and what may be chosen for them: (value, label, chosen)."""

    field: str
    name: str
    number: int
    choices: Sequence[tuple[str, str, bool]]


def show(request: HttpRequest, campaign: Campaign, number: int) -> HttpResponse:
    """Show where everybody would go on (GET); take them there (POST)."""
    source = get_object_or_404(CampaignVersion, campaign=campaign, number=number)
    target = campaign.live_version
    if target is None or target == source:
        return HttpResponseRedirect(page.url("versions", campaign))
    standing = moving.standing(source)
    if request.method == "POST":
        return _move(request, campaign, source, target, standing)
    context = {
        **page.head(request, campaign),
        "tabs": page.tabs(campaign, "versions"),
        "source": source,
        "target": target,
        "places": _places(source, target, standing),
        "changes": compare.changes(source.definition, target.definition, page.template_names()),
        "cancel_url": page.url("versions", campaign),
    }
    return page.render(request, "admin/campaigns/move.html", f"{campaign.name}: move from version {number}", context)


def _places(source: CampaignVersion, target: CampaignVersion, standing: Mapping[str, int]) -> list[Place]:
    """Return the places at which anybody stands, in the order of the old version."""
    suggested = moving.suggest(source.definition, target.definition)
    offered = {"": BEFORE, **compare.step_names(target.definition)}
    return [
        Place(
            f"to:{step_id}",
            name,
            standing[step_id],
            [
                *((value, label, suggested.get(step_id) == value) for value, label in offered.items()),
                (STAY, f"Stay on version {source.number}", suggested.get(step_id) is None),
            ],
        )
        for step_id, name in {"": BEFORE, **compare.step_names(source.definition)}.items()
        if standing.get(step_id)
    ]


def _move(
    request: HttpRequest,
    campaign: Campaign,
    source: CampaignVersion,
    target: CampaignVersion,
    standing: Mapping[str, int],
) -> HttpResponse:
    chosen = {step_id: request.POST.get(f"to:{step_id}", STAY) for step_id in standing}
    going = {step_id: to for step_id, to in chosen.items() if to != STAY}
    back = HttpResponseRedirect(page.url("versions", campaign))
    if not going:
        messages.warning(request, "Nobody was moved: for every step it was chosen that they stay.")
        return back
    try:
        move = moving.ask(source, target, going, Actor.of_user(request.user).name)
    except ValueError:
        messages.error(request, "Nobody was moved: the campaign has been published meanwhile. Look again and choose.")
        return back
    if move is None:
        messages.warning(request, "A move from this version is under way already: wait until it is done.")
        return back
    page.log(request, campaign, f"Moves {move.total:,} journeys from version {source.number} to {target.number}.")
    messages.success(
        request, f"{move.total:,} on their way to version {target.number}. Below you see how many are left."
    )
    return back
