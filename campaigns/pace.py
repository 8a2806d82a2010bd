"""Let events gather for a moment while many come in: one batch of a hundred costs a fraction of ten batches of ten.

And let one thread of a process do it at a time: batches that take turns share a connection, which knows the plans of
what is asked of it, while batches side by side wait for each other's people and have it all planned once each.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property

from django.db import close_old_connections


@dataclass(slots=True)
class Pace:
    """Keep beginnings ``seconds`` apart within a process. Whoever comes after a quiet while begins at once."""

    seconds: float
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _next: float = 0.0

    def wait(self) -> None:
        """Return when it is time to begin; of several who wait, one after the other."""
        with self._lock:
            now = time.monotonic()
            begin = max(now, self._next)
            self._next = begin + self.seconds
        time.sleep(begin - now)

    def forget(self) -> None:
        """Let the next begin at once, as there was nothing to do."""
        with self._lock:
            self._next = 0.0


class Alone:
    """Does ``work`` in a thread of its own: whoever asks while it is at it has it done once more, and does not wait."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._is_asked = self._is_at_it = False

    def ask(self, seconds: float) -> bool:
        """Have it done, and again as long as somebody asks meanwhile, for so long at most.

        Returns whether it is still asked for, as the time is up. Raises what the work raises.
        """
        with self._lock:
            self._is_asked = True
            if self._is_at_it:
                return False
            self._is_at_it = True
        return self._thread.submit(self._go_on, time.monotonic() + seconds).result()

    @cached_property
    def _thread(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(1)  # made by the process that uses it

    def _go_on(self, deadline: float) -> bool:
        close_old_connections()
        while True:
            with self._lock:
                if not self._is_asked or time.monotonic() > deadline:
                    self._is_at_it = False
                    return self._is_asked
                self._is_asked = False
            try:
                self._work()
            except BaseException:
                self._is_at_it = False
                raise
