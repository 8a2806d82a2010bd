"""Windows by the clock on a person's wall, over the changes of the clock."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.engine.steps import Window
from campaigns.engine.timing import is_open, next_open, zone_of

OFFICE = Window("w", "Office hours", frozenset(range(5)), time(9), time(17))
NIGHT = Window("w", "Nights", frozenset({4}), time(22), time(6))
ZONES = [
    "America/New_York",
    "America/Sao_Paulo",
    "America/Santiago",
    "Europe/Vienna",
    "Europe/Dublin",
    "Africa/Cairo",
    "Asia/Kolkata",
    "Australia/Sydney",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2026-11-20 07:59", "2026-11-20 08:00"),  # Friday before nine in Vienna
        ("2026-11-20 08:00", "2026-11-20 08:00"),
        ("2026-11-20 15:59", "2026-11-20 15:59"),
        ("2026-11-20 16:00", "2026-11-23 08:00"),  # Friday five o'clock: Monday
        ("2026-11-22 12:00", "2026-11-23 08:00"),
        ("2026-03-27 17:00", "2026-03-30 07:00"),  # summer time begins on the Sunday between
        ("2026-10-23 16:00", "2026-10-26 08:00"),  # and ends on this one
    ],
)
def test_office_hours_open_in_the_persons_zone(now: str, opens: str) -> None:
    assert next_open(OFFICE, utc(now), ZoneInfo("Europe/Vienna")) == utc(opens)


@pytest.mark.parametrize(
    ("now", "is_now_open"),
    [
        ("2026-11-20 21:30", True),  # Friday 22:30 in Vienna
        ("2026-11-21 04:59", True),  # Saturday 05:59 still belongs to Friday's night
        ("2026-11-21 05:00", False),
        ("2026-11-21 21:30", False),
    ],
)
def test_a_window_over_midnight_belongs_to_the_day_it_begins_on(now: str, is_now_open: bool) -> None:
    assert is_open(NIGHT, utc(now), ZoneInfo("Europe/Vienna")) is is_now_open


def test_equal_times_mean_the_whole_day() -> None:
    sundays = Window("w", "Sundays", frozenset({6}), time(0), time(0))
    assert next_open(sundays, utc("2026-11-20 10:00"), ZoneInfo("UTC")) == utc("2026-11-22 00:00")
    assert is_open(sundays, utc("2026-11-22 23:59"), ZoneInfo("UTC"))


def test_a_window_that_opens_in_the_missing_hour_opens_when_the_clock_jumps() -> None:
    early = Window("w", "Early", frozenset(range(7)), time(2, 30), time(5))
    # In New York the clock jumped from 02:00 to 03:00 on 8 March 2026, at 07:00 UTC.
    assert next_open(early, utc("2026-03-08 05:00"), ZoneInfo("America/New_York")) == utc("2026-03-08 07:00")


def test_a_window_that_lies_in_the_missing_hour_opens_a_week_later() -> None:
    short = Window("w", "Short", frozenset({6}), time(2, 10), time(2, 50))
    opening = next_open(short, utc("2026-03-02 12:00"), ZoneInfo("America/New_York"))
    assert opening == utc("2026-03-15 06:10")


def test_a_window_in_the_hour_that_comes_twice_opens_twice() -> None:
    short = Window("w", "Short", frozenset(range(7)), time(2, 10), time(2, 20))
    vienna = ZoneInfo("Europe/Vienna")
    assert next_open(short, utc("2026-10-25 00:00"), vienna) == utc("2026-10-25 00:10")
    assert next_open(short, utc("2026-10-25 00:20"), vienna) == utc("2026-10-25 01:10")


def test_the_first_zone_that_exists_is_taken() -> None:
    assert zone_of(["", "Mars/Olympus", "Europe/Vienna", "UTC"]).key == "Europe/Vienna"
    assert zone_of(["", "../etc/passwd"]).key == "UTC"


@given(
    start=st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    end=st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    days=st.frozensets(st.integers(0, 6), min_size=1),
    now=st.datetimes(datetime(2024, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
)
def test_an_opening_is_open_and_nothing_before_it_is(
    start: time, end: time, days: frozenset[int], now: datetime, zone: ZoneInfo
) -> None:
    window = Window("w", "Any", days, start, end)
    try:
        opening = next_open(window, now, zone)
    except ValueError:
        pytest.fail("a window with days opens within a week")
    assert opening >= now
    if opening == now:
        assert is_open(window, now, zone)
        return
    assert is_open(window, opening, zone)
    assert not is_open(window, opening - timedelta(seconds=1), zone)
    probe = now
    while probe < opening:
        assert not is_open(window, probe, zone)
        probe += max(timedelta(minutes=20), (opening - now) / 50)
