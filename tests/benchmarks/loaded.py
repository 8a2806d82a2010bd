"""A busy installation's past to measure on: ``seed_load`` in a PostgreSQL of its own that keeps what it commits.

By environment: ``BENCH_PROFILES`` and ``BENCH_EVENTS`` say how much, ``BENCH_DATA`` names a folder in which it is kept
for the next run. This process and whatever ``stack`` starts with ``url`` work on it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from django.db import connection, connections

from config.settings import database_from_url
from tests.durable import DurablePostgres

PROFILES = int(os.environ.get("BENCH_PROFILES", "100000"))
EVENTS = int(os.environ.get("BENCH_EVENTS", str(PROFILES * 10)))
KEPT = os.environ.get("BENCH_DATA")


@contextmanager
def database() -> Iterator[DurablePostgres]:
    """Have Django in this process use a loaded database for as long as the block lasts."""
    with _folder() as folder:
        server = DurablePostgres(folder)
        try:
            server.start()
            server.migrate()
            _fill(server)
            with used_by_django(server.url):
                yield server
        finally:
            server.stop()


@contextmanager
def _folder() -> Iterator[Path]:
    if KEPT is None:
        with tempfile.TemporaryDirectory(prefix="cuebird-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)
    else:
        kept = Path(KEPT)
        kept.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(kept / "pg", ignore_errors=True)  # the last run's socket
        yield kept


def _fill(server: DurablePostgres) -> None:
    with psycopg.connect(server.url) as database:
        loaded = database.execute("SELECT 1 FROM events_identity WHERE value = 'load-1'").fetchone()
    if loaded is None:
        size = [f"--profiles={PROFILES}", f"--events={EVENTS}", f"--messages={PROFILES // 5}"]
        server.manage("seed_load", "--yes", *size)
        with psycopg.connect(server.url, autocommit=True) as database:
            database.execute("VACUUM ANALYZE")


@contextmanager
def used_by_django(url: str) -> Iterator[None]:
    """Have Django in this process use the database at ``url`` for as long as the block lasts."""
    before = connection.settings_dict
    connection.close()
    connections["default"].settings_dict = {**before, **database_from_url(url)}
    try:
        yield
    finally:
        connection.close()
        connections["default"].settings_dict = before
