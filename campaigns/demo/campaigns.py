"""The demo's campaigns as definitions (see docs/architecture.md for the shape)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from campaigns.demo import mails
from campaigns.starters import OFFICE_HOURS

HOUR = 3600
# An hour takes ten seconds. It stands in the campaign's settings, where anybody can see and change it.
PRICING_SPEED = 360


@dataclass(frozen=True, slots=True)
class DemoCampaign:
    name: str
    slug: str
    description: str
    draft: Mapping[str, Any]


def demo_campaigns(templates: Mapping[str, int], time_zone: str) -> list[DemoCampaign]:
    """Return the campaigns; ``templates`` leads from a template's name to its id."""
    return [_welcome(templates, time_zone), _pricing(templates, time_zone), _tips(templates, time_zone)]


def _welcome(templates: Mapping[str, int], time_zone: str) -> DemoCampaign:
    draft = {
        "trigger": {"event": "Signed Up", "where": None},
        "reentry": {"rule": "once", "hours": 24},
        "steps": [_send("mail", "Welcome mail", templates[mails.WELCOME.name])],
        "goal": None,
        "time_zone": time_zone,
        "speed": 1,
    }
    return DemoCampaign("Welcome", "welcome", "Greets everybody who signs up, at once.", draft)


def _pricing(templates: Mapping[str, int], time_zone: str) -> DemoCampaign:
    description = (
        "An hour after a look at the prices, in office hours where the person lives: the plan in short. Here an "
        f"hour takes ten seconds: see “speed” in the settings of the workflow ({PRICING_SPEED})."
    )
    draft = {
        "trigger": {"event": "Visited Pricing Page", "where": None},
        "reentry": {"rule": "always", "hours": 24},
        "steps": [
            {"id": "wait", "kind": "delay", "name": "Wait an hour", "seconds": HOUR},
            dict(OFFICE_HOURS),
            _send("mail", "The plan in short", templates[mails.PRICING.name]),
        ],
        "goal": {"event": "Order Completed", "where": None, "hours": 7 * 24},
        "time_zone": time_zone,
        "speed": PRICING_SPEED,
    }
    return DemoCampaign("Pricing follow-up", "pricing-follow-up", description, draft)


def _tips(templates: Mapping[str, int], time_zone: str) -> DemoCampaign:
    team = {
        "id": "team",
        "name": "Team",
        "if": {"trait": "plan", "is": "team"},
        "steps": [_send("team-mail", "Tips for teams", templates[mails.TEAM_TIPS.name])],
    }
    others = {
        "id": "else",
        "name": "Everybody else",
        "if": None,
        "steps": [_send("starter-mail", "Tips for starters", templates[mails.STARTER_TIPS.name])],
    }
    draft = {
        "trigger": {"event": "Project Created", "where": None},
        "reentry": {"rule": "period", "hours": 24},
        "steps": [{"id": "plan", "kind": "branch", "name": "Which plan?", "paths": [team, others]}],
        "goal": None,
        "time_zone": time_zone,
        "speed": 1,
    }
    description = "Tips that fit the plan: one mail for teams, another for everybody else."
    return DemoCampaign("Project tips", "project-tips", description, draft)


def _send(step_id: str, name: str, template: int) -> dict[str, Any]:
    return {"id": step_id, "kind": "send", "name": name, "template": template}
