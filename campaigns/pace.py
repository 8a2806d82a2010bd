"""Let events gather for a moment while many come in: one batch of a hundred costs a fraction of ten batches of ten."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field


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
