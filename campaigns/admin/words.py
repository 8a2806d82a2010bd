"""Say steps, spans and rules of a definition in plain words. Pure; reads drafts too, so nothing need be there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from campaigns.admin import conditions
from campaigns.engine.definition import LIMITS

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
UNITS = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}
KINDS = {
    "delay": "Wait",
    "window": "Only at certain hours",
    "send": "Send a mail",
    "branch": "Split by a condition",
    "exit": "End here",
}
PLACES = {
    "trigger": "What starts it",
    "reentry": "How often",
    "steps": "Steps",
    "goal": "Goal",
    "settings": "Settings",
}
Step = Mapping[str, Any]


def span(seconds: float) -> str:
    """Say a length of time with its two largest units: ``1 day 2 hours``."""
    left = round(seconds)
    if left < 1:
        return "no time" if seconds <= 0 else "less than a second"
    parts = []
    for unit, size in UNITS.items():
        amount, left = divmod(left, size)
        if amount:
            parts.append(f"{amount} {unit if amount > 1 else unit[:-1]}")
    return " ".join(parts[:2])


def amount(seconds: float) -> tuple[float, str]:
    """Split a span into a number and the largest unit that needs no fraction."""
    for unit, size in UNITS.items():
        if seconds and seconds % size == 0:
            return int(seconds // size), unit
    return seconds, "seconds"


def days(numbers: Sequence[int]) -> str:
    """Say days of the week (Monday = 0), runs joined: ``Mon–Fri``, ``Mon, Wed``."""
    chosen = sorted({number for number in numbers if 0 <= number < 7})
    if len(chosen) in (0, 7):
        return "every day" if chosen else "on no day"
    runs: list[list[int]] = []
    for day in chosen:
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return ", ".join(DAYS[run[0]] if len(run) == 1 else f"{DAYS[run[0]]}–{DAYS[run[-1]]}" for run in runs)


def name(step: Step) -> str:
    """Return what to call a step: its own name, else what it does."""
    kind = str(step.get("kind") or "step")
    own = str(step.get("name") or "").strip()
    if not own and kind == "delay" and isinstance(step.get("seconds"), int | float):
        return f"Wait {span(step['seconds'])}"
    return own or KINDS.get(kind, kind)


def summary(step: Step, speed: int, templates: Mapping[int, str]) -> str:
    """Say in a sentence what a step does. ``templates`` are the names of the templates by id."""
    say = _SUMMARIES.get(str(step.get("kind")))
    return say(step, speed, templates) if say else "A kind of step that this page cannot show; it is kept as it is"


def _delay(step: Step, speed: int, templates: Mapping[int, str]) -> str:
    seconds = step.get("seconds")
    if not isinstance(seconds, int | float) or seconds <= 0:
        return "Wait: how long is not chosen yet"
    faster = f" ({_fast(seconds / speed)} at this campaign’s speed ×{speed})" if speed > 1 else ""
    return f"Wait {span(seconds)}{faster}"


def _fast(seconds: float) -> str:
    return span(seconds) if seconds >= 1 else "less than a second"


def _window(step: Step, speed: int, templates: Mapping[int, str]) -> str:
    chosen = step.get("days")
    when = days([day for day in chosen if isinstance(day, int)] if isinstance(chosen, list) else [])
    return f"Go on only {when} {step.get('start') or '?'}–{step.get('end') or '?'} in the person’s time zone"


def _send(step: Step, speed: int, templates: Mapping[int, str]) -> str:
    template = step.get("template")
    if not isinstance(template, int):
        return "Send a mail: the template is not chosen yet"
    return f"Send “{templates[template]}”" if template in templates else "Send a template that no longer exists"


def _branch(step: Step, speed: int, templates: Mapping[int, str]) -> str:
    paths = step.get("paths")
    count = len(paths) if isinstance(paths, list) else 0
    return f"Take the first of {count} paths that fits" if count else "Split: there are no paths yet"


def _exit(step: Step, speed: int, templates: Mapping[int, str]) -> str:
    return "The journey ends here"


_SUMMARIES = {"delay": _delay, "window": _window, "send": _send, "branch": _branch, "exit": _exit}


def trigger(definition: Mapping[str, Any]) -> str:
    """Say what starts a journey."""
    part = definition.get("trigger") or {}
    event, where = part.get("event"), part.get("where")
    if not event:
        return "Not chosen yet"
    said = f"{event}, if {conditions.words(where)}" if where else str(event)
    return "; ".join([said, *_limits(part)])


def _limits(part: Mapping[str, Any]) -> list[str]:
    """Say a trigger's limits where they are not the usual ones."""
    age, grace = (part.get(name, usual) for name, usual in LIMITS.items())
    found = [f"events up to {span(age * 3600)} old"] if age != LIMITS["max_age_hours"] else []
    if part.get("where") and grace != LIMITS["grace_minutes"]:
        found.append(f"waits {span(grace * 60)} for missing traits" if grace else "does not wait for missing traits")
    return found


def limit(definition: Mapping[str, Any], name: str) -> int:
    """Return a limit of the trigger, the usual one where the definition names none."""
    return int((definition.get("trigger") or {}).get(name, LIMITS[name]))


def reentry(definition: Mapping[str, Any]) -> str:
    """Say how often one person may enter."""
    part = definition.get("reentry") or {}
    if part.get("rule") == "always":
        return "Every time the event happens, unless the person is still in the campaign"
    if part.get("rule") == "period":
        return f"At most once in {span(float(part.get('hours') or 0) * 3600)}"
    return "Once: everybody goes through this campaign a single time"


def goal(definition: Mapping[str, Any]) -> str:
    """Say what counts as success."""
    part = definition.get("goal")
    if not part or not part.get("event"):
        return "No goal: conversions are not counted"
    which = f", if {conditions.words(part['where'])}" if part.get("where") else ""
    return f"{part['event']}{which}, within {span(float(part.get('hours') or 0) * 3600)} of entering"


def settings(definition: Mapping[str, Any]) -> str:
    """Say a campaign's settings."""
    speed = definition.get("speed") or 1
    pace = "real time" if speed == 1 else f"waits run {speed:,} times faster, for trying out"
    zone = definition.get("time_zone") or "The installation’s time zone"
    return f"{zone} for people whose own is unknown; {pace}"


def path(path: Mapping[str, Any]) -> str:
    """Say who takes a path of a branch."""
    if "if" not in path:
        return "Everybody whom no path above took"
    return f"If {conditions.words(path['if'])}" if path["if"] else "If … (no condition yet)"
