"""Let threads do things at the same moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from django.db import connection

# One that cannot even connect leaves the others without a partner.
PATIENCE_SECONDS = 60


def at_once(work: Sequence[Callable[[], Any]]) -> list[Any]:
    """Start all pieces of work at the same moment, each in a thread with a connection of its own."""
    barrier = Barrier(len(work))

    def run(piece: Callable[[], Any]) -> Any:
        try:
            connection.ensure_connection()
            barrier.wait(PATIENCE_SECONDS)
            return piece()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(work)) as pool:
        return list(pool.map(run, work))
