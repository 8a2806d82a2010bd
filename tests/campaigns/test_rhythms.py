"""When timetables let people in, over the changes of the clock in both hemispheres."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.engine.rhythms import Rhythm, openings, upcoming
from tests.campaigns.test_timing import ZONES, utc

NINE = time(9)
DATES = st.integers(0, 15 * 365).map(lambda days: date(2020, 1, 1) + timedelta(days=days))
CLOCKS = st.integers(0, 24 * 60 - 1).map(lambda minutes: time(minutes // 60, minutes % 60))
VIENNA = ZoneInfo("Europe/Vienna")


def days(rhythm: Rhythm, after: str, number: int = 3) -> list[str]:
    return [day.isoformat() for day in islice(rhythm.days_after(date.fromisoformat(after)), number)]


@pytest.mark.parametrize(
    ("rhythm", "after", "expected"),
    [
        (Rhythm("once", NINE, on=date(2026, 11, 27)), "2026-11-26", ["2026-11-27"]),
        (Rhythm("once", NINE, on=date(2026, 11, 27)), "2026-11-27", []),
        (Rhythm("daily", NINE), "2026-12-30", ["2026-12-31", "2027-01-01", "2027-01-02"]),
        (Rhythm("weekly", NINE, days=frozenset({0, 3})), "2026-11-26", ["2026-11-30", "2026-12-03", "2026-12-07"]),
        (Rhythm("weekly", NINE), "2026-11-26", []),
        (Rhythm("monthly", NINE, day=31), "2028-01-30", ["2028-01-31", "2028-02-29", "2028-03-31"]),
        (Rhythm("monthly", NINE, day=30), "2027-01-30", ["2027-02-28", "2027-03-30", "2027-04-30"]),
        (Rhythm("monthly", NINE, day=1), "2026-11-30", ["2026-12-01", "2027-01-01", "2027-02-01"]),
    ],
)
def test_the_days_of_a_rhythm(rhythm: Rhythm, after: str, expected: list[str]) -> None:
    assert days(rhythm, after) == expected


@pytest.mark.parametrize(
    ("day", "clock", "zone", "at"),
    [
        ("2026-03-29", "02:30", "Europe/Vienna", "2026-03-29 01:00"),  # missing: the moment of the jump
        ("2026-10-25", "02:30", "Europe/Vienna", "2026-10-25 00:30"),  # twice: the first time
        ("2026-10-04", "02:30", "Australia/Sydney", "2026-10-03 16:00"),
        ("2026-04-05", "02:30", "Australia/Sydney", "2026-04-04 15:30"),
        ("2026-09-06", "00:30", "America/Santiago", "2026-09-06 04:00"),
        ("2026-11-27", "09:00", "Pacific/Kiritimati", "2026-11-26 19:00"),
    ],
)
def test_the_instant_on_a_wall(day: str, clock: str, zone: str, at: str) -> None:
    found = openings(date.fromisoformat(day), time.fromisoformat(clock), [zone], VIENNA)
    assert [instant for instant, zones in found.items() if zone in zones] == [utc(at)]


def test_people_without_a_zone_go_by_the_campaigns_clock() -> None:
    found = openings(date(2026, 11, 27), NINE, ["Europe/Berlin", "Asia/Tokyo", "America/Nowhere"], VIENNA)
    assert found == {utc("2026-11-27 00:00"): ["Asia/Tokyo"], utc("2026-11-27 08:00"): ["", "Europe/Berlin"]}


def test_the_next_times_are_shown_by_the_clock() -> None:
    rhythm = Rhythm("weekly", NINE, days=frozenset({4}))
    found = upcoming(rhythm, utc("2026-11-27 08:00"), VIENNA, 2)
    assert [f"{at:%Y-%m-%d %H:%M}" for at in found] == ["2026-12-04 09:00", "2026-12-11 09:00"]


@given(
    DATES,
    CLOCKS,
    st.sampled_from(ZONES),
)
def test_each_day_has_one_instant_in_each_zone_and_that_lies_on_the_day(day: date, clock: time, name: str) -> None:
    zone = ZoneInfo(name)
    (at,) = openings(day, clock, [], zone)
    shown = at.astimezone(zone)
    assert shown.date() == day
    assert shown.time() >= clock
    late = datetime.combine(day, shown.time(), UTC) - datetime.combine(day, clock, UTC)
    assert late <= timedelta(hours=1)


@given(
    st.sampled_from(
        [
            Rhythm("daily", NINE),
            Rhythm("weekly", NINE, days=frozenset({1, 6})),
            Rhythm("monthly", NINE, day=31),
            Rhythm("monthly", NINE, day=29),
        ]
    ),
    DATES,
    st.integers(0, 90),
)
def test_wherever_one_begins_to_look_the_days_are_the_same(rhythm: Rhythm, start: date, later: int) -> None:
    every = list(islice(rhythm.days_after(start), 120))
    after = start + timedelta(days=later)
    expected = [day for day in every if day > after]
    assert list(islice(rhythm.days_after(after), len(expected))) == expected
