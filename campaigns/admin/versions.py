"""The versions of a campaign: what was published when, by whom, why, and what it changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404

from campaigns import metrics, moving, publishing
from campaigns.admin import compare, figures, page, words
from campaigns.admin import draft as drafts
from campaigns.models import Campaign, CampaignVersion, LivePeriod, Metric, VersionMove
from events import references

SHOWN = 50
# What versions are compared by: how it is called, the metric, and of what it is a share.
COMPARED = (
    ("Entered", Metric.ENTERED, None),
    ("Mails sent", Metric.SENT, None),
    ("Opened", Metric.OPENED, Metric.DELIVERED),
    ("Clicked", Metric.CLICKED, Metric.DELIVERED),
    ("Unsubscribed", Metric.UNSUBSCRIBED, Metric.DELIVERED),
    ("Converted", Metric.CONVERTED, Metric.ENTERED),
)


@dataclass(frozen=True, slots=True)
class Published:
    """One version. ``steps`` are (depth, name, what it does); ``changes`` compare it with the one before."""

    version: CampaignVersion
    is_live: bool
    trigger: str
    reentry: str
    goal: str
    steps: Sequence[tuple[int, str, str]]
    changes: Sequence[str]
    restore_url: str
    back_url: str
    move_url: str
    under_way: int
    move: VersionMove | None


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures of a version, and when it took people in; ``until`` is None where it still does."""

    number: int
    reason: str
    since: datetime | None
    until: datetime | None
    figures: Sequence[figures.Figure]


def show(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """List the versions, newest first."""
    found = list(
        CampaignVersion.objects.filter(campaign=campaign)
        .select_related("published_by")
        .order_by("-number")[: SHOWN + 1]
    )
    names = page.template_names()
    before = {newer.pk: older.definition for newer, older in zip(found, found[1:], strict=False)}
    going = moving.under_way(campaign.pk)
    moves = {move.source_id: move for move in VersionMove.objects.filter(source__in=found, ended_at=None)}
    context = {
        "versions": [
            _published(
                campaign, version, before.get(version.pk), names, going.get(version.pk, 0), moves.get(version.pk)
            )
            for version in found[:SHOWN]
        ],
        "more": len(found) > SHOWN,
        "columns": [label for label, _, _ in COMPARED],
        "measured": _measured(campaign, found[:SHOWN]) if len(found) > 1 else [],
    }
    return page.render_tab(request, campaign, "versions", context)


def _measured(campaign: Campaign, versions: Sequence[CampaignVersion]) -> list[Measured]:
    """Return the figures of each version. Three statements."""
    counted = metrics.of_versions(campaign)
    spans: dict[int, list[LivePeriod]] = defaultdict(list)
    for period in LivePeriod.objects.filter(campaign=campaign).order_by("started_at"):
        spans[period.version_id].append(period)
    return [_measure(version, counted.get(version.pk, {}), spans[version.pk]) for version in versions]


def _measure(version: CampaignVersion, counts: Mapping[str, int], periods: Sequence[LivePeriod]) -> Measured:
    return Measured(
        version.number,
        version.reason,
        periods[0].started_at if periods else None,
        periods[-1].ended_at if periods else None,
        figures.shares(counts, [(metric, base) for _, metric, base in COMPARED]),
    )


def _published(
    campaign: Campaign,
    version: CampaignVersion,
    before: Mapping[str, Any] | None,
    names: Mapping[int, str],
    under_way: int,
    move: VersionMove | None,
) -> Published:
    definition = version.definition
    is_present = version.pk == campaign.live_version_id
    return Published(
        version=version,
        is_live=is_present and campaign.status == Campaign.Status.LIVE,
        trigger=words.trigger(definition),
        reentry=words.reentry(definition),
        goal=words.goal(definition),
        steps=_outline(drafts.opened(definition)["steps"], names, 0),
        changes=compare.changes(before, definition, names),
        restore_url=page.url("restore", campaign, version.number),
        back_url="" if is_present else page.url("roll_back", campaign, version.number),
        move_url=page.url("move", campaign, version.number) if under_way and not is_present and not move else "",
        under_way=under_way,
        move=move,
    )


def _outline(steps: Sequence[drafts.Step], names: Mapping[int, str], depth: int) -> list[tuple[int, str, str]]:
    lines = []
    for step in steps:
        lines.append((depth, words.name(step), words.summary(step, 1, names)))
        for path in drafts.paths(step):
            lines.append((depth + 1, str(path.get("name") or "Path"), words.path(step, path)))
            lines.extend(_outline(path["steps"], names, depth + 2))
    return lines


def roll_back(request: HttpRequest, campaign: Campaign, number: int) -> HttpResponse:
    """Ask for the reason and show what going back changes (GET); make the version live again (POST)."""
    version = get_object_or_404(CampaignVersion, campaign=campaign, number=number)
    reason, found = request.POST.get("reason", ""), []
    if request.method == "POST":
        try:
            new = publishing.roll_back(campaign, version, cast(User, request.user), reason)
        except publishing.NotPublishable as refusal:
            found = [problem.message for problem in refusal.problems]
        else:
            page.log(request, campaign, f"Went back to version {number}, as version {new.number}.")
            messages.success(request, f"What version {number} did is live again, as version {new.number}.")
            return HttpResponseRedirect(page.url("versions", campaign))
    live = campaign.live_version
    context = {
        **page.head(request, campaign),
        "tabs": page.tabs(campaign, "versions"),
        "version": version,
        "changes": compare.changes(live.definition if live else None, version.definition, page.template_names()),
        "reason": reason,
        "problems": found,
        "cancel_url": page.url("versions", campaign),
    }
    title = f"{campaign.name}: back to version {number}"
    return page.render(request, "admin/campaigns/roll_back.html", title, context, 400 if found else 200)


def restore(request: HttpRequest, campaign: Campaign, number: int) -> HttpResponse:
    """Make a version the draft again; publishing stays a step of its own."""
    version = get_object_or_404(CampaignVersion, campaign=campaign, number=number)
    with transaction.atomic():
        references.hold()
        held = Campaign.objects.select_for_update().get(pk=campaign.pk)
        held.draft = compare.thawed(version.definition)
        held.save(update_fields=["draft", "updated_at"])
    page.log(request, campaign, f"Took version {number} as the draft.")
    messages.success(request, f"The draft is version {number} again. Publish it to make it live.")
    return HttpResponseRedirect(page.url("workflow", campaign))
