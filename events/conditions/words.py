"""Say a condition in plain words, for people who do not read JSON. Pure.

``say(parse({"event": "Order Completed", "count": {"gte": 3}, "within": "7d"}))`` is
``did “Order Completed” at least 3 times in the last 7 days``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any

from events.conditions.nodes import (
    AllOf,
    AnyOf,
    Belongs,
    Compare,
    Count,
    Edge,
    Followed,
    Foreign,
    Moment,
    Node,
    Not,
    Performed,
    Sequence,
    Total,
    What,
)

OPERATORS = {
    "is": "is",
    "is_not": "is not",
    "gt": "is more than",
    "gte": "is at least",
    "lt": "is less than",
    "lte": "is at most",
    "contains": "contains",
    "starts": "begins with",
    "in": "is one of",
    "before": "is before",
    "after": "is after",
    "within_last": "is in the last",
    "within_next": "is in the next",
}
TIMES = {"gt": "more than", "gte": "at least", "lt": "less than", "lte": "at most", "is": "exactly", "is_not": "not"}
FUNCTIONS = {"sum": "sum", "min": "least", "max": "greatest", "avg": "average"}
VERBS = {
    "track": ("did", "do"),
    "page": ("saw the page", "see the page"),
    "screen": ("saw the screen", "see the screen"),
}
UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60))

# How a property, compared by an operator, is said with such a deed; {} is the value.
Phrases = Mapping[tuple[str, str], str]
# What people do by events that another room writes.
_deeds: dict[str, tuple[str, str, Phrases]] = {}
# Questions of other rooms, by their keys.
_foreign: dict[str, Callable[[Any], str]] = {}


def teach(key: str, words: Callable[[Any], str]) -> None:
    """Let ``words`` say the questions that are registered under ``key``."""
    _foreign[key] = words


def teach_deed(event: str, past: str, plain: str, phrases: Phrases | None = None) -> None:
    """Have people who are tracked as ``event`` said to have ``past``, or that they did not ``plain``.

    ``phrases`` say what is asked of its properties: {("campaign", "is"): "of the campaign {}"}.
    """
    _deeds[event] = past, plain, phrases or {}


def say(node: Node) -> str:
    """Return ``node`` as part of a sentence about a person."""
    match node:
        case AllOf(parts):
            return " and ".join(_part(part) for part in parts)
        case AnyOf(parts):
            return " or ".join(_part(part) for part in parts)
        case Not(Performed(measure=None) as past):
            return _performed(past, did=False)
        case Not(part):
            return f"not {_part(part)}" if isinstance(part, AllOf | AnyOf) else f"not: {say(part)}"
        case Compare():
            return _compare(node)
        case Belongs(type, compare):
            return f"belongs to a {type}" + (f" whose {_compare(compare)}" if compare else "")
        case Performed():
            return _performed(node)
        case Sequence():
            return _sequence(node)
        case Foreign(key, question):
            return _foreign[key](question) if key in _foreign else f"{key} {question}"


def _part(node: Node) -> str:
    """Put what is joined within something joined into brackets."""
    return f"({say(node)})" if isinstance(node, AllOf | AnyOf) and len(node.parts) > 1 else say(node)


def _compare(node: Compare) -> str:
    name = ".".join(node.path)
    subject = f"the event’s {name}" if node.subject == "property" else name
    if node.operator == "exists":
        return f"{subject} is {'known' if node.value else 'not known'}"
    value = _value_of_time(node.operator, node.value) if isinstance(node.value, Moment) else _value(node.value)
    return f"{subject} {OPERATORS[node.operator]} {value}"


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case list():
            return ", ".join(_value(each) for each in value)
        case str():
            return f"“{value}”"
    return f"{value:,}" if isinstance(value, int) and abs(value) > 9_999 else str(value)


def _moment(value: Moment) -> str:
    if isinstance(value, datetime):
        if value.time() in (time(0), time.max) and value.tzinfo is None:
            return f"{value:%-d %B %Y}"
        return f"{value:%-d %B %Y %H:%M}" + (f" {value:%Z}" if value.tzinfo else "")
    if value < timedelta(0):
        return f"{span(-value)} ago"
    return f"{span(value)} from now"


def span(length: timedelta) -> str:
    """Say a length of time in the largest unit that needs no fraction: ``14 days``, ``36 hours``."""
    seconds = int(length.total_seconds())
    unit, size = next(((unit, size) for unit, size in UNITS if seconds % size == 0), ("second", 1))
    number = seconds // size
    return f"{number} {unit}{'s' if number != 1 else ''}"


def _what(what: What) -> str:
    return f"“{what.event}”{_where(what)}"


def _where(what: What) -> str:
    return " where " + say(what.where).replace("the event’s ", "") if what.where else ""


def _since(since: Moment | None) -> str:
    if since is None:
        return ""
    if isinstance(since, timedelta) and since < timedelta(0):
        return f" in the last {span(-since)}"
    return f" since {_moment(since)}"


def _performed(node: Performed, *, did: bool = True) -> str:
    past, plain = _deed(node.what)
    window = _since(node.since)
    done = past if did else f"did not {plain}"
    match node.measure:
        case Count("is", 0) | Count("lt", 1) | Count("lte", 0):
            return f"did not {plain}{window}"
        case Count(operator, number):
            return f"{done} {TIMES[operator]} {number:,} {'time' if number == 1 else 'times'}{window}"
        case Total(function, path, operator, number):
            name = ".".join(path)
            return f"the {FUNCTIONS[function]} of {name} in {_what(node.what)}{window} {OPERATORS[operator]} {number}"
        case Edge(which, operator, value):
            at = {"within_last": "in the last", "within_next": "in the next"}.get(operator, operator)
            return f"{done} for the {which} time{window} {at} {_value_of_time(operator, value)}"
    return f"{done}{window}" + (_then_not(node.then_not) if node.then_not else "")


def _deed(what: What) -> tuple[str, str]:
    """Return what somebody does who is meant, as a thing of the past and in its plain form."""
    if what.type == "track" and what.event in _deeds:
        past, plain, phrases = _deeds[what.event]
        about = _about(what, phrases)
        return past + about, plain + about
    past, plain = VERBS[what.type]
    return f"{past} {_what(what)}", f"{plain} {_what(what)}"


def _about(what: What, phrases: Phrases) -> str:
    """Say what is asked of a deed's properties: first what there are phrases for, the rest as usual."""
    asked = what.where.parts if isinstance(what.where, AllOf) else (what.where,) if what.where else ()
    own, rest = "", list[Node]()
    for each in asked:
        match each:
            case Compare(path=path, operator=operator, value=value) if (".".join(path), operator) in phrases:
                own += " " + phrases[".".join(path), operator].format(_value(value))
            case _:
                rest.append(each)
    return own + (_where(replace(what, where=AllOf(tuple(rest)))) if rest else "")


def _value_of_time(operator: str, value: Moment) -> str:
    return span(value) if operator.startswith("within") and isinstance(value, timedelta) else _moment(value)


def _then_not(then: Followed) -> str:
    same = f" with the same {'.'.join(then.same)}" if then.same else ""
    return f" and for {span(then.within)} after it no {_what(then.what)}{same}"


def _sequence(node: Sequence) -> str:
    steps = ", then ".join(_what(step) for step in node.steps)
    within = f" within {span(node.within)}" if node.within else ""
    same = f" with the same {'.'.join(node.same)}" if node.same else ""
    return f"did {steps}{same}{within}{_since(node.since)}"
