"""Read spans (``"30d"``) and moments (``"2026-05-01"``, ``"-30d"``) of conditions. Pure."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta

from events.conditions.nodes import Moment

UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
DAY = re.compile(r"\d{4}-\d\d-\d\d")


def span(value: object) -> timedelta | None:
    """Read a span such as ``10m``, ``24h``, ``30d`` or ``2w``; None for anything else. A day is 24 hours."""
    found = re.fullmatch(r"(\d{1,5})([mhdw])", value) if isinstance(value, str) else None
    if not found or int(found[1]) == 0:
        return None
    return timedelta(**{UNITS[found[2]]: int(found[1])})


def moment(value: object, *, end_of_day: bool = False) -> Moment | None:
    """Read a day, a date and time, or a signed span; None for anything else.

    What names no offset from UTC stays naive: it is meant in the person's time zone. A day alone is its beginning, or
    with ``end_of_day`` its end.
    """
    if not isinstance(value, str):
        return None
    if value[:1] in ("+", "-"):
        length = span(value[1:])
        return None if length is None else -length if value[0] == "-" else length
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return datetime.combine(found, time.max) if end_of_day and DAY.fullmatch(value) else found
