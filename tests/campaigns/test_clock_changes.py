"""Waits by the clock on the wall, over every change of the clock from 2024 to 2027 in zones of both hemispheres.

The reference is slow and knows nothing of offsets: it goes through the minutes of UTC, and looks at the wall at each.
``CLOCK_CHANGES`` says from how many moments around each change waits begin (12).
"""

from __future__ import annotations

import os
import random
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest

from campaigns.engine import timing
from campaigns.engine.deciding import Facts, Position
from campaigns.engine.definition import parse
from campaigns.engine.machine import advance
from campaigns.engine.steps import Window

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
A_DAY = 24 * 60
MOMENTS = int(os.environ.get("CLOCK_CHANGES", "12"))
CHANGING = {
    "America/New_York": 8,
    "Europe/Vienna": 8,
    "Africa/Cairo": 8,  # at midnight, and back into the day before
    "Asia/Beirut": 8,  # at midnight
    "America/Santiago": 8,  # at midnight
    "Australia/Sydney": 8,
    "Australia/Lord_Howe": 8,  # by half an hour
    "Pacific/Auckland": 8,
}
CONSTANT = ("Asia/Tehran", "America/Sao_Paulo", "Pacific/Apia")
EVERY_DAY = frozenset(range(7))


@dataclass(frozen=True)
class Walls:
    """What the clock shows at each minute of UTC from ``start`` on, in minutes since the first day of the calendar."""

    start: datetime
    shown: list[int]

    def place(self, at: datetime) -> int:
        return -((self.start - at) // MINUTE)  # a moment within a minute comes with the next

    def at(self, place: int) -> datetime:
        return self.start + place * MINUTE

    def clock(self, place: int) -> time:
        return _clock(self.shown[place])

    def weekday(self, place: int) -> int:
        return _weekday(self.shown[place])

    def opens(self, window: Window) -> list[int]:
        """Return the minutes at which a window is open."""
        return [place for place, shown in enumerate(self.shown) if _is_open(window, shown)]

    def strikes(self, clock: time) -> list[int]:
        """Return the minutes at which the clock comes to ``clock``, be it that it jumps over it."""
        wanted, before, found = _minutes(clock), self.shown[0], []
        for place, shown in enumerate(self.shown):
            if (then := shown - shown % A_DAY + wanted) == shown or before < then < shown:
                found.append(place)
            before = shown
        return found

    def first_of(self, day: date, clock: time) -> int:
        """Return the first minute of ``day`` at which the clock shows ``clock`` or later."""
        begin = day.toordinal() * A_DAY
        return next(n for n, shown in enumerate(self.shown) if begin + _minutes(clock) <= shown < begin + A_DAY)


def _is_open(window: Window, shown: int) -> bool:
    minute, start, end = shown % A_DAY, _minutes(window.start), _minutes(window.end)
    today, yesterday = _weekday(shown) in window.days, _weekday(shown - A_DAY) in window.days
    if start == end:
        return today
    if start < end:
        return today and start <= minute < end
    return (today and minute >= start) or (yesterday and minute < end)


def _minutes(clock: time) -> int:
    return clock.hour * 60 + clock.minute


def _clock(minutes: int) -> time:
    return time(minutes % A_DAY // 60, minutes % 60)


def _weekday(shown: int) -> int:
    return date.fromordinal(shown // A_DAY).weekday()


def changes(zone: ZoneInfo) -> Iterator[datetime]:
    """Yield the hours of UTC within or after which the clock is changed, found by looking at each."""
    at, end = datetime(2024, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
    before = at.astimezone(zone).utcoffset()
    while at < end:
        at += timedelta(hours=1)
        now = at.astimezone(zone).utcoffset()
        if now != before:
            yield at
        before = now


@cache
def around(change: datetime, zone: ZoneInfo) -> Walls:
    start, shown = change - 2 * DAY, []
    for minute in range(11 * A_DAY):
        local = (start + minute * MINUTE).astimezone(zone)
        shown.append(local.toordinal() * A_DAY + local.hour * 60 + local.minute)
    return Walls(start, shown)


def moments(chance: random.Random, change: datetime) -> list[datetime]:
    """Return moments before and after a change, more of them near it, some of them within a minute."""
    near = [change + timedelta(minutes=chance.randint(-180, 180)) for _ in range(MOMENTS // 2)]
    far = [change + timedelta(minutes=chance.randint(-1440, 1440)) for _ in range(MOMENTS - MOMENTS // 2)]
    return [at + timedelta(seconds=chance.choice([0, 0, 1, 59.5])) for at in near + far]


def clocks(chance: random.Random, walls: Walls, change: datetime) -> list[time]:
    """Return times of day: near the change as the wall has it, one that is left out, midnight, and any."""
    place = walls.place(change)
    near = walls.clock(place + chance.randint(-90, 90))
    missing = _clock(walls.shown[place - 61] + 61 + chance.randint(0, 60))
    found = [near, missing, time(0), time(chance.randrange(24), chance.choice([0, 15, 30, 59]))]
    return chance.sample(found, min(len(found), 1 + MOMENTS // 6))


def windows(chance: random.Random, walls: Walls, change: datetime) -> list[Window]:
    """Return short and long windows, over midnight as well, of all days or of those around the change."""
    found = []
    for start in clocks(chance, walls, change):
        end = _clock(_minutes(start) + chance.choice([0, 10, 25, 45, 60, 120, 480]))
        today = walls.weekday(walls.place(change))
        days = chance.choice([EVERY_DAY, frozenset({today}), frozenset({(today - 1) % 7, (today + 2) % 7})])
        found.append(Window("w", "Window", days, start, end))
    return found


@pytest.fixture(params=[*CHANGING, *CONSTANT])
def zone(request: pytest.FixtureRequest) -> ZoneInfo:
    return ZoneInfo(request.param)


def occasions(zone: ZoneInfo) -> list[datetime]:
    """Return the changes of a zone; where there is none, days on which its clock once was changed."""
    return list(changes(zone)) or [datetime(2025, month, day, tzinfo=UTC) for month, day in ((3, 22), (9, 22), (11, 2))]


def test_the_zones_change_their_clocks_as_often_as_we_think(zone: ZoneInfo) -> None:
    assert len(list(changes(zone))) == CHANGING.get(zone.key, 0)


def test_a_window_opens_at_the_first_minute_at_which_the_wall_says_so(zone: ZoneInfo) -> None:
    for change in occasions(zone):
        chance, walls = random.Random(f"window {change}"), around(change, zone)
        for window in windows(chance, walls, change):
            opens = walls.opens(window)
            for now in moments(chance, change):
                opening = timing.next_open(window, now, zone)
                if timing.is_open(window, now, zone):
                    assert opening == now and walls.place(now - MINUTE + timedelta(microseconds=1)) in set(opens)
                else:
                    assert opening == walls.at(opens[bisect_left(opens, walls.place(now))]), (window, now)


def test_a_day_and_a_time_come_when_the_wall_comes_to_them(zone: ZoneInfo) -> None:
    for change in occasions(zone):
        chance, walls = random.Random(f"clock {change}"), around(change, zone)
        for clock in clocks(chance, walls, change):
            strikes = walls.strikes(clock)
            for after in moments(chance, change):
                days = frozenset(chance.sample(range(7), chance.choice([1, 2, 7])))
                first = bisect_left(strikes, walls.place(after))
                expected = next(n for n in strikes[first:] if walls.weekday(n) in days)
                assert timing.next_clock(days, clock, after, zone) == walls.at(expected), (days, clock, after)


def test_a_date_is_reached_when_the_wall_shows_its_time_or_later(zone: ZoneInfo) -> None:
    for change in occasions(zone):
        chance, walls = random.Random(f"date {change}"), around(change, zone)
        for clock in clocks(chance, walls, change):
            for at in moments(chance, change):
                days = chance.randint(0, 5)
                day = at.astimezone(zone).date() + days * DAY
                assert timing.shifted(at, days, clock, zone) == walls.at(walls.first_of(day, clock)), (at, days, clock)


def test_a_date_without_a_time_keeps_the_time_of_its_own_moment(zone: ZoneInfo) -> None:
    for change in occasions(zone):
        chance, walls = random.Random(f"same time {change}"), around(change, zone)
        for at in (moment.replace(second=0, microsecond=0) for moment in moments(chance, change)):
            assert timing.shifted(at, 0, None, zone) == at
            shown = at.astimezone(zone)
            expected = walls.first_of(shown.date() + 3 * DAY, shown.time())
            assert timing.shifted(at, 3, None, zone) == walls.at(expected), at


def test_a_delay_is_as_long_as_it_says_whatever_the_clock_does(zone: ZoneInfo) -> None:
    flow = parse({"trigger": {"event": "Signed Up"}, "steps": [{"id": "d", "kind": "delay", "seconds": 7 * 3600}]})
    for change in occasions(zone):
        for at in moments(random.Random(f"delay {change}"), change):
            assert advance(flow, Position("", 0, None), Facts(at, zone, {})).due_at == at + timedelta(hours=7)


def test_whoever_is_woken_at_the_opening_goes_on_then(zone: ZoneInfo) -> None:
    """A timer at which the window were shut would only be set again."""
    for change in occasions(zone):
        chance, walls = random.Random(f"woken {change}"), around(change, zone)
        for window in windows(chance, walls, change):
            for now in moments(chance, change):
                opening = timing.next_open(window, now, zone)
                assert timing.next_open(window, opening, zone) == opening
