"""Kill the worker in the middle of an import, several times: every row arrives once."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from events.models import Event, Import
from events.transfers import imports
from tests import stack
from tests.factories import make_source

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race, pytest.mark.slow]
ROWS, KILLS = 30_000, 4


def test_an_import_survives_killed_workers_and_a_dead_broker() -> None:
    rows = (f"user-{n % 500},Ordered,{n}" for n in range(ROWS))
    new = Import(kind="events", format="csv", source=make_source(), file_name="orders.csv")
    imports.store(new, ["\n".join(["user_id,event,total", *rows]).encode()])
    imports.begin(new, Import.State.RUNNING)
    with stack.running("broker", "worker", "beat") as running:
        for kill in range(KILLS):
            seen = _rows_done(new)
            stack.wait_for(lambda seen=seen: _rows_done(new) > seen, 60, "another slice")  # type: ignore[misc]
            time.sleep(0.05 * kill)
            running.kill("worker")
            running.redis.flushall()
            assert _rows_done(new) < ROWS, "all was done before the last kill: the file is too small"
            running.start("worker")
        stack.wait_for(lambda: Import.objects.get().state == Import.State.DONE, 120, "the end")
    totals = Counter(Event.objects.values_list("properties__total", flat=True))
    assert len(totals) == ROWS
    assert set(totals.values()) == {1}
    assert _rows_done(new) == ROWS


def _rows_done(upload: Import) -> int:
    return Import.objects.values_list("rows_done", flat=True).get(pk=upload.pk)
