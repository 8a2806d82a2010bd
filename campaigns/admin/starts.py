"""Say what starts a campaign in plain words. Reads drafts too, so nothing need be there."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from campaigns import requests
from campaigns.admin import called, weekdays
from campaigns.engine import definition as definitions
from campaigns.engine.starts import SEGMENT_ENTERED, SEGMENT_LEFT, TRAIT_CHANGED, OnEvent
from campaigns.listening import REQUESTED

Part = Mapping[str, Any]
OPEN = "Not chosen yet"


def say(part: Part) -> str:
    """Return the start of a trigger as a sentence without its conditions; ``OPEN`` where it is not chosen yet."""
    kind = part.get("kind", "event")
    known = _SAYS.get(kind) if isinstance(kind, str) else None
    return known(part) if known else OPEN


def is_open(part: Part) -> bool:
    """Say whether the start is still to be chosen."""
    return say(part) == OPEN


def event(definition: Mapping[str, Any]) -> str:
    """Return the name of the events that a definition listens for; "" for none yet, and for none but requests."""
    return definitions.start_of(definition).event


def implied(part: Part) -> str:
    """Return the name of the events that its kind listens for, where nobody types the name."""
    start = definitions.start_of({"trigger": part})
    return "" if isinstance(start, OnEvent) else start.event


def _event(part: Part) -> str:
    return str(part.get("event") or "") or OPEN


def _segment(part: Part) -> str:
    if not part.get("segment"):
        return OPEN
    verb = "leaves" if part.get("moved") == "left" else "enters"
    return f"Somebody {verb} the segment {called.segment(part['segment'])}"


def _trait(part: Part) -> str:
    name = _dotted(part.get("trait"))
    if not name:
        return OPEN
    sides = "".join(f" {side} {_value(part[side])}" for side in ("from", "to") if side in part)
    return f"{name} changes{sides}"


def _dotted(path: Any) -> str:
    return ".".join(map(str, path)) if isinstance(path, list) else str(path or "")


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "nothing" if value is None else f"“{text}”"


def _request(part: Part) -> str:
    return "A call of the API, another campaign or one of you asks for it"


def _schedule(part: Part) -> str:
    when = _REPEATS.get(str(part.get("repeat") or "once"), _once)(part)
    if when == OPEN:
        return OPEN
    clock = "by each person’s clock" if part.get("whose", "person") == "person" else "by the campaign’s clock"
    who = f"everybody in the segment {called.segment(part['segment'])}" if part.get("segment") else "everybody"
    return f"{when} at {part.get('at') or '…'}, {clock}: {who}"


def _once(part: Part) -> str:
    try:
        return f"On {date.fromisoformat(part['on']):%a %-d %b %Y}"
    except (KeyError, TypeError, ValueError):
        return OPEN


def _weekly(part: Part) -> str:
    days = part.get("days")
    chosen = [day for day in days if isinstance(day, int)] if isinstance(days, list) else []
    return weekdays.say(chosen).capitalize() if len(chosen) == 7 else f"Each {weekdays.say(chosen)}" if chosen else OPEN


def _monthly(part: Part) -> str:
    return f"On day {part.get('day') or '…'} of each month"


def _cron(part: Part) -> str:
    return f"On the days “{part['cron']}” of a cron line" if part.get("cron") else OPEN


def _date(part: Part) -> str:
    name, days = _dotted(part.get("trait")), part.get("days") or 0
    if not name:
        return OPEN
    shift = f"{abs(days)} day{'' if abs(days) == 1 else 's'} {'before' if days < 0 else 'after'}" if days else "On"
    often = " each year" if part.get("yearly") else ""
    return f"{shift} {name}{often} at {part.get('at') or '…'}, by each person’s clock"


_REPEATS: dict[str, Callable[[Part], str]] = {
    "once": _once,
    "daily": lambda part: "Every day",
    "weekly": _weekly,
    "monthly": _monthly,
    "cron": _cron,
}
_SAYS: dict[str, Callable[[Part], str]] = {
    "event": _event,
    "segment": _segment,
    "trait": _trait,
    "request": _request,
    "schedule": _schedule,
    "date": _date,
}


def because(name: str, properties: Mapping[str, Any]) -> str:
    """Say what an event tells that we have appended ourselves, as the cause of a journey; "" for any other."""
    known = _CAUSES.get(name)
    return known(properties) if known else ""


def _asked(properties: Part) -> str:
    return requests.WORDS.get(str(properties.get("reason") or ""), "it was asked for")


def _changed(properties: Part) -> str:
    return f"{properties.get('trait')} went from {_value(properties.get('from'))} to {_value(properties.get('to'))}"


_CAUSES: dict[str, Callable[[Part], str]] = {
    REQUESTED: _asked,
    TRAIT_CHANGED: _changed,
    SEGMENT_ENTERED: lambda properties: f"entered the segment {_segment_then(properties)}",
    SEGMENT_LEFT: lambda properties: f"left the segment {_segment_then(properties)}",
}


def _segment_then(properties: Part) -> str:
    """Return what the segment was called when the event was told."""
    name = properties.get("name")
    return f"“{name}”" if name else str(properties.get("segment"))
