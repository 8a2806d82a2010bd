"""Publish, pause and resume: the only ways in which what a live campaign does changes."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from campaigns import places
from campaigns.engine import definition as definitions
from campaigns.engine.definition import Problem
from campaigns.models import Campaign, CampaignVersion, Journey, LivePeriod
from events import nudges, references
from messaging import rendering
from messaging.models import Template, Topic
from messaging.versions import content_of, freeze


class NotPublishable(ValueError):
    """Raised when a draft cannot run; ``problems`` says where and what to do. Nothing has changed then."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{problem.path}: {problem.message}" for problem in problems))
        self.problems = problems


def problems(campaign: Campaign) -> list[Problem]:
    """Return what keeps the draft from being published: its structure, its templates."""
    found = definitions.problems(campaign.draft)
    templates = Template.objects.select_related("layout").in_bulk(
        [step["template"] for _, step in send_steps(campaign.draft) if isinstance(step.get("template"), int)]
    )
    for path, step in send_steps(campaign.draft):
        template = templates.get(step.get("template") or 0)
        if template is None:
            if isinstance(step.get("template"), int):
                found.append(Problem(f"{path}.template", "this template no longer exists; choose another"))
            continue
        found.extend(
            Problem(f"{path}.template", f"{template.name}: {text}") for text in rendering.problems(content_of(template))
        )
    return found + _unknown(campaign.draft)


def _unknown(draft: dict[str, Any]) -> list[Problem]:
    """Return the topics and campaigns that steps name and that do not exist. Two statements where any are named."""
    topics, campaigns = _named(draft, "subscribe", "topic"), _named(draft, "start", "campaign")
    known_topics = set(Topic.objects.values_list("slug", flat=True)) if topics else set()
    known_campaigns = set(Campaign.objects.values_list("slug", flat=True)) if campaigns else set()
    return [
        *(Problem(f"{path}.topic", f"there is no topic {slug}") for path, slug in topics if slug not in known_topics),
        *(
            Problem(f"{path}.campaign", f"there is no campaign {slug}")
            for path, slug in campaigns
            if slug not in known_campaigns
        ),
    ]


@transaction.atomic
def publish(campaign: Campaign, user: User | None, reason: str) -> CampaignVersion:
    """Freeze the draft as the next version and let it take people in. Raises NotPublishable."""
    references.hold()
    held = Campaign.objects.select_for_update().get(pk=campaign.pk)
    found = problems(held)
    if not reason.strip():
        found.append(Problem("reason", "say in a few words why you publish this version"))
    if found:
        raise NotPublishable(found)
    last = held.versions.order_by("-number").first()
    version = CampaignVersion.objects.create(
        campaign=held,
        number=last.number + 1 if last else 1,
        definition=frozen(held.draft),
        reason=reason.strip(),
        published_by=user,
    )
    _go_live(held, version)
    campaign.refresh_from_db()
    return version


@transaction.atomic
def pause(campaign: Campaign) -> None:
    """Take nobody in and move nobody on. Journeys keep their place and go on after a resume."""
    held = Campaign.objects.select_for_update().get(pk=campaign.pk)
    if held.status == Campaign.Status.LIVE:
        _close_period(held, timezone.now())
        held.status = Campaign.Status.PAUSED
        held.save(update_fields=["status", "updated_at"])
    campaign.refresh_from_db()


@transaction.atomic
def resume(campaign: Campaign) -> None:
    """Go on with the version that was live. Timers that ran out during the pause fire at once."""
    held = Campaign.objects.select_for_update().get(pk=campaign.pk)
    if held.status == Campaign.Status.PAUSED and held.live_version:
        _go_live(held, held.live_version)
    campaign.refresh_from_db()


def frozen(draft: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of ``draft`` whose send steps name the frozen template version they send."""
    definition = copy.deepcopy(draft)
    for _, step in send_steps(definition):
        step["template_version"] = freeze(Template.objects.get(pk=step["template"])).pk
    return definition


def send_steps(definition: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return the place and the tree of every send step, also within paths."""
    return ((place, step) for place, step in all_steps(definition) if step.get("kind") == "send")


def all_steps(definition: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the place and the tree of every step, also within paths; what is malformed is passed over."""
    yield from _all_steps(definition.get("steps"), "steps")


def _all_steps(steps: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for place, step in places.steps(steps, path):
        yield place, step
        for way_place, way in places.paths(step, place):
            yield from _all_steps(way.get("steps"), f"{way_place}.steps")


def _named(draft: dict[str, Any], kind: str, key: str) -> list[tuple[str, str]]:
    """Return what the steps of a kind name under ``key``, with their places."""
    return [(place, step[key]) for place, step in all_steps(draft) if step.get("kind") == kind and step.get(key)]


def _go_live(campaign: Campaign, version: CampaignVersion) -> None:
    now = timezone.now()
    _close_period(campaign, now)
    event = version.definition["trigger"]["event"]
    LivePeriod.objects.create(campaign=campaign, version=version, event=event, started_at=now)
    campaign.status = Campaign.Status.LIVE
    campaign.live_version = version
    campaign.save(update_fields=["status", "live_version", "updated_at"])
    Journey.objects.filter(campaign=campaign, state=Journey.State.PAUSED).update(state=Journey.State.WAITING)
    nudges.nudge("journeys")


def _close_period(campaign: Campaign, now: datetime) -> None:
    LivePeriod.objects.filter(campaign=campaign, ended_at=None).update(ended_at=now)
