"""One child process: started in its own session, its output kept and told apart by name, killed as a group."""

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from config.embedded.console import say_for
from config.embedded.launch import die_with_parent, show_as

Identity = Literal["self", "namespace", "nobody"]


@dataclass(frozen=True, slots=True)
class Program:
    """A program of its own, such as a server. Its output goes to its log file only."""

    name: str
    command: Sequence[str | Path]
    # What the kernel sends when the supervisor is killed.
    death_signal: signal.Signals = signal.SIGKILL
    stop_signal: signal.Signals = signal.SIGTERM
    identity: Identity = "self"


@dataclass(frozen=True, slots=True)
class Module:
    """A Python module to run as a script. Its output goes to its log file and, with its name, to the terminal.

    On Linux it runs in a fork of the supervisor, which has imported Django once for all: three times as quick
    as one import in each child. A Mac's system libraries do not survive a fork, so there it is a new Python.
    """

    name: str
    module: str
    arguments: Sequence[str] = ()


class Process(Protocol):
    """What `subprocess` and `multiprocessing` have to have in common here."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...


class Fork:
    """A forked process with the interface of `subprocess.Popen`."""

    def __init__(self, process: multiprocessing.process.BaseProcess) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode


class Child:
    """A running child. Whoever holds it calls `copy_output` when `pipe` has something to read."""

    def __init__(self, spec: Program | Module, environ: Mapping[str, str], log: Path) -> None:
        self.name = spec.name
        self.log = log
        self.is_program = isinstance(spec, Program)
        self.stop_signal = spec.stop_signal if isinstance(spec, Program) else signal.SIGTERM
        self.pipe: int | None = None
        self._rest = b""
        with suppress(FileNotFoundError):
            log.replace(log.with_suffix(".old.log"))
        self._log = log.open("wb", buffering=0)
        if isinstance(spec, Program):
            self.process: Process = _start_program(spec, environ, self._log.fileno())
        else:
            self.pipe, output = os.pipe()
            self.process = _start_module(spec, environ, output)
            os.close(output)

    @property
    def returncode(self) -> int | None:
        return self.process.poll()

    def ask_to_stop(self) -> None:
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, self.stop_signal)

    def kill_group(self) -> None:
        """Leave nobody of its session's group behind, whether the child itself still lives or not."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def describe_end(self) -> str:
        """Say for a person how it ended: exit code or signal."""
        code = self.returncode or 0
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def last_lines(self, count: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])

    def copy_output(self) -> bool:
        """Pass on what the pipe holds; False at its end."""
        assert self.pipe is not None
        chunk = os.read(self.pipe, 65536)
        self._log.write(chunk)
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            say_for(self.name, line)
        return bool(chunk)

    def close(self) -> None:
        self._log.close()
        if self.pipe is not None:
            os.close(self.pipe)
            self.pipe = None


def wrapped(
    command: Sequence[str | Path], death_signal: signal.Signals = signal.SIGKILL, identity: Identity = "self"
) -> list[str]:
    """Put launch.py before the command: it gets `death_signal` when this process ends.

    To be exact, when the calling thread ends: call it from the main thread.
    """
    launcher = Path(__file__).with_name("launch.py")
    head = [sys.executable, "-I", "-S", launcher, int(death_signal), os.getpid(), identity]
    return [str(word) for word in (*head, *command)]


def _start_program(spec: Program, environ: Mapping[str, str], output: int) -> Process:
    return _spawn(wrapped(spec.command, spec.death_signal, spec.identity), environ, output)


def _start_module(spec: Module, environ: Mapping[str, str], output: int) -> Process:
    if sys.platform != "linux":
        return _spawn(wrapped([sys.executable, "-m", spec.module, *spec.arguments]), environ, output)
    target = multiprocessing.get_context("fork").Process(target=_run_module, args=(spec, environ, output, os.getpid()))
    target.start()
    return Fork(target)


def _spawn(command: Sequence[str], environ: Mapping[str, str], output: int) -> subprocess.Popen[bytes]:
    # A session of its own: Ctrl-C must reach the supervisor alone, which stops the others in order.
    return subprocess.Popen(
        command, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
    )


def _run_module(spec: Module, environ: Mapping[str, str], output: int, parent: int) -> None:
    """In the fork: become what `python -m module arguments` would be."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.setsid()
    show_as(f"cuebird-{spec.name}")
    die_with_parent(signal.SIGKILL, parent)
    # The web server forks in its turn: its child shall not outlive it either.
    os.register_at_fork(after_in_child=lambda: die_with_parent(signal.SIGKILL, os.getppid()))
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = [spec.module, *spec.arguments]
    runpy.run_module(spec.module, run_name="__main__", alter_sys=True)
