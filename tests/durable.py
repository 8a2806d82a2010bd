"""A PostgreSQL of one's own that keeps what it has committed, as the demo and production do: to be killed, or measured.

The tests' common server does not wait for the disk, so a commit there costs less than in earnest and survives less.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from config.embedded import postgres
from config.embedded.supervisor import Supervisor
from events.models import SourceKey, hash_key, new_key
from tests.stack import ROOT, wait_for

MAKE_SOURCE = """
INSERT INTO events_source (name, site_id, enabled, created_at) VALUES (%(name)s, %(name)s, true, now()) RETURNING id
"""
MAKE_KEY = """
INSERT INTO events_sourcekey (source_id, kind, label, key_hash, public_value, created_at)
VALUES (%s, %s, '', %s, %s, now())
"""


class DurablePostgres:
    """A server in a folder, with the tables in place. Start it from the main thread (see ``children.wrapped``)."""

    def __init__(self, folder: Path) -> None:
        binaries = postgres.find_binaries()
        assert binaries is not None
        sockets = folder / "pg"
        sockets.mkdir()
        folder.chmod(0o711)  # the way to the socket, for a server that runs as nobody
        identity = postgres.choose_identity()
        binaries = postgres.within_reach(binaries, identity)
        self._server = postgres.Postgres(binaries, folder / "data", sockets, identity)
        self._logs = folder / "logs"
        self._supervisor = Supervisor(self._logs, postgres.clean_environ())
        self.url = self._server.url

    @property
    def pid(self) -> int:
        return self._supervisor.children[0].process.pid

    def start(self) -> None:
        self._server.start(self._supervisor)
        self._server.wait(self._supervisor)

    def stop(self) -> None:
        self._supervisor.stop()

    def restart_at_once(self) -> None:
        """Do what ``pg_ctl restart -m immediate`` does: all are cut off, nothing is written; the log brings it back."""
        os.kill(self.pid, signal.SIGQUIT)
        wait_for(lambda: self._supervisor.children[0].returncode is not None, 20, "PostgreSQL to end")
        self._supervisor.stop()
        self._supervisor = Supervisor(self._logs, postgres.clean_environ())
        self.start()

    def migrate(self) -> None:
        self.manage("migrate", "-v", "0")

    def manage(self, *arguments: str) -> None:
        """Run a management command on this database."""
        environ = {**os.environ, "DATABASE_URL": self.url}
        subprocess.run([sys.executable, "manage.py", *arguments], cwd=ROOT, env=environ, check=True)

    def make_key(self, source: str, kind: SourceKey.Kind = SourceKey.Kind.SECRET) -> tuple[int, str]:
        """Make a source and a key of it; returns the source's id and the key."""
        key = new_key(kind)
        public_value = key if kind == SourceKey.Kind.PUBLIC else ""
        with psycopg.connect(self.url) as database:
            row = database.execute(MAKE_SOURCE, {"name": source}).fetchone()
            assert row is not None
            database.execute(MAKE_KEY, [row[0], kind.value, hash_key(key), public_value])
        return row[0], key


@contextmanager
def postgres_server() -> Iterator[DurablePostgres]:
    """Run one, with its tables, for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="cuebird-", ignore_cleanup_errors=True) as folder:
        server = DurablePostgres(Path(folder))
        try:
            server.start()
            server.migrate()
            yield server
        finally:
            server.stop()
