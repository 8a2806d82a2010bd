"""Hold people exclusively without standing in anybody's way: whoever acts by hand lets go and tries again.

Requests and workers take their locks in one order and may wait for each other. Merging or erasing people by hand
touches rows of every room and is in no hurry, so it never waits long while it holds anybody.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import OperationalError, connection, transaction
from psycopg import errors

TRIES = 100
WAIT = "SET LOCAL lock_timeout = '200ms'"
PAUSE_SECONDS = 0.05
GAVE_WAY = (errors.LockNotAvailable, errors.DeadlockDetected)

Answer = TypeVar("Answer")


class StartAnew(Exception):
    """Raised by an act that found things changed under its hands."""


def lost_a_deadlock(error: OperationalError) -> bool:
    """Say whether the database ended a circle of waiting at our cost: nothing of ours was done."""
    return isinstance(error.__cause__, errors.DeadlockDetected)


def insist(act: Callable[[], Answer]) -> Answer:
    """Return what ``act`` returns in a transaction of its own; a lock it cannot get soon makes it start anew.

    The caller holds no locks. Raises OperationalError or StartAnew when all tries were in vain.
    """
    for attempt in range(TRIES):
        try:
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute(WAIT)
                return act()
        except (OperationalError, StartAnew) as error:
            lost = isinstance(error, StartAnew) or isinstance(error.__cause__, GAVE_WAY)
            if not lost or attempt == TRIES - 1:
                raise
        time.sleep(random.uniform(0.5, 1.5) * PAUSE_SECONDS)
    raise AssertionError("the last try returns or raises")
