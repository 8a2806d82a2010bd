"""Keep a handful of children running together: one's end is the end of all."""

import signal
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType

from config.embedded.children import Child, Spec

POLL_SECONDS = 0.02
# Together well under the three seconds that a person waits after Ctrl-C.
STOP_SECONDS = 1.5
FOUNDATION_STOP_SECONDS = 5.0


class EmbeddedError(Exception):
    """Something a person has to put right; the text says what and how."""


class StopRequested(Exception):
    """Somebody asked the whole to stop: Ctrl-C, SIGTERM or a closed terminal."""


class Supervisor:
    """Starts children, waits for them, notices the first that ends, stops all in reverse order.

    Used from one thread. `stop()` in a `finally` is the caller's duty.
    """

    def __init__(self, logs: Path, environ: Mapping[str, str]) -> None:
        self.logs = logs
        self.environ = dict(environ)
        self.children: list[Child] = []
        self._stop_requested = threading.Event()
        logs.mkdir(parents=True, exist_ok=True)

    def stop_on_signals(self) -> None:
        """Turn SIGINT, SIGTERM and SIGHUP into a stop; a `nohup`ped SIGHUP stays ignored."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN or number is signal.SIGINT:
                signal.signal(number, self._request_stop)

    def start(self, spec: Spec) -> Child:
        child = Child(spec, self.environ, self.logs / f"{spec.name}.log")
        self.children.append(child)
        return child

    def finish(self, child: Child) -> None:
        """Wait for a child that does its work and ends. Raises EmbeddedError unless it ends with 0."""
        self.children.remove(child)
        try:
            self.wait_until(lambda: child.returncode is not None)
        finally:
            child.ask_to_stop()
            child.end(time.monotonic() + STOP_SECONDS)
        if child.returncode:
            raise EmbeddedError(self._obituary(child))

    def wait_until(self, ready: Callable[[], bool], seconds: float = float("inf")) -> bool:
        """Poll until `ready()`; False after `seconds`. Raises StopRequested, or EmbeddedError if a child ends."""
        deadline = time.monotonic() + seconds
        while not ready():
            self.check()
            if time.monotonic() >= deadline:
                return False
            self._stop_requested.wait(POLL_SECONDS)
        return True

    def check(self) -> None:
        if self._stop_requested.is_set():
            raise StopRequested
        for child in self.children:
            if child.returncode is not None:
                raise EmbeddedError(self._obituary(child))

    def watch(self) -> None:
        """Return never: raises StopRequested, or EmbeddedError when a child ends."""
        while True:
            self.check()
            self._stop_requested.wait(0.1)

    def stop(self) -> None:
        """Stop the children of the foundation last, the others before, each lot in reverse order."""
        for foundation in (False, True):
            lot = [child for child in reversed(self.children) if child.spec.foundation is foundation]
            for child in lot:
                child.ask_to_stop()
            patience = FOUNDATION_STOP_SECONDS if foundation else STOP_SECONDS
            deadline = time.monotonic() + patience
            for child in lot:
                child.end(deadline)
        self.children.clear()

    def _request_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stop_requested.set()

    def _obituary(self, child: Child) -> str:
        return (
            f"{child.spec.name} {child.describe_end()}. Its last words:\n\n"
            f"{child.last_lines()}\n\nAll of them: {child.log}"
        )
