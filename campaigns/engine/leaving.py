"""Read the rules by which journeys end early. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from campaigns.engine.boxes import heard
from campaigns.engine.starts import OnSchedule, OnSegment, Start
from campaigns.engine.steps import ExitRule
from campaigns.reasons import Ending

if TYPE_CHECKING:
    from campaigns.engine.definition import Reader

Tree = dict[str, Any]
Build = Callable[["Reader", Tree, str, Tree | None], ExitRule]


def still(trigger: Mapping[str, Any], start: Start) -> Tree | None:
    """Return as a condition that somebody still meets what a trigger asks of people; None where it asks nothing."""
    parts = [] if trigger.get("where") is None else [trigger["where"]]
    if isinstance(start, OnSegment):
        inside = {"segment": start.segment}
        parts.insert(0, inside if start.moved == "entered" else {"not": inside})
    if isinstance(start, OnSchedule) and start.segment:
        parts.insert(0, {"segment": start.segment})
    return {"all": parts} if len(parts) > 1 else parts[0] if parts else None


def read(reader: Reader, trees: Any, meets: Tree | None) -> tuple[ExitRule, ...]:
    """Return the rules; mistakes are the reader's problems. ``meets`` is what ``still`` says of the trigger."""
    if not isinstance(trees, list):
        reader.problem("exits", "must be a list of rules")
        return ()
    return tuple(_rule(reader, tree, f"exits[{index}]", meets) for index, tree in enumerate(trees))


def _rule(reader: Reader, tree: Any, path: str, meets: Tree | None) -> ExitRule:
    build = RULES.get(str(tree.get("when"))) if isinstance(tree, dict) else None
    if build is None:
        reader.problem(f"{path}.when", f"must be one of {', '.join(RULES)}")
        return ExitRule(Ending.EVENT)
    return build(reader, tree, path, meets)


def _condition(reader: Reader, tree: Tree, path: str, meets: Tree | None) -> ExitRule:
    if tree.get("if") is None:
        reader.problem(f"{path}.if", "say what ends the journey")
    return ExitRule(Ending.CONDITION, condition=reader.condition(tree.get("if"), f"{path}.if"))


def _event(reader: Reader, tree: Tree, path: str, meets: Tree | None) -> ExitRule:
    return ExitRule(Ending.EVENT, heard=heard(reader, tree, path, "choose the event that ends the journey"))


def _unsubscribe(reader: Reader, tree: Tree, path: str, meets: Tree | None) -> ExitRule:
    return ExitRule(Ending.UNSUBSCRIBED)


def _unmatched(reader: Reader, tree: Tree, path: str, meets: Tree | None) -> ExitRule:
    if meets is None:
        reader.problem(path, "can never come true: the trigger has no conditions that somebody could cease to meet")
        return ExitRule(Ending.UNMATCHED)
    # What is wrong with the trigger's conditions is told there.
    return ExitRule(Ending.UNMATCHED, condition=reader.condition({"not": meets}, "trigger.where"))


RULES: dict[str, Build] = {
    "event": _event,
    "condition": _condition,
    "unmatched": _unmatched,
    "unsubscribe": _unsubscribe,
}
