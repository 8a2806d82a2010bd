"""Say in words what differs between two definitions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from campaigns.admin import draft as drafts
from campaigns.admin import leaving, words

Definition = Mapping[str, Any]
# What publishing adds; a draft has none of it.
FROZEN = ("template_version",)


def differ(published: Definition | None, draft: Definition) -> bool:
    """Say whether the draft would be another version."""
    return published is None or thawed(published) != thawed(draft)


def changes(before: Definition | None, after: Definition, templates: Mapping[int, str]) -> list[str]:
    """List the differences as sentences, in the order of the page."""
    if before is None:
        return ["This is the first version."]
    old, new = thawed(before), thawed(after)
    return [*_parts(old, new), *_steps(old, new, templates)]


def _parts(old: drafts.Draft, new: drafts.Draft) -> list[str]:
    says = {
        "Trigger": words.trigger,
        "Entry": words.reentry,
        "Goal": words.goal,
        "Leaving early": leaving.summary,
        "Settings": words.settings,
    }
    keys = {
        "Trigger": ("trigger",),
        "Entry": ("reentry",),
        "Goal": ("goal",),
        "Leaving early": ("exits",),
        "Settings": ("time_zone", "speed", "priority"),
    }
    found = []
    for label, say in says.items():
        if any(old.get(key) != new.get(key) for key in keys[label]):
            was, now = say(old), say(new)
            found.append(f"{label}: {was} → {now}" if was != now else f"{label} changed: {now}")
    return found


def _steps(old: drafts.Draft, new: drafts.Draft, templates: Mapping[int, str]) -> list[str]:
    before = {step["id"]: step for step in drafts.walk(old)}
    after = {step["id"]: step for step in drafts.walk(new)}
    found = [f"Removed: {_say(step, old, templates)}" for key, step in before.items() if key not in after]
    for key, step in after.items():
        if key not in before:
            found.append(f"Added: {_say(step, new, templates)}")
        elif _own(before[key]) != _own(step):
            was, now = _say(before[key], old, templates), _say(step, new, templates)
            found.append(f"Changed: {was} → {now}" if was != now else f"Changed: {now}")
    if [key for key in before if key in after] != [key for key in after if key in before] or any(
        _address(old, key) != _address(new, key) for key in before if key in after
    ):
        found.append("The order of the steps changed.")
    return found


def _say(step: drafts.Step, draft: drafts.Draft, templates: Mapping[int, str]) -> str:
    name, does = words.name(step), words.summary(step, 1, templates)
    return does if name in does else f"{name} ({does})"


def _own(step: drafts.Step) -> drafts.Step:
    """Return a step without the steps in its paths: those are compared on their own."""
    own = dict(step)
    if "paths" in own:
        own["paths"] = [{key: value for key, value in path.items() if key != "steps"} for path in drafts.paths(step)]
    return own


def _address(draft: drafts.Draft, step_id: str) -> str:
    place = drafts.place_of(draft, step_id)
    return place.address if place else ""


def thawed(definition: Definition) -> drafts.Draft:
    """Return a definition as a draft: a copy without what publishing adds."""
    plain = drafts.opened(definition)
    for step in drafts.walk(plain):
        for key in FROZEN:
            step.pop(key, None)
    return plain


def step_names(definition: Definition) -> dict[str, str]:
    """Return what people call each step, by its id, in reading order."""
    return {str(step["id"]): words.name(step) for step in steps(definition)}


def steps(definition: Definition) -> list[drafts.Step]:
    """Return every step of a definition, those of branches too, in reading order."""
    return list(drafts.walk(drafts.opened(definition)))
