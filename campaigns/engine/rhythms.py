"""When a timetable lets people in: days, and the instants at which a wall clock somewhere shows the time. Pure.

What falls into the hour that is missing where clocks are put forward comes the moment they have jumped; where an hour
comes twice, it comes once, the first time. A month that is too short has its last day instead.
"""

from __future__ import annotations

from calendar import monthrange
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import count, islice
from zoneinfo import ZoneInfo

from campaigns.engine.cron import Cron
from events.clock import DAY, find_zone, instant

ONCE, DAILY, WEEKLY, MONTHLY, CRON = "once", "daily", "weekly", "monthly", "cron"
REPEATS = (ONCE, DAILY, WEEKLY, MONTHLY, CRON)


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Once on the day ``on``, daily, weekly on ``days`` (Monday = 0), monthly on ``day``, or by ``cron``.

    The time of day is ``clock``.
    """

    repeat: str
    clock: time
    on: date | None = None
    days: frozenset[int] = frozenset()
    day: int = 1
    cron: Cron | None = None

    def falls_on(self, day: date) -> bool:
        """Say whether there is an occurrence on a day."""
        match self.repeat:
            case "weekly":
                return day.weekday() in self.days
            case "monthly":
                return day.day == min(self.day, monthrange(day.year, day.month)[1])
            case "once":
                return day == self.on
            case "cron":
                return self.cron is not None and self.cron.falls_on(day)
        return True

    def days_after(self, after: date) -> Iterator[date]:
        """Yield the days of its occurrences behind a day, in their order."""
        if self.repeat == ONCE:
            yield from [self.on] if self.on and self.on > after else []
        elif (self.repeat != WEEKLY or self.days) and (self.repeat != CRON or self.cron):
            yield from (day for offset in count(1) if self.falls_on(day := after + offset * DAY))


def openings(day: date, clock: time, zones: Iterable[str], otherwise: ZoneInfo) -> dict[datetime, list[str]]:
    """Return the instants (UTC) at which it is ``clock`` on ``day`` anywhere, in order, with the zones where it is.

    "" stands for people without a zone, whose clock is that of ``otherwise``.
    """
    found: dict[datetime, list[str]] = defaultdict(list)
    found[instant(day, clock, otherwise)].append("")
    for name in sorted(zones):
        zone = find_zone(name)
        if zone:
            found[instant(day, clock, zone)].append(name)
    return dict(sorted(found.items()))


def upcoming(rhythm: Rhythm, now: datetime, zone: ZoneInfo, number: int) -> list[datetime]:
    """Return the next so many occurrences after ``now`` by the clock of ``zone``, as that shows them."""
    yesterday = now.astimezone(zone).date() - DAY
    found = (instant(day, rhythm.clock, zone) for day in rhythm.days_after(yesterday))
    return [at.astimezone(zone) for at in islice((at for at in found if at > now), number)]
