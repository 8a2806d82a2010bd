"""What time alone changes about people: rows with a ``profile_id`` and the instant ``look_at`` to look again."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from django.db import OperationalError, connection
from django.db.models import Model

from events.giving_way import lost_a_deadlock

BATCH = 500
# People whom others hold are left for the next sweep.
HOLD_DUE = """
SELECT id FROM events_profile WHERE id = ANY(ARRAY(
    SELECT profile_id FROM {table} WHERE look_at <= %s ORDER BY look_at LIMIT %s))
ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
"""


def hold_due(model: type[Model], now: datetime, limit: int = BATCH) -> list[int]:
    """Return up to ``limit`` people of whom a row of ``model`` is due, and hold them as a claim does."""
    with connection.cursor() as cursor:
        cursor.execute(HOLD_DUE.format(table=model._meta.db_table), [now, limit])
        return [pk for (pk,) in cursor.fetchall()]


def work(batch: Callable[[], int], deadline: float) -> int:
    """Do ``batch`` until it has nothing to do or ``time.monotonic()`` passes ``deadline``; return its sum.

    What is stored as history may write turns of the same people in another order, which may end in a deadlock: then it
    starts anew.
    """
    done = 0
    while time.monotonic() < deadline:
        try:
            asked = batch()
        except OperationalError as error:
            if not lost_a_deadlock(error):
                raise
            continue
        if not asked:
            break
        done += asked
    return done
