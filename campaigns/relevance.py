"""Under which conditions a campaign's message is still wanted when it leaves: the goal not reached, no rule met.

Messaging asks that at the moment of sending (``messaging.relevance``), since a message may wait long after its
journey has handed it over: for its provider, or for quiet hours.
"""

from __future__ import annotations

from typing import Any

from campaigns import exits
from campaigns.engine import leaving
from campaigns.engine.steps import ExitRule, Send, Workflow
from campaigns.reasons import Ending

Unless = dict[str, Any]
NO_LONGER = "No longer meets the conditions to enter"
_made: dict[tuple[int, str], list[Unless]] = {}


def unless(version_id: int, workflow: Workflow, step: Send) -> list[Unless]:
    """Return what makes the messages of a step unwanted. No statement for a step seen before."""
    key = version_id, step.id
    if key not in _made:
        _made[key] = _unless(workflow, step)
    return _made[key]


def _unless(workflow: Workflow, step: Send) -> list[Unless]:
    tree, goal = workflow.definition, workflow.goal
    found: list[Unless] = []
    if goal is not None:
        part = tree["goal"]
        found.append(
            {"event": goal.event, "where": part.get("where"), "hours": goal.hours, "why": "The goal was reached"}
        )
    found += [_rule(rule, part, workflow) for rule, part in zip(workflow.exits, tree.get("exits") or [], strict=True)]
    asked_already = any(rule.ending is Ending.UNMATCHED for rule in workflow.exits)
    meets = leaving.still(tree["trigger"], workflow.trigger.start)
    if step.recheck and meets is not None and not asked_already:
        found.append({"if": {"not": meets}, "why": NO_LONGER})
    return found


def _rule(rule: ExitRule, part: Unless, workflow: Workflow) -> Unless:
    if rule.heard is not None:
        return {key: part.get(key) for key in ("event", "where", "same")} | {"why": "Leaves early"}
    if rule.ending is Ending.CONDITION:
        return {"if": part["if"], "why": f"Leaves early: {exits.why(rule)}"}
    if rule.ending is Ending.UNMATCHED:
        meets = leaving.still(workflow.definition["trigger"], workflow.trigger.start)
        return {"if": {"not": meets}, "why": NO_LONGER}
    return {"if": exits.gone(workflow), "why": rule.ending.label}
