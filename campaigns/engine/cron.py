"""Days as a cron line names them: its last three fields, day of the month, month and day of the week. Pure.

As cron does it: where both kinds of days are given, a day that is one of either counts; 0 and 7 are Sunday. Source: the
manual page crontab(5). The time of day stands elsewhere: a timetable opens once a day.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
PART = re.compile(r"(?:(?P<all>\*)|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d+))?")
# A line that names no day of so many, from 2000 on, names none at all: the rarest is a 29th of February.
LOOKED_AT = 4 * 366


class CronError(ValueError):
    """What is wrong with a line, in words for whoever wrote it."""


@dataclass(frozen=True, slots=True)
class Cron:
    """Days of the month, months, and days of the week (Monday = 0); None for ``*``."""

    days: frozenset[int] | None
    months: frozenset[int] | None
    weekdays: frozenset[int] | None

    def falls_on(self, day: date) -> bool:
        if self.months is not None and day.month not in self.months:
            return False
        of_month = self.days is not None and day.day in self.days
        of_week = self.weekdays is not None and day.weekday() in self.weekdays
        return of_month or of_week or (self.days is None and self.weekdays is None)


def parse(line: str) -> Cron:
    """Read ``1,15 * *`` or ``* */3 mon-fri``. Raises CronError."""
    fields = line.split()
    if len(fields) == 5:
        raise CronError("leave out the minute and the hour: the time of day stands in “at”")
    if len(fields) != 3:
        raise CronError("needs three fields: day of the month, month and day of the week, such as 1,15 * *")
    days = _field(fields[0], "day of the month", 1, 31)
    months = _field(fields[1], "month", 1, 12, MONTHS)
    weekdays = _field(fields[2], "day of the week", 0, 7, WEEKDAYS)
    cron = Cron(days, months, None if weekdays is None else frozenset((day - 1) % 7 for day in weekdays))
    start = date(2000, 1, 1)
    if not any(cron.falls_on(start + timedelta(days=offset)) for offset in range(LOOKED_AT)):
        raise CronError("names no day of the calendar")
    return cron


def _field(text: str, what: str, least: int, most: int, names: tuple[str, ...] = ()) -> frozenset[int] | None:
    if text == "*":
        return None
    found: set[int] = set()
    for part in text.split(","):
        match = PART.fullmatch(part)
        if match is None:
            raise CronError(f"{part!r} is not a {what}: write numbers, as in 1,15 or 1-5, or */2 for every second")
        step = int(match["step"] or 1)
        if step < 1:
            raise CronError(f"{part!r} goes on by 0 in the {what}")
        first = least if match["all"] else _number(match["first"], what, least, most, names)
        if match["last"]:
            last = _number(match["last"], what, least, most, names)
        else:
            last = most if match["all"] or match["step"] else first
        if last < first:
            raise CronError(f"{part!r} goes backwards in the {what}")
        found.update(range(first, last + 1, step))
    return frozenset(found)


def _number(text: str, what: str, least: int, most: int, names: tuple[str, ...]) -> int:
    offset = 1 if names is MONTHS else 0
    if text.lower() in names:
        return names.index(text.lower()) + offset
    if not text.isdecimal() or not least <= int(text) <= most:
        raise CronError(f"{text!r} is not a {what}: it goes from {least} to {most}")
    return int(text)
