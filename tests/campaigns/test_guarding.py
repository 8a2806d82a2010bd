"""When a rate is over its limit, and when a day is out of the usual."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.engine.guarding import LEAST_REPORTS, Limits, Sample, breach
from campaigns.engine.usual import is_hot, is_silent

LIMITS = Limits(bounced=10, complained=0.5, failed=10, unsubscribed=5, sample=50)
COUNTS = st.integers(0, 10_000)


@pytest.mark.parametrize(
    ("sample", "verb"),
    [
        (Sample(sent=100, bounced=11), "bounced"),
        (Sample(sent=100, bounced=10), None),
        (Sample(sent=49, bounced=40), None),
        (Sample(sent=50, complained=LEAST_REPORTS - 1), None),
        (Sample(sent=50, complained=LEAST_REPORTS), "were reported as spam"),
        (Sample(sent=1_000, complained=5), None),
        (Sample(sent=44, failed=6), "failed"),
        (Sample(failed=50), "failed"),
        (Sample(sent=50, rejected=6), "failed"),
        (Sample(sent=100, unsubscribed=6), "led to an unsubscription"),
        (Sample(), None),
    ],
)
def test_a_rate_counts_from_its_limit_and_its_least_sample_on(sample: Sample, verb: str | None) -> None:
    found = breach(sample, LIMITS)
    assert (found.verb if found else None) == verb


@given(st.builds(Sample, *[COUNTS] * 6))
def test_what_is_not_guarded_is_never_over(sample: Sample) -> None:
    assert breach(sample, Limits(None, None, None, None, 1)) is None


@given(st.integers(50, 10_000), st.integers(0, 10_000))
def test_more_bounces_are_never_better(sent: int, bounced: int) -> None:
    sample = Sample(sent=sent, bounced=min(bounced, sent))
    if breach(sample, LIMITS):
        assert breach(replace(sample, bounced=sent), LIMITS)


BUSY = [50, 40, 45, 60, 55, 48, 52]


@pytest.mark.parametrize(
    ("today", "before", "silent"),
    [
        (0, BUSY, True),
        (1, BUSY, False),
        (0, [19] * 7, False),
        (0, [20] * 7, True),
        # It rests on Sundays: the Sunday a week ago had nobody either.
        (0, [50, 40, 45, 60, 55, 48, 0], False),
        # A Monday, with the two days of the weekend before it.
        (0, [0, 0, 45, 60, 55, 48, 52], True),
        (0, BUSY[:6], False),
    ],
)
def test_silence_is_an_empty_day_that_is_usually_busy(today: int, before: list[int], silent: bool) -> None:
    assert is_silent(today, before, 20) is silent


@pytest.mark.parametrize(
    ("today", "before", "hot"),
    [
        (301, BUSY, True),
        (300, BUSY, False),
        (99, [1] * 7, False),
        (100, [1] * 7, True),
        (10_000, [0] * 7, False),
        (10_000, [9] * 6 + [0], False),
    ],
)
def test_hot_is_far_more_than_on_the_busiest_day_of_a_week(today: int, before: list[int], hot: bool) -> None:
    assert is_hot(today, before) is hot
