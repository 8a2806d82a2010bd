"""Daily spans on a person's clock, also on the days on which clocks are changed."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from events import clock

VIENNA = ZoneInfo("Europe/Vienna")


def over(start: str, end: str, now: str, zone: ZoneInfo = VIENNA) -> str | None:
    """Return when the span that ``now`` (UTC) lies in is over, in UTC."""
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    found = clock.end_of(time.fromisoformat(start), time.fromisoformat(end), at, zone)
    return f"{found.astimezone(UTC):%Y-%m-%d %H:%M}" if found else None


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-01-10 20:59", None),
        ("2026-01-10 21:00", "2026-01-11 07:00"),  # 22:00 in Vienna
        ("2026-01-10 23:30", "2026-01-11 07:00"),
        ("2026-01-11 06:59", "2026-01-11 07:00"),
        ("2026-01-11 07:00", None),
    ],
)
def test_a_span_over_midnight(now: str, end: str | None) -> None:
    assert over("22:00", "08:00", now) == end


@pytest.mark.parametrize(
    ("now", "end"),
    [("2026-01-10 10:59", None), ("2026-01-10 11:00", "2026-01-10 13:00"), ("2026-01-10 13:00", None)],
)
def test_a_span_within_a_day(now: str, end: str | None) -> None:
    assert over("12:00", "14:00", now) == end


def test_a_night_in_which_clocks_are_put_forward_is_an_hour_shorter() -> None:
    assert over("22:00", "08:00", "2026-03-28 21:00") == "2026-03-29 06:00"


def test_a_night_in_which_clocks_are_put_back_is_an_hour_longer() -> None:
    assert over("22:00", "08:00", "2026-10-24 20:00") == "2026-10-25 07:00"


def test_an_end_in_the_missing_hour_is_the_moment_of_the_jump() -> None:
    # At 02:00 it becomes 03:00, which is 01:00 UTC.
    assert over("22:00", "02:30", "2026-03-29 00:59") == "2026-03-29 01:00"
    assert over("22:00", "02:30", "2026-03-29 01:00") is None


def test_a_beginning_in_the_missing_hour_is_the_moment_of_the_jump() -> None:
    assert over("02:30", "08:00", "2026-03-29 00:59") is None
    assert over("02:30", "08:00", "2026-03-29 01:00") == "2026-03-29 06:00"


def test_in_the_hour_that_comes_twice_a_span_is_over_and_begins_again() -> None:
    # At 03:00 it becomes 02:00 again: 02:30 is 00:30 and 01:30 UTC.
    assert over("22:00", "02:30", "2026-10-25 00:10") == "2026-10-25 00:30"
    assert over("22:00", "02:30", "2026-10-25 00:45") is None
    assert over("22:00", "02:30", "2026-10-25 01:10") == "2026-10-25 01:30"
    assert over("22:00", "02:30", "2026-10-25 01:30") is None


@pytest.mark.parametrize(
    "zone", ["Europe/Vienna", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Santiago"]
)
@pytest.mark.parametrize("span", [("22:00", "08:00"), ("02:15", "02:45"), ("23:45", "00:15"), ("12:00", "11:59")])
def test_the_end_is_the_first_instant_outside(zone: str, span: tuple[str, str]) -> None:
    start, end = (time.fromisoformat(clock_time) for clock_time in span)
    there = ZoneInfo(zone)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    while at < datetime(2027, 1, 1, tzinfo=UTC):
        over = clock.end_of(start, end, at, there)
        assert (over is not None) == clock.within(start, end, at, there)
        if over is not None:
            assert at < over <= at + timedelta(hours=26)
            assert not clock.within(start, end, over, there)
            assert clock.within(start, end, over - timedelta(seconds=1), there)
            steps = int((over - at) / timedelta(minutes=15))
            assert all(clock.within(start, end, at + n * timedelta(minutes=15), there) for n in range(steps))
        at += timedelta(hours=3, minutes=35)
