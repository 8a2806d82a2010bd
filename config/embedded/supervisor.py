"""Keep a handful of children running together: one's end is the end of all."""

import selectors
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import inf
from pathlib import Path
from types import FrameType

from config.embedded.children import Child, Module, Program

POLL_SECONDS = 0.02
# Together well under the three seconds that a person waits after Ctrl-C.
STOP_SECONDS = 2.0
PROGRAM_STOP_SECONDS = 5.0


class EmbeddedError(Exception):
    """Something a person has to put right; the text says what and how."""


class StopRequested(Exception):
    """Somebody asked the whole to stop: Ctrl-C, SIGTERM or a closed terminal."""


class Supervisor:
    """Starts children, waits for them, notices the first that ends, stops all in reverse order.

    One thread, so that it may fork. `stop()` in a `finally` is the caller's duty.
    """

    def __init__(self, logs: Path, environ: Mapping[str, str]) -> None:
        self.logs = logs
        self.environ = dict(environ)
        self.children: list[Child] = []
        self._stop_requested = False
        self._raise_at_once = False
        self._pipes = selectors.DefaultSelector()
        logs.mkdir(parents=True, exist_ok=True)

    def stop_on_signals(self) -> None:
        """Turn SIGINT, SIGTERM and SIGHUP into a stop; `nohup` keeps its meaning."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._request_stop)

    def start(self, spec: Program | Module) -> Child:
        child = Child(spec, self.environ, self.logs / f"{spec.name}.log")
        self.children.append(child)
        if child.pipe is not None:
            self._pipes.register(child.pipe, selectors.EVENT_READ, child)
        return child

    def finish(self, child: Child) -> None:
        """Wait for a child that does its work and ends. Raises EmbeddedError unless it ends with 0."""
        self.children.remove(child)
        try:
            self.wait_until(lambda: child.returncode is not None)
        finally:
            self._end([child], STOP_SECONDS)
        if child.returncode:
            raise EmbeddedError(self._obituary(child))

    def wait_until(self, ready: Callable[[], bool], seconds: float = inf, pause: float = POLL_SECONDS) -> bool:
        """Poll until `ready()`; False after `seconds`. Raises StopRequested, or EmbeddedError if a child ends."""
        deadline = time.monotonic() + seconds
        while not ready():
            self.check()
            if time.monotonic() >= deadline:
                return False
            self._copy_output(pause)
        return True

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let a signal break off the block, which starts no children, by StopRequested."""
        self.check()
        self._raise_at_once = True
        try:
            yield
        finally:
            self._raise_at_once = False

    def check(self) -> None:
        """Raise StopRequested if somebody asked to stop, EmbeddedError if a child has ended."""
        if self._stop_requested:
            raise StopRequested
        for child in self.children:
            if child.returncode is not None:
                raise EmbeddedError(self._obituary(child))

    def stop(self) -> None:
        """Stop the modules, then the servers that they need, each lot in reverse order."""
        for program, patience in ((False, STOP_SECONDS), (True, PROGRAM_STOP_SECONDS)):
            self._end([child for child in reversed(self.children) if child.is_program is program], patience)
        self.children.clear()

    def _end(self, lot: list[Child], patience: float) -> None:
        """Ask all at once, give them `patience` seconds, then leave nobody."""
        for child in lot:
            child.ask_to_stop()
        deadline = time.monotonic() + patience
        while any(child.returncode is None for child in lot) and time.monotonic() < deadline:
            self._copy_output(POLL_SECONDS)
        for child in lot:
            child.kill_group()
        while any(child.returncode is None for child in lot):
            self._copy_output(POLL_SECONDS)
        self._copy_output(0)
        for child in lot:
            self._unregister(child)
            child.close()

    def _copy_output(self, seconds: float) -> None:
        """Pass on the children's output for so long, at least what is there."""
        deadline = time.monotonic() + seconds
        while True:
            for key, _ in self._pipes.select(max(0.0, deadline - time.monotonic())):
                if not key.data.copy_output():
                    self._unregister(key.data)
            if self._stop_requested or time.monotonic() >= deadline:
                return

    def _unregister(self, child: Child) -> None:
        if child.pipe is not None and child.pipe in self._pipes.get_map():
            self._pipes.unregister(child.pipe)

    def _request_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stop_requested = True
        if self._raise_at_once:
            self._raise_at_once = False
            raise StopRequested

    def _obituary(self, child: Child) -> str:
        self._copy_output(0)
        words = f"Its last words:\n\n{child.last_lines()}\n\n" if child.is_program else "Its last words are above. "
        return f"{child.name} {child.describe_end()}. {words}All of its output: {child.log}"
