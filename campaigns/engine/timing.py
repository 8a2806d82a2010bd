"""Wall-clock reckoning in a person's zone. Pure.

Where clocks are put forward, a window that would open in the missing hour opens the moment the clock has jumped;
where they are put back, the hour that comes twice counts both times, by what the clock on the wall says.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from campaigns.engine.steps import Window

DAY = timedelta(days=1)


def find_zone(name: str) -> ZoneInfo | None:
    """Return the zone of that IANA name, None where there is none."""
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):
        return None


def zone_of(candidates: Iterable[str]) -> ZoneInfo:
    """Return the first candidate that names a zone, else UTC."""
    return next((zone for name in candidates if (zone := find_zone(name))), ZoneInfo("UTC"))


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
    today = now.astimezone(zone).date()
    for offset in range(9):
        day = today + offset * DAY
        if day.weekday() in window.days:
            opening = instant(day, start, zone)
            if opening > now:
                return opening
    raise ValueError("a window without days never opens")


def next_clock(days: Collection[int], clock: time, after: datetime, zone: ZoneInfo) -> datetime:
    """Return the first instant (UTC), not before ``after``, at which it is ``clock`` on one of ``days`` in ``zone``."""
    today = after.astimezone(zone).date()
    for offset in range(9):
        day = today + offset * DAY
        if day.weekday() in days and (found := instant(day, clock, zone)) >= after:
            return found
    raise ValueError("without a day there is no next one")


def shifted(at: datetime, days: int, clock: time | None, zone: ZoneInfo) -> datetime:
    """Return the instant (UTC) so many calendar days after ``at`` in ``zone``, at ``clock`` or at the same time."""
    local = at.astimezone(zone)
    return instant(local.date() + days * DAY, clock or local.time(), zone)


def instant(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """Return the first instant (UTC) of ``day`` at which the wall clock shows ``clock`` or later."""
    wanted = datetime.combine(day, clock, tzinfo=zone)
    found = wanted.astimezone(UTC)
    shown = found.astimezone(zone).replace(tzinfo=None)
    if shown == wanted.replace(tzinfo=None):
        return found
    return _after_gap(wanted, zone)


def _after_gap(wanted: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant of the jump that swallows ``wanted``: between its two readings, found by halving."""
    low, high = sorted((wanted.replace(fold=1).astimezone(UTC), wanted.replace(fold=0).astimezone(UTC)))
    naive = wanted.replace(tzinfo=None)
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).replace(tzinfo=None) >= naive:
            high = middle
        else:
            low = middle
    return high.replace(microsecond=0)
