"""The versions of a campaign: what was published when, by whom, why, and what it changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404

from campaigns.admin import compare, page, words
from campaigns.admin import draft as drafts
from campaigns.models import Campaign, CampaignVersion
from events import references

SHOWN = 50


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


def show(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """List the versions, newest first."""
    found = list(
        CampaignVersion.objects.filter(campaign=campaign)
        .select_related("published_by")
        .order_by("-number")[: SHOWN + 1]
    )
    names = page.template_names()
    before = {newer.pk: older.definition for newer, older in zip(found, found[1:], strict=False)}
    context = {
        "versions": [_published(campaign, version, before.get(version.pk), names) for version in found[:SHOWN]],
        "more": len(found) > SHOWN,
    }
    return page.render_tab(request, campaign, "versions", context)


def _published(
    campaign: Campaign, version: CampaignVersion, before: Mapping[str, Any] | None, names: Mapping[int, str]
) -> Published:
    definition = version.definition
    return Published(
        version=version,
        is_live=version.pk == campaign.live_version_id and campaign.status == Campaign.Status.LIVE,
        trigger=words.trigger(definition),
        reentry=words.reentry(definition),
        goal=words.goal(definition),
        steps=_outline(drafts.opened(definition)["steps"], names, 0),
        changes=compare.changes(before, definition, names),
        restore_url=page.url("restore", campaign, version.number),
    )


def _outline(steps: Sequence[drafts.Step], names: Mapping[int, str], depth: int) -> list[tuple[int, str, str]]:
    lines = []
    for step in steps:
        lines.append((depth, words.name(step), words.summary(step, 1, names)))
        for path in drafts.paths(step):
            lines.append((depth + 1, str(path.get("name") or "Path"), words.path(step, path)))
            lines.extend(_outline(path["steps"], names, depth + 2))
    return lines


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
