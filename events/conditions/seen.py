"""Say in plain words what was found where a condition looked: values, moments, how often. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

SHOWN = 5
LETTERS = 80
UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
# Farther away than this a date says more than the distance.
FAR_DAYS = 60
KINDS = {bool: "true or false", str: "a text", int: "a number", float: "a number", list: "a list", dict: "an object"}


def value(found: Any) -> str:
    """Say a value of JSON as it is told apart: texts in quotes, long ones cut."""
    match found:
        case None:
            return "empty"
        case bool():
            return "true" if found else "false"
        case str():
            return f"“{found if len(found) <= LETTERS else found[: LETTERS - 1] + '…'}”"
        case list():
            return _several([value(each) for each in found[:SHOWN]], len(found)) if found else "an empty list"
        case dict():
            return f"an object with {_several(list(found)[:SHOWN], len(found))}" if found else "an empty object"
    return f"{found:,}" if isinstance(found, int) and abs(found) > 9_999 else str(found)


def kind(found: Any) -> str:
    """Say of which type a value of JSON is."""
    return next((words for type_, words in KINDS.items() if isinstance(found, type_)), "empty")


def times(number: int) -> str:
    return "once" if number == 1 else f"{number:,} times"


def distance(at: datetime, now: datetime) -> str:
    """Say how far ``at`` is from ``now``, or when it is where that is far: ``2 hours ago``, ``on 3 May 2026``."""
    seconds = round((now - at).total_seconds())
    if abs(seconds) >= FAR_DAYS * 86_400:
        return f"on {at:%-d %B %Y}"
    if seconds == 0:
        return "just now"
    unit, size = next((unit, size) for unit, size in UNITS if abs(seconds) >= size)
    number = abs(seconds) // size
    length = f"{number} {unit}{'s' if number != 1 else ''}"
    return f"{length} ago" if seconds > 0 else f"in {length}"


def _several(words: list[str], number: int) -> str:
    more = number - len(words)
    return ", ".join(words) + (f" and {more:,} more" if more > 0 else "")
