"""Fourteen days of a campaign with six steps for one person: how long a run takes. Baseline: making the world alone."""

from __future__ import annotations

import statistics
import time

import pytest

from campaigns import world
from campaigns.testing import Happens, Run, simulate
from tests.campaigns.flow import WINDOW, delay, send
from tests.campaigns.test_simulate import ADA, MONDAY, drafted

TRIES = 7


@pytest.mark.django_db
def test_two_weeks_for_one_person() -> None:
    wait = {"id": "until", "kind": "wait", "event": "Order Completed", "seconds": 3 * 86_400}
    wait["paths"] = [{"id": "did", "steps": []}, {"id": "not", "steps": [send("reminder")]}]
    campaign = drafted(delay(3600), WINDOW, send("first"), wait, delay(5 * 86_400, "week"), send("last"))
    runs, bare = [], []
    for _ in range(TRIES):
        began = time.monotonic()
        found = simulate(Run(campaign, ADA, [Happens("Signed Up")], MONDAY))
        runs.append(time.monotonic() - began)
        assert len(found.mails) == 3
        began = time.monotonic()
        with world.of_person(campaign, None):
            pass
        bare.append(time.monotonic() - began)
    print(f"\n14 days, six steps: median {statistics.median(runs):.2f} s, worst {max(runs):.2f} s")
    ratio = statistics.median(runs) / statistics.median(bare)
    print(f"the world alone: {statistics.median(bare):.2f} s; the run costs {ratio:.1f} times as much")
