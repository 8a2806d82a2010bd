"""Cuebird as it runs in earnest, for tests: a real web server, worker and beat as processes of their own.

They share the test's database (so a test that uses this needs ``transactional_db``) and have a broker to themselves,
which a test may flush or kill.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from django.db import connection
from psycopg.conninfo import make_conninfo
from redis import Redis

from config.embedded import broker
from config.embedded.supervisor import EmbeddedError

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 120


class Stack:
    """The processes by name: broker, web, worker (any number: worker, worker-2 …), beat."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.environ = {
            **os.environ,
            "DATABASE_URL": database_url(),
            "BROKER_URL": f"redis+socket://{folder / 'valkey.sock'}",
            "BASE_URL": self.base_url,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "PYTHONPATH": str(ROOT),
            "LOG_LEVEL": "WARNING",
            **environ,
        }

    @property
    def redis(self) -> Redis:
        return Redis(unix_socket_path=str(self.folder / "valkey.sock"))

    def start(self, *names: str) -> None:
        """Start processes that are not running; returns once the broker and the web server answer."""
        for name in names:
            command = _COMMANDS[name.split("-")[0]](self)
            with (self.folder / f"{name}.log").open("ab") as log:
                self.processes[name] = subprocess.Popen(
                    command, cwd=ROOT, env=self.environ, stdout=log, stderr=log, start_new_session=True
                )
            if name == "broker":
                wait_for(lambda: (self.folder / "valkey.sock").exists() and self.redis.ping(), START_SECONDS)
        if "web" in names:
            wait_for(lambda: self._web_answers(), START_SECONDS)

    def manage(self, *arguments: str) -> None:
        """Run a management command as an operator would: with the settings that the processes have."""
        subprocess.run([sys.executable, "manage.py", *arguments], cwd=ROOT, env=self.environ, check=True, timeout=120)

    def kill(self, name: str) -> None:
        """End a process as a crash would: no chance to finish anything."""
        process = self.processes.pop(name)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)

    def stop(self) -> None:
        for name in ("beat", *[n for n in self.processes if n not in ("beat", "broker")], "broker"):
            if name in self.processes:
                self.kill(name)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def cpu_seconds(self) -> float:
        """Return the processor time that the running processes and their children have used so far."""
        return sum(cpu_seconds(process.pid) for process in self.processes.values())

    def _web_answers(self) -> bool:
        if self.processes["web"].poll() is not None:
            raise EmbeddedError(f"the web server ended: {self.log('web')[-2000:]}")
        with suppress(OSError), urllib.request.urlopen(f"{self.base_url}/admin/login/", timeout=5) as answer:
            return bool(answer.status == 200)
        return False


@contextmanager
def running(*names: str, **environ: str) -> Iterator[Stack]:
    """Run the named processes for as long as the block lasts; without names: broker, web, worker and beat."""
    with tempfile.TemporaryDirectory(prefix="cuebird-", ignore_cleanup_errors=True) as folder:
        stack = Stack(Path(folder), **environ)
        try:
            stack.start(*(names or ("broker", "web", "worker", "beat")))
            yield stack
        finally:
            stack.stop()


def database_url() -> str:
    """Return the libpq URL of the database that this test uses."""
    settings = connection.settings_dict
    parts = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    return make_conninfo(**{key: str(settings[name]) for key, name in parts.items() if settings[name]})


def wait_for(condition: Callable[[], Any], seconds: float, what: str = "it") -> None:
    """Wait until ``condition`` is true; fail the test when that takes longer than ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:.0f} s for {what} in vain")
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _broker(stack: Stack) -> list[str]:
    binary = broker.find_binary()
    assert binary is not None
    options = ["--port", "0", "--unixsocket", str(stack.folder / "valkey.sock"), "--save", "", "--loglevel", "warning"]
    return [str(binary), *options]


def _web(stack: Stack) -> list[str]:
    options = ["--interface", "wsgi", "--host", "127.0.0.1", "--port", str(stack.port), "--blocking-threads", "16"]
    return [sys.executable, "-m", "granian", *options, "--workers", "1", "--no-ws", "config.wsgi:application"]


def _worker(stack: Stack) -> list[str]:
    options = ["--pool", "threads", "--concurrency", "4", "--loglevel", "warning"]
    quick = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    return [sys.executable, "-m", "celery", "-A", "config", "worker", *options, *quick]


def _beat(stack: Stack) -> list[str]:
    return [sys.executable, "-m", "celery", "-A", "config", "beat", "--loglevel", "warning", "--pidfile="]


_COMMANDS: dict[str, Callable[[Stack], list[str]]] = {"broker": _broker, "web": _web, "worker": _worker, "beat": _beat}


def cpu_seconds(pid: int) -> float:
    """Return user and system time of a process and all below it, those that have ended included, from /proc.

    By parents: the processes of PostgreSQL each lead a group of their own.
    """
    ticks: dict[int, int] = {}
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            number, _, fields = stat.read_text().partition(" (")
            parts = fields.rpartition(")")[2].split()
            ticks[int(number)] = sum(map(int, parts[11:15]))
            children.setdefault(int(parts[1]), []).append(int(number))
    total, below = 0, [pid]
    while below:
        process = below.pop()
        total += ticks.get(process, 0)
        below += children.get(process, [])
    return total / os.sysconf("SC_CLK_TCK")
