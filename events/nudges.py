"""Wake a worker when work has been committed. A nudge carries nothing and may be lost: the beat sweeps as well.

The room that owns a kind of work registers the task that does it; whoever makes such work nudges by the kind's name,
so that no room has to know the one on its left. At most one nudge of a kind waits at a time, however much comes in:
the mark in the cache is set with the first and taken away when its task begins.
"""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import Any

from celery import Task
from django.core.cache import cache
from django.db import transaction
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

# A mark that outlives a lost nudge by this much is forgotten; until then the beat's sweep does the work.
MARK_SECONDS = 5
# After a failed nudge the broker is left alone this long: callers must not wait for a dead one again and again.
PAUSE_SECONDS = 2.0

_tasks: dict[str, Task[Any, Any]] = {}
_quiet_until = 0.0


def register(kind: str, task: Task[Any, Any]) -> None:
    """Let ``task`` (no arguments) be what a nudge of ``kind`` starts."""
    _tasks[kind] = task


def nudge(kind: str) -> None:
    """Wake a worker for ``kind`` once the current transaction has committed; never raises for a dead broker."""
    transaction.on_commit(partial(_send, kind), robust=True)


def begin(kind: str) -> None:
    """Take the mark away: called by the task first of all, so that later work nudges anew."""
    try:
        cache.delete(f"nudge:{kind}")
    except RedisError:
        logger.debug("no broker to clear the nudge mark of %s", kind)


def _send(kind: str) -> None:
    global _quiet_until
    task = _tasks.get(kind)
    if task is None or time.monotonic() < _quiet_until:
        return
    try:
        if cache.add(f"nudge:{kind}", 1, MARK_SECONDS):
            task.apply_async(retry=False, expires=60)
    except (OperationalError, RedisError, OSError) as error:
        _quiet_until = time.monotonic() + PAUSE_SECONDS
        logger.warning("could not nudge %s, the next sweep will do it: %s", kind, error)
