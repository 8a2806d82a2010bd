"""When a date of a person's starts a campaign: leap days, offsets, and clocks that change in both hemispheres."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.engine.anniversaries import Anniversary
from tests.campaigns.test_timing import ZONES, utc

NINE = time(9)
VIENNA = "Europe/Vienna"
DAYS = st.integers(0, 40 * 365).map(lambda days: date(1990, 1, 1) + timedelta(days=days))
MOMENTS = st.integers(0, 10 * 365 * 24).map(lambda hours: utc("2020-01-01 00:00") + timedelta(hours=hours))


@pytest.mark.parametrize(
    ("known", "rule", "since", "zone", "expected"),
    [
        ("2026-12-11", Anniversary(-14, NINE), "2026-11-01 00:00", VIENNA, ("2026-12-11", "2026-11-27 08:00")),
        ("2026-12-11", Anniversary(-14, NINE), "2026-11-27 08:00", VIENNA, ("2026-12-11", "2026-11-27 08:00")),
        ("2026-12-11", Anniversary(-14, NINE), "2026-11-27 08:01", VIENNA, None),
        ("2026-01-01", Anniversary(365, NINE), "2026-06-01 00:00", VIENNA, ("2026-01-01", "2027-01-01 08:00")),
        ("1990-07-04", Anniversary(0, NINE, True), "2026-11-01 00:00", VIENNA, ("2027-07-04", "2027-07-04 07:00")),
        ("1990-01-03", Anniversary(-14, NINE, True), "2026-11-01 00:00", VIENNA, ("2027-01-03", "2026-12-20 08:00")),
        ("1990-12-30", Anniversary(14, NINE, True), "2027-01-01 00:00", VIENNA, ("2026-12-30", "2027-01-13 08:00")),
        ("1996-02-29", Anniversary(0, NINE, True), "2027-01-01 00:00", VIENNA, ("2027-02-28", "2027-02-28 08:00")),
        ("1996-02-29", Anniversary(0, NINE, True), "2028-01-01 00:00", VIENNA, ("2028-02-29", "2028-02-29 08:00")),
        ("1996-02-29", Anniversary(1, NINE, True), "2027-01-01 00:00", VIENNA, ("2027-02-28", "2027-03-01 08:00")),
        ("2030-05-05", Anniversary(0, NINE, True), "2027-01-01 00:00", VIENNA, ("2030-05-05", "2030-05-05 07:00")),
        ("9999-12-31", Anniversary(365, NINE), "2027-01-01 00:00", VIENNA, None),
        ("0001-01-01", Anniversary(-365, NINE), "2027-01-01 00:00", VIENNA, None),
        # Clocks are put forward: the moment of the jump. Back: the first time.
        ("2026-03-29", Anniversary(0, time(2, 30)), "2026-01-01 00:00", VIENNA, ("2026-03-29", "2026-03-29 01:00")),
        ("2026-10-25", Anniversary(0, time(2, 30)), "2026-01-01 00:00", VIENNA, ("2026-10-25", "2026-10-25 00:30")),
        (
            "2026-10-04",
            Anniversary(0, time(2, 30)),
            "2026-01-01 00:00",
            "Australia/Sydney",
            ("2026-10-04", "2026-10-03 16:00"),
        ),
        (
            "2026-04-05",
            Anniversary(0, time(2, 30)),
            "2026-01-01 00:00",
            "Australia/Sydney",
            ("2026-04-05", "2026-04-04 15:30"),
        ),
    ],
)
def test_the_next_start(known: str, rule: Anniversary, since: str, zone: str, expected: tuple[str, str] | None) -> None:
    found = rule.next(date.fromisoformat(known), utc(since), ZoneInfo(zone))
    assert found == (expected and (date.fromisoformat(expected[0]), utc(expected[1])))


@given(DAYS, st.integers(-365, 365), MOMENTS, st.sampled_from(ZONES))
def test_each_year_has_one_start_and_none_is_left_out(known: date, days: int, since: datetime, name: str) -> None:
    rule, zone = Anniversary(days, NINE, yearly=True), ZoneInfo(name)
    first = rule.next(known, since, zone)
    assert first and first[1] >= since
    second = rule.next(known, first[1] + timedelta(seconds=1), zone)
    assert second and second[0].year == first[0].year + 1
    between = first[1] + (second[1] - first[1]) / 2
    assert rule.next(known, between, zone) == second
    local = first[1].astimezone(zone)
    assert local.time() == NINE
    assert local.date() - timedelta(days=days) == first[0]
    assert (first[0].month, first[0].day) in {(known.month, known.day), (2, 28)}


@given(DAYS, st.integers(-365, 365), MOMENTS, st.sampled_from(ZONES))
def test_what_comes_once_comes_at_its_time_or_not_at_all(known: date, days: int, since: datetime, name: str) -> None:
    rule, zone = Anniversary(days, NINE), ZoneInfo(name)
    at = rule.start(known, zone)
    assert at
    assert rule.next(known, since, zone) == ((known, at) if at >= since else None)
