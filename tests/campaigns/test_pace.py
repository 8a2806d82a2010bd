"""Beginnings are kept apart while there is much to do, and only then."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from campaigns.pace import Pace

APART = 0.1


def took(pace: Pace) -> float:
    began = time.monotonic()
    pace.wait()
    return time.monotonic() - began


def test_the_first_begins_at_once_and_the_next_waits_its_time() -> None:
    pace = Pace(APART)
    assert took(pace) < APART / 2
    assert took(pace) > APART / 2


def test_after_nothing_was_to_do_the_next_begins_at_once() -> None:
    pace = Pace(APART)
    pace.wait()
    pace.forget()
    assert took(pace) < APART / 2


def test_who_wait_at_the_same_time_begin_one_after_the_other() -> None:
    pace = Pace(APART)
    with ThreadPoolExecutor(3) as pool:
        waited = sorted(pool.map(lambda _: took(pace), range(3)))
    assert waited[1] - waited[0] > APART / 2 < waited[2] - waited[1]
