"""`make demo`: PostgreSQL, broker, migrations, demo data, web, worker and beat, in one go and in order."""

import fcntl
import http.client
import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path

from config.embedded.children import Module
from config.embedded.console import say
from config.embedded.keys import load_or_create, write_private
from config.embedded.postgres import clean_environ
from config.embedded.services import remove_run_folder, start_services
from config.embedded.supervisor import EmbeddedError, StopRequested, Supervisor

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
HEALTHY_SECONDS = 60.0
# A killed predecessor's children need a moment to end.
PATIENCE_SECONDS = 4.0
# What demo.env tells to tools and tests while the demo runs.
PUBLISHED = (
    "BASE_URL",
    "ADMIN_USER",
    "ADMIN_PASSWORD",
    "WRITE_KEY",
    "SITE_ID",
    "API_KEY",
    "API_TOKEN",
    "WEBHOOK_SECRET",
    "HOOK",
)

BANNER = """
  Cuebird is running (started in {seconds:.1f} s).

    Shop window    {BASE_URL}/demo/
    Admin          {BASE_URL}/admin/   log in as {ADMIN_USER} with {ADMIN_PASSWORD}
    Tracking API   {BASE_URL}/v1/track   write key {WRITE_KEY}
    Webhook        {BASE_URL}/hooks/{HOOK}/   takes any JSON

    Data and logs  {DATA_DIR}   (while it runs, demo.env there holds the keys)
    Stop           Ctrl-C; the data stays
"""


def run(environ: Mapping[str, str]) -> int:
    """Run the demo until somebody stops it (0) or a child ends by itself (1)."""
    data_dir = Path(environ.get("DATA_DIR") or ROOT / ".data").resolve()
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        supervisor = Supervisor(data_dir / "logs", clean_environ())
        supervisor.stop_on_signals()
        with _sole_use(supervisor, data_dir):
            _run_alone(supervisor, data_dir, _port(environ))
    except StopRequested:
        return 0
    except EmbeddedError as error:
        say(f"\n{error}\n", error=True)
        return 1
    return 0


def _run_alone(supervisor: Supervisor, data_dir: Path, port: int) -> None:
    began = time.monotonic()
    published = data_dir / "demo.env"
    published.unlink(missing_ok=True)  # a killed predecessor leaves it
    try:
        _await_port(supervisor, port)
        _start_all(supervisor, data_dir, port)
        write_private(published, "".join(f"{name}={supervisor.environ[name]}\n" for name in PUBLISHED))
        say(BANNER.format(seconds=time.monotonic() - began, **supervisor.environ))
        supervisor.wait_until(lambda: False)
    finally:
        published.unlink(missing_ok=True)
        say("Stopping.")
        supervisor.stop()
        remove_run_folder(data_dir)


def _start_all(supervisor: Supervisor, data_dir: Path, port: int) -> None:
    """Start everything; return when the health check is content."""
    say("Starting PostgreSQL and the broker.")
    services = start_services(supervisor, data_dir, durable=True)
    supervisor.environ.update(services.environ())
    supervisor.environ.update(load_or_create(data_dir / "secrets.json"))
    supervisor.environ.update(
        BASE_URL=f"http://{HOST}:{port}",
        DATA_DIR=str(data_dir),
        DEMO="1",
        DJANGO_SETTINGS_MODULE="config.settings",
        PYTHONPATH=str(ROOT),
        PYTHONUNBUFFERED="1",
    )
    os.environ.update(supervisor.environ)
    _import_once(supervisor, "config.celery", "config.wsgi")
    say("Preparing the database.")
    prepare = supervisor.start(Module("prepare", "config.embedded.prepare"))
    _import_once(supervisor, "celery.bin.celery", "celery.apps.worker", "celery.apps.beat")
    supervisor.finish(prepare)
    say("Starting web, worker and beat.")
    for module in _application(port):
        supervisor.start(module)
    if not supervisor.wait_until(lambda: _is_healthy(port), HEALTHY_SECONDS, pause=0.1):
        raise EmbeddedError(
            f"{supervisor.environ['BASE_URL']}/healthz is not content after {HEALTHY_SECONDS:.0f} s: "
            f"{_health(port)}\nThe logs are in {supervisor.logs}."
        )


def _import_once(supervisor: Supervisor, *names: str) -> None:
    """Import what children need before they are forked. None of it opens a connection or starts a thread."""
    if sys.platform == "linux":
        with supervisor.interruptible():
            for name in names:
                import_module(name)


def _application(port: int) -> tuple[Module, ...]:
    web = ["--interface", "wsgi", "--host", HOST, "--port", str(port), "--workers", "1"]
    web += ["--blocking-threads", "16", "--no-ws", "--log-level", "error", "--workers-kill-timeout", "1"]
    # One worker: nobody to gossip with.
    worker = ["--quiet", "-A", "config", "worker", "--pool", "threads", "--concurrency", "4"]
    worker += ["--loglevel", "warning", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    beat = ["--quiet", "-A", "config", "beat", "--loglevel", "warning", "--pidfile="]
    return (
        Module("web", "granian", [*web, "config.wsgi:application"]),
        Module("worker", "celery", worker),
        Module("beat", "celery", beat),
    )


def _is_healthy(port: int) -> bool:
    return _health(port).startswith("200 ")


def _health(port: int) -> str:
    """Ask the health check: status and body, or what went wrong."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        response = connection.getresponse()
        return f"{response.status} {response.read(2000).decode(errors='replace')}"
    except (OSError, http.client.HTTPException) as error:
        return f"no answer ({error})"
    finally:
        connection.close()


@contextmanager
def _sole_use(supervisor: Supervisor, data_dir: Path) -> Iterator[None]:
    """Hold the data folder's lock. The kernel lets go of it when this process ends, however it ends."""
    with (data_dir / "lock").open("a+") as file:
        if not supervisor.wait_until(lambda: _try_lock(file.fileno()), PATIENCE_SECONDS):
            file.seek(0)
            raise EmbeddedError(
                f"Cuebird already runs on {data_dir} (process {file.read().strip() or 'unknown'}).\n"
                "Stop that one, or start a second one beside it: PORT=8001 DATA_DIR=.data-8001 make demo"
            )
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def _try_lock(descriptor: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _port(environ: Mapping[str, str]) -> int:
    text = environ.get("PORT") or "8000"
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise EmbeddedError(f"PORT={text} is not a port: a number from 1 to 65535, such as PORT=8001.")
    return int(text)


def _await_port(supervisor: Supervisor, port: int) -> None:
    if not supervisor.wait_until(lambda: _is_free(port), PATIENCE_SECONDS):
        raise EmbeddedError(
            f"Port {port} is in use by another program.\n"
            f"Stop that one, or choose another port: PORT={port + 1 if port < 65535 else 8000} make demo"
        )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except PermissionError:
            raise EmbeddedError(f"Port {port} is not allowed for this user; choose one above 1023.") from None
        except OSError:
            return False
    return True
