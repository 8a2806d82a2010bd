"""Wall-clock reckoning in a person's zone. Pure.

Where clocks are put forward, a window that would open in the missing hour opens the moment the clock has jumped;
where they are put back, the hour that comes twice counts both times, by what the clock on the wall says.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from campaigns.engine.steps import Window
from events.clock import DAY, changes_of_clock, find_zone, instant, readings, zone_of

__all__ = ["find_zone", "instant", "is_open", "next_clock", "next_open", "shifted", "zone_of"]

# A window of one day a week can fall into the missing hour: then it opens in the week after.
LOOK_AHEAD_DAYS = 15


def is_open(window: Window, now: datetime, zone: ZoneInfo) -> bool:
    """Tell whether the wall clock in ``zone`` lies within the window at ``now``."""
    local = now.astimezone(zone)
    clock = local.time()
    if window.start == window.end:
        return local.weekday() in window.days
    if window.start < window.end:
        return local.weekday() in window.days and window.start <= clock < window.end
    yesterday = (local.weekday() - 1) % 7
    return (local.weekday() in window.days and clock >= window.start) or (
        yesterday in window.days and clock < window.end
    )


def next_open(window: Window, now: datetime, zone: ZoneInfo) -> datetime:
    """Return ``now`` if the window is open, else the instant (UTC) at which it opens next."""
    if is_open(window, now, zone):
        return now
    start = time(0) if window.start == window.end else window.start
    changes = list(changes_of_clock(now, LOOK_AHEAD_DAYS, zone))
    for day in _days_from(now, zone):
        # Where clocks are put back, it may open a second time, or the moment they are.
        found = [*readings(day, start, zone), *(at for at in changes if at.astimezone(zone).date() == day)]
        opening = min((at for at in found if at > now and is_open(window, at, zone)), default=None)
        if opening:
            return opening
    raise ValueError("a window that is never open has no next opening")


def next_clock(days: Collection[int], clock: time, after: datetime, zone: ZoneInfo) -> datetime:
    """Return the first instant (UTC), not before ``after``, at which it is ``clock`` on one of ``days`` in ``zone``."""
    for day in _days_from(after, zone):
        if day.weekday() in days:
            for found in readings(day, clock, zone):
                if found >= after:
                    return found
    raise ValueError("without a day there is no next one")


def _days_from(now: datetime, zone: ZoneInfo) -> Iterator[date]:
    """Yield today and the days after it, until each day of the week has come twice more."""
    today = now.astimezone(zone).date()
    for offset in range(LOOK_AHEAD_DAYS):
        yield today + offset * DAY


def shifted(at: datetime, days: int, clock: time | None, zone: ZoneInfo) -> datetime:
    """Return the instant (UTC) so many calendar days after ``at`` in ``zone``, at ``clock`` or at the same time."""
    local = at.astimezone(zone)
    return instant(local.date() + days * DAY, clock or local.time(), zone)
