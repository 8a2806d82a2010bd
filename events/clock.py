"""Wall-clock reckoning in a person's zone, for every room. Pure.

Where clocks are put forward, a time in the missing hour is the moment of the jump; where they are put back, the hour
that comes twice is asked about both times, by what the clock on the wall says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from zoneinfo import ZoneInfo

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


def within(start: time, end: time, now: datetime, zone: ZoneInfo) -> bool:
    """Tell whether the wall clock in ``zone`` shows ``start`` or later, and not ``end`` yet, also over midnight."""
    clock = now.astimezone(zone).time()
    return start <= clock < end if start < end else clock >= start or clock < end


def end_of(start: time, end: time, now: datetime, zone: ZoneInfo) -> datetime | None:
    """Return the instant (UTC) at which a daily span that ``now`` lies in is over, None outside of it.

    In the hour that comes twice a span may be over, and begin once more.
    """
    if not within(start, end, now, zone):
        return None
    today = now.astimezone(zone).date()
    # A day of 25 hours is one calendar day further at most.
    return next(found for offset in range(3) for found in readings(today + offset * DAY, end, zone) if found > now)


def instant(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """Return the first instant (UTC) of ``day`` at which the wall clock shows ``clock`` or later."""
    wanted = datetime.combine(day, clock, tzinfo=zone)
    found = wanted.astimezone(UTC)
    if _shows(found, zone) == wanted.replace(tzinfo=None):
        return found
    return _after_gap(wanted, zone)


def readings(day: date, clock: time, zone: ZoneInfo) -> list[datetime]:
    """Return the instants (UTC) of ``day`` at which the wall clock comes to ``clock``: two where the hour is double."""
    first = instant(day, clock, zone)
    wanted = datetime.combine(day, clock, tzinfo=zone)
    second = wanted.replace(fold=1).astimezone(UTC)
    again = second > first and _shows(second, zone) == wanted.replace(tzinfo=None)
    return [first, second] if again else [first]


def changes_of_clock(now: datetime, days: int, zone: ZoneInfo) -> Iterator[datetime]:
    """Yield the instants (UTC) within so many days from ``now`` at which clocks are put forward or back."""
    start = now.astimezone(UTC).replace(microsecond=0)
    for offset in range(days):
        low, high = start + offset * DAY, start + (offset + 1) * DAY
        has_changed = partial(_differs, low.astimezone(zone).utcoffset(), zone)
        if has_changed(high):
            yield _first(low, high, has_changed)


def _differs(offset: timedelta | None, zone: ZoneInfo, at: datetime) -> bool:
    return at.astimezone(zone).utcoffset() != offset


def _shows(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None)


def _after_gap(wanted: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant of the jump that swallows ``wanted``: it lies between the two readings."""
    low, high = sorted((wanted.replace(fold=1).astimezone(UTC), wanted.replace(fold=0).astimezone(UTC)))
    naive = wanted.replace(tzinfo=None)
    return _first(low, high, lambda at: _shows(at, zone) >= naive)


def _first(low: datetime, high: datetime, holds: Callable[[datetime], bool]) -> datetime:
    """Return the first whole second for which ``holds`` is true, by halving: it is at ``high`` and not at ``low``."""
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if holds(middle):
            high = middle
        else:
            low = middle
    return high.replace(microsecond=0)
