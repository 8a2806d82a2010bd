"""When a date of a person's starts a campaign: so many days before or after it, once or every year. Pure.

The 29th of February is the 28th in years that have none: who was born on it hears in the month of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from events.clock import DAY, instant

LEAST_DAYS, MOST_DAYS = -365, 365


@dataclass(frozen=True, slots=True)
class Anniversary:
    """``days`` after a date (before it where negative) at ``clock``; ``yearly``: the date comes again each year."""

    days: int
    clock: time
    yearly: bool = False

    def start(self, occurrence: date, zone: ZoneInfo) -> datetime | None:
        """Return the instant (UTC) that belongs to an occurrence of the date; None where no calendar has it."""
        try:
            return instant(occurrence + self.days * DAY, self.clock, zone)
        except OverflowError:
            return None

    def next(self, known: date, since: datetime, zone: ZoneInfo) -> tuple[date, datetime] | None:
        """Return the first occurrence of the date ``known`` that starts at ``since`` or later, and when it does.

        None where there is none any more. No anniversary comes before the date itself.
        """
        for occurrence in self._occurrences(known, since):
            at = self.start(occurrence, zone)
            if at is not None and at >= since:
                return occurrence, at
        return None

    def _occurrences(self, known: date, since: datetime) -> list[date]:
        """Return those of the years around ``since``: with up to a year before or after it is one of four."""
        if not self.yearly:
            return [known]
        years = range(max(known.year, since.year - 2), min(9999, max(known.year, since.year + 2)) + 1)
        return [in_year(known, year) for year in years]


def in_year(known: date, year: int) -> date:
    """Return the day of ``year`` that is called like ``known``."""
    try:
        return known.replace(year=year)
    except ValueError:
        return known.replace(year=year, day=28)
