"""The present moment for everything that decides or records: the real one, or the one that a simulation has come to.

What only measures how long work takes, or what the outside is told, goes by the real clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime

from django.utils import timezone

_moved: ContextVar[datetime | None] = ContextVar("present", default=None)


def now() -> datetime:
    """Return the present moment."""
    return _moved.get() or timezone.now()


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    """Let it be ``moment`` for whatever is called within, in this thread."""
    token = _moved.set(moment)
    try:
        yield
    finally:
        _moved.reset(token)
