"""Say steps, spans and rules of a definition in plain words. Reads drafts too, so nothing need be there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from campaigns.admin import called, conditions, sorts, starts, weekdays
from campaigns.engine.definition import LIMITS

UNITS = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}
PLACES = {
    "trigger": "What starts it",
    "reentry": "How often",
    "steps": "Steps",
    "goal": "Goal",
    "exits": "Who leaves early",
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


def common_unit(spans: Sequence[float]) -> str:
    """Return the largest unit of which all ``spans`` are whole numbers, else seconds."""
    return next((unit for unit, size in UNITS.items() if all(span and span % size == 0 for span in spans)), "seconds")


def in_unit(seconds: float, unit: str) -> float:
    """Return a span as a number of units, a whole one where it is."""
    return int(seconds // UNITS[unit]) if seconds % UNITS[unit] == 0 else seconds / UNITS[unit]


def name(step: Step) -> str:
    """Return what to call a step: its own name, else what it does."""
    own = str(step.get("name") or "").strip()
    say = _NAMES.get(sorts.name(step))
    return own or (say and say(step)) or sorts.of(step).label


def _call_delay(step: Step) -> str:
    return f"Wait {_delay_span(step, 1)}" if _number(step.get("seconds")) else ""


def _call_day(step: Step) -> str:
    return f"Wait until {_day_and_time(step['until'])}" if isinstance(step.get("until"), Mapping) else ""


def summary(step: Step, speed: int, templates: Mapping[int, str]) -> str:
    """Say in a sentence what a step does. ``templates`` are the names of the templates by id."""
    say = _SUMMARIES.get(sorts.name(step))
    return say(step, speed, templates) if say else "A kind of step that this page cannot show; it is kept as it is"


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and value > 0


def _delay(step: Step, speed: int, templates: Mapping[int, str]) -> str:
    if not _number(step.get("seconds")):
        return "Wait: how long is not chosen yet"
    faster = f" ({_delay_span(step, speed)} at this campaign’s speed ×{speed})" if speed > 1 else ""
    chance = ", by chance" if _number(step.get("most")) else ""
    return f"Wait {_delay_span(step, 1)}{chance}{faster}"


def _delay_span(step: Step, speed: int) -> str:
    least, most = step["seconds"] / speed, step.get("most")
    return f"{_fast(least)} to {_fast(most / speed)}" if most is not None and _number(most) else _fast(least)


def _until_day(step: Step, speed: int, templates: Mapping[int, str]) -> str:
    until = step.get("until")
    if not isinstance(until, Mapping):
        return "Wait: until when is not chosen yet"
    return f"Wait until {_day_and_time(until)} in the person’s time zone"


def _day_and_time(until: Step) -> str:
    chosen = weekdays.say(_whole_numbers(until.get("days_of_week")))
    which = "a day" if chosen == "every day" else chosen
    return f"it is {until.get('at') or '?'} on {which}" if chosen != "on no day" else "a day that is not chosen yet"


def _until_date(step: Step, speed: int, templates: Mapping[int, str]) -> str:
    until = step["until"]
    trait = until.get("trait")
    named = ".".join(map(str, trait)) if isinstance(trait, list) else str(trait or "")
    if not named:
        return "Wait for a date: which trait is not chosen yet"
    shift = until.get("days") if isinstance(until.get("days"), int) else 0
    when = f"{abs(shift)} day{'s' if abs(shift) > 1 else ''} {'before' if shift < 0 else 'after'} " if shift else ""
    clock = f", {until['at']}" if until.get("at") else ""
    return f"Wait until {when}the person’s {named}{clock}; who has no such date goes on at once"


def _whole_numbers(values: Any) -> list[int]:
    return [value for value in values if isinstance(value, int)] if isinstance(values, list) else []


def _fast(seconds: float) -> str:
    return span(seconds) if seconds >= 1 else "less than a second"


def _window(step: Step, speed: int, templates: Mapping[int, str]) -> str:
    when = weekdays.say(_whole_numbers(step.get("days")))
    return f"Go on only {when} {step.get('start') or '?'}–{step.get('end') or '?'} in the person’s time zone"


_SENDINGS = {"draft": "Send “{}” once somebody has approved it", "never": "Note “{}”, and send nothing"}


def _send(step: Step, speed: int, templates: Mapping[int, str]) -> str:
    template = step.get("template")
    if not isinstance(template, int):
        return "Send a mail: the template is not chosen yet"
    if template not in templates:
        return "Send a template that no longer exists"
    say = _SENDINGS.get(str(step.get("sending")), "Send “{}”")
    return say.format(templates[template])


def _branch(step: Step, speed: int, templates: Mapping[int, str]) -> str:
    paths = step.get("paths")
    count = len(paths) if isinstance(paths, list) else 0
    return f"Take the first of {count} paths that fits" if count else "Split: there are no paths yet"


def _split(step: Step, speed: int, templates: Mapping[int, str]) -> str:
    ways = step.get("paths")
    count = len(ways) if isinstance(ways, list) else 0
    return f"One of {count} paths by chance; the same person always takes the same" if count else "There are no paths"


def _wait_event(step: Step, speed: int, templates: Mapping[int, str]) -> str:
    if not step.get("event"):
        return "Wait for an event: which is not chosen yet"
    since = " after coming here" if step.get("since") == "step" else ""
    return f"Wait for {heard(step)}{since}, at most {_span_or(step.get('seconds'), speed)}"


def _wait_condition(step: Step, speed: int, templates: Mapping[int, str]) -> str:
    if not step.get("if"):
        return "Wait until a condition holds: which is not said yet"
    return f"Wait until {conditions.words(step['if'])}, at most {_span_or(step.get('seconds'), speed)}"


def _quiet(step: Step, speed: int, templates: Mapping[int, str]) -> str:
    if not step.get("event"):
        return "Wait until it is quiet: of which event is not chosen yet"
    limit = f", at most {_span_or(step['most'], speed)}" if _number(step.get("most")) else ""
    return f"Wait until there has been no {heard(step)} for {_span_or(step.get('seconds'), speed)}{limit}"


def heard(step: Step) -> str:
    """Say which event a step or a rule hears."""
    same = step.get("same")
    keyed = f" with the same {'.'.join(map(str, same)) if isinstance(same, list) else same}" if same else ""
    where = f", if {conditions.words(step['where'])}" if step.get("where") else ""
    return f"{step['event']}{keyed}{where}"


def _span_or(seconds: Any, speed: int) -> str:
    if not _number(seconds):
        return "a time that is not chosen yet"
    return span(seconds) if speed == 1 else f"{span(seconds)} ({_fast(seconds / speed)} at ×{speed})"


def _limit(step: Step, speed: int, templates: Mapping[int, str]) -> str:
    return (
        f"At most {step.get('number') or '?'} people in {_span_or(step.get('seconds'), 1)}; the others wait their turn"
    )


def _update(step: Step, speed: int, templates: Mapping[int, str]) -> str:
    values = step.get("traits")
    if not isinstance(values, Mapping) or not values:
        return "Set traits: none is named yet"
    said = [f"{name} away" if value is None else f"{name} to {_short(value)}" for name, value in values.items()]
    return f"Set {', '.join(said[:3])}{' …' if len(said) > 3 else ''}"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"“{text[:40]}…”" if len(text) > 40 else f"“{text}”"


def _track(step: Step, speed: int, templates: Mapping[int, str]) -> str:
    return f"Track “{step['event']}”" if step.get("event") else "Track an event: its name is not chosen yet"


def _subscribe(step: Step, speed: int, templates: Mapping[int, str]) -> str:
    verb = "Subscribe to" if step.get("subscribed") else "Unsubscribe from"
    named = f"the topic {called.topic(step['topic'])}" if step.get("topic") else "a topic that is not chosen yet"
    return f"{verb} {named}"


def _start(step: Step, speed: int, templates: Mapping[int, str]) -> str:
    named = (
        f"the campaign {called.campaign(step['campaign'])}"
        if step.get("campaign")
        else "a campaign that is not chosen yet"
    )
    return f"Let the person into {named}"


def _call(step: Step, speed: int, templates: Mapping[int, str]) -> str:
    if not step.get("url"):
        return "Call a web address: which is not said yet"
    return f"{step.get('method') or 'POST'} {step['url']}, tried for {_span_or(step.get('seconds'), 1)}"


def _go_to(step: Step, speed: int, templates: Mapping[int, str]) -> str:
    if not step.get("to"):
        return "Go back: to which step is not chosen yet"
    times = step.get("times", 1)
    return f"Go back to “{step['to']}”, at most {'once' if times == 1 else f'{times} times'}; then go on"


def _exit(step: Step, speed: int, templates: Mapping[int, str]) -> str:
    return "The journey ends here"


_NAMES = {"delay": _call_delay, "until-day": _call_day}
_SUMMARIES = {
    "delay": _delay,
    "until-day": _until_day,
    "until-date": _until_date,
    "window": _window,
    "send": _send,
    "branch": _branch,
    "split": _split,
    "wait-event": _wait_event,
    "wait-condition": _wait_condition,
    "quiet": _quiet,
    "limit": _limit,
    "update": _update,
    "track": _track,
    "subscribe": _subscribe,
    "start": _start,
    "call": _call,
    "goto": _go_to,
    "exit": _exit,
}


def trigger(definition: Mapping[str, Any]) -> str:
    """Say what starts a journey."""
    part = definition.get("trigger") or {}
    start, where = starts.say(part), part.get("where")
    if start == starts.OPEN:
        return start
    said = f"{start}, if {conditions.words(where)}" if where else start
    return "; ".join([said, *_limits(part)])


def _limits(part: Mapping[str, Any]) -> list[str]:
    """Say a trigger's limits where they are not the usual ones."""
    age, grace = (part.get(name, LIMITS[name]) for name in ("max_age_hours", "grace_minutes"))
    found = [quiet(part)] if part.get("quiet_minutes") else []
    found += [f"events up to {span(age * 3600)} old"] if age != LIMITS["max_age_hours"] else []
    if part.get("where") and grace != LIMITS["grace_minutes"]:
        found.append(f"waits {span(grace * 60)} for missing traits" if grace else "does not wait for missing traits")
    return found


def quiet(part: Mapping[str, Any]) -> str:
    """Say how long a trigger waits for quiet."""
    minutes = part["quiet_minutes"]
    most = part.get("quiet_most_minutes", max(minutes, LIMITS["quiet_most_minutes"]))
    return (
        f"starts with the last one when no more has come for {span(minutes * 60)}, {span(most * 60)} after the first at"
        " the latest"
    )


def limit(definition: Mapping[str, Any], name: str) -> int:
    """Return a limit of the trigger, the usual one where the definition names none."""
    return int((definition.get("trigger") or {}).get(name, LIMITS[name]))


def reentry(definition: Mapping[str, Any]) -> str:
    """Say how often one person may enter."""
    part = definition.get("reentry") or {}
    apart = f" for the same {part['by']}" if part.get("by") else ""
    parallel = part.get("parallel") is True
    if part.get("rule") == "always":
        return _each_time(apart if parallel else "", parallel)
    beside = "; several may be under way at a time" if parallel else ""
    if part.get("rule") == "period":
        return f"At most once in {span(float(part.get('hours') or 0) * 3600)}{apart}{beside}"
    if apart:
        return f"Once{apart}{beside}"
    return "Once: everybody goes through this campaign a single time"


def _each_time(apart: str, parallel: bool) -> str:
    if not parallel or apart:
        return f"Every time the event happens, unless the person is still in the campaign{apart}"
    return "Every time the event happens, also while the person is still in the campaign"


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
    important = definition.get("priority") or "normal"
    rank = f"; {important} priority" if important != "normal" else ""
    return f"{zone} for people whose own is unknown; {pace}{rank}"


def path(step: Step, path: Step) -> str:
    """Say who takes a path of a step."""
    if step.get("kind") == "split":
        return f"{share(step, path)} of all people"
    if step.get("kind") == "wait":
        return "When it happens" if path is next(iter(step.get("paths") or ())) else "When the time is over"
    if "if" not in path:
        return "Everybody whom no path above took"
    return f"If {conditions.words(path['if'])}" if path["if"] else "If … (no condition yet)"


def share(step: Step, path: Step) -> str:
    """Say which part of all takes a path of a split."""
    weights = [way.get("weight") for way in step.get("paths") or () if isinstance(way, Mapping)]
    whole = sum(weight for weight in weights if isinstance(weight, int))
    own = path.get("weight")
    return f"{100 * own / whole:.3g} %" if isinstance(own, int) and whole > 0 else "No part"
