"""Warn of names in a campaign's draft that nobody has met yet. A warning keeps nobody from publishing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from campaigns import places
from campaigns.engine.definition import Problem, start_of
from events import unknown
from events.conditions import ConditionError
from events.conditions.nodes import What


def warnings(draft: dict[str, Any]) -> list[Problem]:
    """Return what the draft names and nobody has met, each at its place; what cannot be read is passed over."""
    return [found for path, tree, at_hand in _conditions(draft) for found in _of(path, tree, at_hand)]


def _of(path: str, tree: Any, at_hand: What | None) -> Iterator[Problem]:
    try:
        for each in unknown.warnings(tree, at_hand):
            yield Problem(f"{path}.{each.path}" if each.path else path, each.message)
    except ConditionError:
        return


def _conditions(draft: dict[str, Any]) -> Iterator[tuple[str, Any, What | None]]:
    """Yield place, tree and event at hand of all conditions, and of the events that start a journey or are its goal."""
    for key in ("trigger", "goal"):
        part = draft.get(key)
        event = part.get("event") if isinstance(part, dict) else None
        if key == "trigger" and isinstance(part, dict) and "kind" in part:
            event = start_of(draft).event
        if isinstance(part, dict) and isinstance(event, str) and event.strip():
            yield key, {"event": event}, None
            if part.get("where") is not None:
                yield f"{key}.where", part["where"], What(event)
    yield from _exits(draft.get("exits"))
    yield from _steps(draft.get("steps"), "steps")


def _exits(rules: Any) -> Iterator[tuple[str, Any, What | None]]:
    for index, rule in enumerate(rules if isinstance(rules, list) else []):
        if not isinstance(rule, dict):
            continue
        path, event = f"exits[{index}]", rule.get("event")
        if rule.get("when") == "event" and isinstance(event, str) and event.strip():
            yield path, {"event": event}, None
            if rule.get("where") is not None:
                yield f"{path}.where", rule["where"], What(event)
        if rule.get("when") == "condition" and rule.get("if") is not None:
            yield f"{path}.if", rule["if"], None


def _steps(steps: Any, path: str) -> Iterator[tuple[str, Any, What | None]]:
    for place, step in places.steps(steps, path):
        event = step.get("event")
        if step.get("kind") in ("wait", "quiet") and isinstance(event, str) and event.strip():
            yield place, {"event": event}, None
            if step.get("where") is not None:
                yield f"{place}.where", step["where"], What(event)
        if step.get("if") is not None:
            yield f"{place}.if", step["if"], None
        for here, way in places.paths(step, place):
            if way.get("if") is not None:
                yield f"{here}.if", way["if"], None
            yield from _steps(way.get("steps"), f"{here}.steps")
