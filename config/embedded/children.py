"""One child process: started in its own group, its output told apart by name, stopped without leftovers."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from config.embedded.console import say_for

Identity = Literal["self", "namespace", "nobody"]


def wrapped(
    command: Sequence[str | Path], death_signal: signal.Signals = signal.SIGKILL, identity: Identity = "self"
) -> list[str]:
    """Put launch.py before the command: it gets `death_signal` when the calling thread's process ends.

    Call it from the thread that will live longest: Linux ties the signal to the thread, not the process.
    """
    launcher = Path(__file__).with_name("launch.py")
    head = [sys.executable, "-I", "-S", launcher, int(death_signal), os.getpid(), identity]
    return [str(word) for word in (*head, *command)]


@dataclass(frozen=True, slots=True)
class Spec:
    """How to start and stop one child."""

    name: str
    command: Sequence[str | Path]
    # What the kernel sends when the supervisor is killed: a hard end for stateless children.
    death_signal: signal.Signals = signal.SIGKILL
    stop_signal: signal.Signals = signal.SIGTERM
    identity: Identity = "self"
    # Stop these after all others: everybody else talks to them.
    foundation: bool = False
    # Only into the log file, not to the terminal.
    silent: bool = False


class Child:
    """A running child. Its output goes to `log` and, line by line with its name, to the terminal."""

    def __init__(self, spec: Spec, environ: Mapping[str, str], log: Path) -> None:
        self.spec = spec
        self.log = log
        with suppress(FileNotFoundError):
            log.replace(log.with_suffix(".old.log"))
        self.process = subprocess.Popen(
            wrapped(spec.command, spec.death_signal, spec.identity),
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C must reach the supervisor alone, which stops in order
        )
        self._pump = threading.Thread(target=self._copy_output, daemon=True)
        self._pump.start()

    @property
    def returncode(self) -> int | None:
        return self.process.poll()

    def ask_to_stop(self) -> None:
        with suppress(ProcessLookupError):
            self.process.send_signal(self.spec.stop_signal)

    def end(self, deadline: float) -> None:
        """Wait until `deadline` (monotonic), then kill; leave nobody of its group behind."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(max(0.0, deadline - time.monotonic()))
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._pump.join(timeout=0.5)

    def describe_end(self) -> str:
        """Say how it ended, for a person: exit code or signal."""
        code = self.process.wait()
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def last_lines(self, count: int = 15) -> str:
        self._pump.join(timeout=0.5)
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])

    def _copy_output(self) -> None:
        pipe = self.process.stdout
        assert pipe is not None
        with self.log.open("wb", buffering=0) as log, pipe:
            for line in pipe:
                log.write(line)
                if not self.spec.silent:
                    say_for(self.spec.name, line)
