"""Does a campaign start as many journeys as usual? Today against the same span of the seven days before. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

DAYS = 7
# Far more than usual: so many times the busiest of the days before, and not only a few.
TIMES = 5
LEAST_HOT = 100


def is_silent(today: int, before: Sequence[int], least: int) -> bool:
    """Say whether nobody has entered although usually ``least`` at least had by now.

    ``before`` are the counts of the same span on the days before, the newest first. The same day of last week counts
    apart: a campaign that rests on Sundays is not silent on a Sunday.
    """
    usual = len(before) == DAYS and median(before) >= least and before[-1] >= least
    return today == 0 and usual


def is_hot(today: int, before: Sequence[int]) -> bool:
    """Say whether far more have entered than on any of the days before. A campaign of this week has no usual yet."""
    return len(before) == DAYS and today >= LEAST_HOT and before[-1] > 0 and today > TIMES * max(before)
