"""Whether a campaign goes round without waiting, or starts itself again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from campaigns import places
from campaigns.engine.starts import OnTrait
from campaigns.engine.steps import (
    Call,
    Delay,
    DelayUntilDate,
    DelayUntilDay,
    GoTo,
    HoldUntilQuiet,
    RateLimit,
    StartCampaign,
    Step,
    TrackEvent,
    UpdateProfile,
    WaitUntil,
    Window,
    Workflow,
)
from campaigns.models import Campaign
from campaigns.preflight.finding import Finding

WAITS = (Call, Delay, DelayUntilDate, DelayUntilDay, HoldUntilQuiet, RateLimit, WaitUntil, Window)


def warnings(workflow: Workflow, draft: dict[str, Any], slug: str) -> Iterator[Finding]:
    """Yield what goes in circles. One statement where the campaign starts others."""
    where = places.by_id(draft)
    order = list(where)
    back = _starters(slug) if any(isinstance(step, StartCampaign) for step in workflow.by_id.values()) else set()
    for step in workflow.by_id.values():
        if isinstance(step, GoTo):
            round_ = [workflow.by_id[each] for each in order[order.index(step.to) : order.index(step.id)]]
            if not any(isinstance(each, WAITS) for each in round_):
                yield Finding(
                    "circle",
                    where[step.id],
                    f"people go back up to {step.times} times at once, without waiting in between",
                    "Put a delay between the two steps.",
                )
        if workflow.reentry.rule != "once" and _starts_it_again(step, workflow, slug, back):
            yield Finding(
                "circle",
                where[step.id],
                "this step may start the campaign again for the same person, over and over",
                "Let everybody in only once, or add a condition to the trigger that ends it.",
            )


def _starts_it_again(step: Step, workflow: Workflow, slug: str, back: set[str]) -> bool:
    match step:
        case TrackEvent():
            return step.event == workflow.trigger.event
        case StartCampaign():
            return step.campaign == slug or step.campaign in back
        case UpdateProfile():
            start = workflow.trigger.start
            return isinstance(start, OnTrait) and start.path[0] in step.traits
    return False


def _starters(slug: str) -> set[str]:
    """Return the slugs of the live campaigns from which others lead to the campaign ``slug``. One statement."""
    live = Campaign.objects.filter(status=Campaign.Status.LIVE).exclude(slug=slug)
    leads = {
        own: {str(step.get("campaign")) for _, step in places.all_steps(definition) if step.get("kind") == "start"}
        for own, definition in live.values_list("slug", "live_version__definition")
    }
    found: set[str] = set()
    while more := {own for own, to in leads.items() if own not in found and to & (found | {slug})}:
        found |= more
    return found
