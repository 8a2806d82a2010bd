"""The sorts of steps that pages offer: what each is called, looks like, and is like when it is new. Pure.

Mostly a sort is a kind of the definition. What waits differs more for people than for the engine: waiting an hour,
until Tuesday and for a birthday are sorts of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Step = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sort:
    """``stem`` begins the ids of such steps; ``fresh`` is what a new one holds beside id and name."""

    label: str
    hint: str
    icon: str
    stem: str
    fresh: Step = field(default_factory=dict)
    kind: str = ""


SORTS: dict[str, Sort] = {
    "send": Sort("Send a mail", "from one of your templates", "mail", "mail", {"template": None}),
    "delay": Sort("Wait", "an hour, three days, or by chance", "hourglass_top", "wait", {"seconds": 86_400}),
    "until-day": Sort(
        "Wait until a day of the week",
        "next Tuesday, 9 o’clock in the person’s time zone",
        "calendar_view_week",
        "day",
        {"until": {"days_of_week": [1], "at": "09:00"}},
        "delay",
    ),
    "until-date": Sort(
        "Wait for a date of the person",
        "two weeks before renews_at",
        "event",
        "date",
        {"until": {"trait": "", "days": 0, "at": "09:00"}},
        "delay",
    ),
    "window": Sort(
        "Only at certain hours",
        "Mon–Fri, 9 to 17, in the person’s time zone",
        "schedule",
        "hours",
        {"days": [0, 1, 2, 3, 4], "start": "09:00", "end": "17:00"},
    ),
    "branch": Sort(
        "Split by a condition",
        "different steps for different people",
        "alt_route",
        "split",
        {"paths": [{"id": "path", "name": "", "if": None, "steps": []}, {"id": "else", "name": "Everybody else"}]},
    ),
    "split": Sort(
        "Split by chance",
        "so many per cent here, the others there",
        "call_split",
        "chance",
        {"paths": [{"id": "a", "name": "A", "weight": 50}, {"id": "b", "name": "B", "weight": 50}]},
    ),
    "wait-event": Sort(
        "Wait for an event",
        "such as the same order being paid, with a path for when it does not come",
        "notifications",
        "heard",
        {
            "event": "",
            "seconds": 86_400,
            "paths": [{"id": "met", "name": "It happened"}, {"id": "late", "name": "It did not"}],
        },
        "wait",
    ),
    "wait-condition": Sort(
        "Wait until a condition holds",
        "with a path for when it never does",
        "rule",
        "until",
        {
            "if": None,
            "seconds": 86_400,
            "paths": [{"id": "met", "name": "It holds"}, {"id": "late", "name": "Time is over"}],
        },
        "wait",
    ),
    "quiet": Sort(
        "Wait until it is quiet",
        "until nothing of the kind has come for a while",
        "snooze",
        "quiet",
        {"event": "", "seconds": 600, "most": 86_400},
    ),
    "limit": Sort(
        "Let only so many through",
        "100 an hour; the others wait their turn",
        "speed",
        "pace",
        {"number": 100, "seconds": 3_600},
    ),
    "update": Sort("Set traits", "on the person, from texts and numbers", "edit_note", "traits", {"traits": {}}),
    "track": Sort(
        "Track an event",
        "which segments and other campaigns hear of",
        "add_alert",
        "track",
        {"event": "", "properties": {}},
    ),
    "subscribe": Sort(
        "Subscribe or unsubscribe",
        "to a topic, or from it",
        "how_to_reg",
        "topic",
        {"topic": "", "subscribed": True},
    ),
    "start": Sort(
        "Start another campaign",
        "for the same person",
        "rocket_launch",
        "start",
        {"campaign": "", "properties": {}},
    ),
    "call": Sort(
        "Call a web address",
        "a webhook, whose answer later texts can use",
        "webhook",
        "call",
        {"method": "POST", "url": "", "headers": {}, "body": "", "seconds": 3_600},
    ),
    "goto": Sort("Go back", "to an earlier step, so many times at most", "replay", "back", {"to": "", "times": 1}),
    "exit": Sort("End here", "the journey is over", "logout", "end"),
}
# Where people may stay for a while.
WAITING = frozenset({"delay", "window", "wait", "quiet", "limit", "call"})
# Kinds whose paths can be added to and taken away.
GROWING = frozenset({"branch", "split"})
WITH_PATHS = GROWING | {"wait"}
# The condition of a step itself, by sort: under which name it is stored, and how it is asked for.
CONDITIONS = {
    "wait-condition": ("if", "Until this holds"),
    "wait-event": ("where", "Only such events where"),
    "quiet": ("where", "Only such events where"),
}


def name(step: Step) -> str:
    """Return the sort of a step, its kind where that has none."""
    kind, until = str(step.get("kind") or "step"), step.get("until")
    if kind == "delay" and until is not None:
        return "until-date" if isinstance(until, Mapping) and "trait" in until else "until-day"
    if kind == "wait":
        return "wait-condition" if "if" in step else "wait-event"
    return kind


def of(step: Step) -> Sort:
    """Return what pages say of a step; an unknown kind is called by its name."""
    found = name(step)
    return SORTS.get(found) or Sort(found, "", "help", "step")
