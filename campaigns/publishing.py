"""Publish, pause and resume: the only ways in which what a live campaign does changes."""

from __future__ import annotations

import copy
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from campaigns import late, places, preflight, timetables, workflows
from campaigns.engine import definition as definitions
from campaigns.engine.definition import Problem
from campaigns.engine.starts import OnSchedule, OnSegment
from campaigns.models import Admission, Campaign, CampaignVersion, Journey, LivePeriod
from events import nudges, present, references, watching
from events.models import Segment
from messaging import checking
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
        [step["template"] for _, step in places.send_steps(campaign.draft) if isinstance(step.get("template"), int)]
    )
    for path, step in places.send_steps(campaign.draft):
        template = templates.get(step.get("template") or 0)
        if template is None:
            if isinstance(step.get("template"), int):
                found.append(Problem(f"{path}.template", "this template no longer exists; choose another"))
            continue
        found.extend(
            Problem(f"{path}.template", f"{template.name}: {text}") for text in checking.problems(content_of(template))
        )
    return found + _unknown(campaign.draft)


def _unknown(draft: dict[str, Any]) -> list[Problem]:
    """Return the segment, topics and campaigns that are named and do not exist. Three statements where any are."""
    topics, campaigns = _named(draft, "subscribe", "topic"), _named(draft, "start", "campaign")
    known_topics = set(Topic.objects.values_list("slug", flat=True)) if topics else set()
    known_campaigns = set(Campaign.objects.values_list("slug", flat=True)) if campaigns else set()
    start = definitions.start_of(draft)
    return [
        *_unknown_segment(start.segment if isinstance(start, OnSegment | OnSchedule) else ""),
        *(Problem(f"{path}.topic", f"there is no topic {slug}") for path, slug in topics if slug not in known_topics),
        *(
            Problem(f"{path}.campaign", f"there is no campaign {slug}")
            for path, slug in campaigns
            if slug not in known_campaigns
        ),
    ]


def _unknown_segment(slug: str) -> list[Problem]:
    if not slug or Segment.objects.filter(slug=slug).exists():
        return []
    return [Problem("trigger.segment", f"there is no segment {slug}; choose another")]


@transaction.atomic
def publish(campaign: Campaign, user: User | None, reason: str, seen: Collection[str] | None = None) -> CampaignVersion:
    """Freeze the draft as the next version and let it take people in. Raises NotPublishable.

    ``seen`` are the keys of the warnings that the author has acknowledged; None where nobody was shown any, as in a
    program that publishes.
    """
    held = _held(campaign)
    found = problems(held)
    warned = preflight.warnings(held) if seen is not None and not found else []
    found += [Problem(w.path, f"{w.message}: acknowledge it first") for w in warned if w.key not in (seen or ())]
    if not reason.strip():
        found.append(Problem("reason", "say in a few words why you publish this version"))
    if found:
        raise NotPublishable(found)
    acknowledged = [{"path": warning.path, "message": warning.message} for warning in warned]
    version = _next_version(held, frozen(held.draft), user, reason.strip(), acknowledged)
    campaign.refresh_from_db()
    return version


@transaction.atomic
def roll_back(campaign: Campaign, to: CampaignVersion, user: User | None, reason: str) -> CampaignVersion:
    """Let what version ``to`` froze, mails included, take people in again, as a new version; the draft becomes it too.

    Raises NotPublishable.
    """
    held = _held(campaign)
    found = [*definitions.problems(to.definition), *_unknown(to.definition)]
    if not reason.strip():
        found.append(Problem("reason", f"say in a few words why you go back to version {to.number}"))
    if found:
        raise NotPublishable(found)
    held.draft = thawed(to.definition)
    held.save(update_fields=["draft", "updated_at"])
    version = _next_version(held, to.definition, user, f"Back to version {to.number}: {reason.strip()}", [])
    campaign.refresh_from_db()
    return version


def try_out(campaign: Campaign) -> CampaignVersion:
    """Put the draft live in a world that is not the real one: see ``campaigns.world``. Raises NotPublishable."""
    if found := problems(campaign):
        raise NotPublishable(found)
    return _next_version(campaign, frozen(campaign.draft), None, "Tried out.", [])


def go_live_again(campaign: Campaign) -> None:
    """Put the live version live in a world that is not the real one, from its present moment on."""
    assert campaign.live_version is not None
    _go_live(campaign, campaign.live_version)


def _held(campaign: Campaign) -> Campaign:
    references.hold()
    return Campaign.objects.select_for_update().get(pk=campaign.pk)


def _next_version(
    held: Campaign, definition: dict[str, Any], user: User | None, reason: str, acknowledged: list[dict[str, str]]
) -> CampaignVersion:
    last = held.versions.order_by("-number").first()
    version = CampaignVersion.objects.create(
        campaign=held,
        number=last.number + 1 if last else 1,
        definition=definition,
        reason=reason,
        acknowledged=acknowledged,
        published_by=user,
    )
    _go_live(held, version)
    return version


@transaction.atomic
def pause(campaign: Campaign) -> None:
    """Take nobody in and move nobody on. Journeys keep their place and go on after a resume."""
    _pause(Campaign.objects.select_for_update().get(pk=campaign.pk), "")
    campaign.refresh_from_db()


@transaction.atomic
def halt(campaign_id: int, because: str, guarded_since: datetime | None) -> bool:
    """Pause a campaign that a guard has found wanting, unless somebody has paused or resumed it since the look.

    ``guarded_since`` is what the look began with. Returns whether it was paused.
    """
    held = Campaign.objects.select_for_update().filter(pk=campaign_id, guarded_since=guarded_since).first()
    return held is not None and _pause(held, because)


def _pause(held: Campaign, because: str) -> bool:
    if held.status != Campaign.Status.LIVE:
        return False
    _close_period(held, present.now())
    held.status, held.paused_because = Campaign.Status.PAUSED, because
    held.save(update_fields=["status", "paused_because", "updated_at"])
    return True


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
    for _, step in places.send_steps(definition):
        step["template_version"] = freeze(Template.objects.get(pk=step["template"])).pk
    return definition


def thawed(definition: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of a frozen definition as its draft was."""
    draft = copy.deepcopy(definition)
    for _, step in places.send_steps(draft):
        step.pop("template_version", None)
    return draft


def _named(draft: dict[str, Any], kind: str, key: str) -> list[tuple[str, str]]:
    """Return what the steps of a kind name under ``key``, with their places."""
    return [(place, step[key]) for place, step in places.all_steps(draft) if step.get("kind") == kind and step.get(key)]


def _go_live(campaign: Campaign, version: CampaignVersion) -> None:
    now = present.now()
    _close_period(campaign, now)
    start = definitions.start_of(version.definition)
    asks = sorted(late.looks_back(workflows.of_versions([version.pk])[version.pk].trigger.where))
    LivePeriod.objects.create(campaign=campaign, version=version, event=start.event, asks=asks, started_at=now)
    watching.watch(_owner(campaign), [start.watches] if start.watches else [])
    timetables.follow(campaign, version, now)
    if campaign.paused_because:
        # From the next full minute on, as figures go by minutes: what led to the halt must not do so again.
        campaign.guarded_since = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
    campaign.status, campaign.live_version, campaign.paused_because = Campaign.Status.LIVE, version, ""
    campaign.save(update_fields=["status", "live_version", "paused_because", "guarded_since", "updated_at"])
    # A stage lasts as long as the campaign is live in it.
    Admission.objects.filter(campaign=campaign).update(stage_since=now)
    Journey.objects.filter(campaign=campaign, state=Journey.State.PAUSED).update(state=Journey.State.WAITING)
    nudges.nudge("journeys")


def _close_period(campaign: Campaign, now: datetime) -> None:
    watching.watch(_owner(campaign), [])
    LivePeriod.objects.filter(campaign=campaign, ended_at=None).update(ended_at=now)


def _owner(campaign: Campaign) -> str:
    """Return who watches traits for the campaign."""
    return f"campaign:{campaign.pk}"
