"""Fill in the texts of steps: Liquid with what messages know as well, such as ``customer``, ``trigger``, ``campaign``.

A text that is one variable and nothing else, such as ``{{ trigger.total }}``, becomes what that is, so that a number
stays one; where there is no such thing, the whole entry is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from campaigns.models import Campaign, Journey
from events import liquid_engine
from events.models import Profile
from messaging import variables

MAX_BYTES = 32 * 1024
_ONE_VARIABLE = re.compile(r"\s*\{\{-?\s*([A-Za-z_]\w*(?:\.\w+)*)\s*-?\}\}\s*")
_NOTHING = object()


class CannotFill(ValueError):
    """Raised for a text whose Liquid is wrong, and for values that are too long; says which entry, and why."""


def known(journey: Journey, campaign: Campaign, answers: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a journey tells its messages and its other steps; ``answers`` are those of its calls, by step."""
    return {
        "trigger": journey.trigger,
        "journey": {"id": journey.pk, "trigger_name": journey.trigger_name, "answers": answers},
        "campaign": {"id": campaign.pk, "name": campaign.name},
    }


def all_variables(journey: Journey, campaign: Campaign, profile: Profile, answers: Mapping[str, Any]) -> dict[str, Any]:
    """Return all that the texts of a step may speak of."""
    return variables.build(profile, known(journey, campaign, answers), "")


def fill(values: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``values`` with every text filled in, also within lists and objects. Raises CannotFill."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        try:
            filled = _fill(value, given)
        except liquid_engine.Fault as fault:
            raise CannotFill(f"{name}: {fault.message}") from fault
        if filled is not _NOTHING:
            found[name] = filled
    if len(json.dumps(found)) > MAX_BYTES:
        raise CannotFill(f"the values are longer than {MAX_BYTES // 1024} KB")
    return found


def said(value: Any) -> str:
    """Return what was filled in as text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _fill(value: Any, given: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        return _text(value, given)
    if isinstance(value, list):
        return [filled for one in value if (filled := _fill(one, given)) is not _NOTHING]
    if isinstance(value, dict):
        return {name: filled for name, one in value.items() if (filled := _fill(one, given)) is not _NOTHING}
    return value


def _text(text: str, given: Mapping[str, Any]) -> Any:
    if "{" not in text:
        return text
    if alone := _ONE_VARIABLE.fullmatch(text):
        return _at(alone[1].split("."), given)
    return liquid_engine.run(text, given, {}, escape=False)


def _at(path: list[str], given: Any) -> Any:
    for name in path:
        if not isinstance(given, Mapping) or given.get(name) is None:
            return _NOTHING
        given = given[name]
    return given
