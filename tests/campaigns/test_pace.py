"""Beginnings are kept apart while there is much to do, and only then."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from campaigns.pace import Alone, Pace

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


def test_one_works_and_who_asks_meanwhile_has_it_done_once_more() -> None:
    working, threads = threading.Semaphore(), set()
    begun, go = threading.Event(), threading.Event()
    done = []

    def work() -> None:
        assert working.acquire(blocking=False), "two at a time"
        threads.add(threading.get_ident())
        begun.set()
        go.wait(5)
        done.append(1)
        working.release()

    alone = Alone(work)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(alone.ask, 5)
        assert begun.wait(5)
        assert [alone.ask(5) for _ in range(3)] == [False] * 3  # at once: nobody waits
        assert not done
        go.set()
        assert first.result(5) is False
    assert len(done) == 2
    alone.ask(5)
    assert len(done) == 3 and len(threads) == 1


def test_when_the_time_is_up_it_is_said_that_more_is_asked_for() -> None:
    alone = Alone(lambda: alone.ask(5) and None)
    assert alone.ask(0.05) is True


def test_what_fails_is_told_and_the_next_is_done() -> None:
    outcomes = iter([ValueError("broken"), None])

    def work() -> None:
        if error := next(outcomes):
            raise error

    alone = Alone(work)
    with pytest.raises(ValueError, match="broken"):
        alone.ask(5)
    assert alone.ask(5) is False
