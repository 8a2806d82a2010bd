"""Let no call last longer than a message's lease, however slowly the other side drips its answer.

Timeouts of sockets are for each wait. A thread here looks now and then at the calls that are under way, and hangs up on
those that have had their time: for the caller the connection is lost, and the outcome unknown.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, Protocol

from requests import Session
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

# A batch is two rounds of calls, and its lease lasts 90 seconds.
MAX_SECONDS = 40.0
LOOK_EVERY = 1.0


class HasSocket(Protocol):
    sock: Any


class _Call:
    """A call that is under way, with the connections it has used."""

    def __init__(self) -> None:
        self.ends = time.monotonic() + MAX_SECONDS
        self.connections: list[HasSocket] = []

    def cut(self) -> None:
        for connection in list(self.connections):
            if isinstance(connection.sock, socket.socket):
                with suppress(OSError):
                    # Also what TLS has wrapped: only the plain shutdown wakes whoever reads.
                    socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)


_under_way: set[_Call] = set()
_mine = threading.local()


@contextmanager
def watched() -> Iterator[None]:
    """Hang up on what is called in this block once it has taken too long."""
    _watcher(os.getpid())
    call = _mine.call = _Call()
    _under_way.add(call)
    try:
        yield
    finally:
        _mine.call = None
        _under_way.discard(call)


def note(connection: HasSocket) -> None:
    """Remember that the present call uses ``connection``."""
    call: _Call | None = getattr(_mine, "call", None)
    if call is not None:
        call.connections.append(connection)


def bound(session: Session) -> None:
    """Make the connections of ``session`` known to whoever watches."""
    for adapter in session.adapters.values():
        adapter.poolmanager.pool_classes_by_scheme = POOLS  # type: ignore[attr-defined]


class _Connection(HTTPConnection):
    def request(self, *args: Any, **kwargs: Any) -> None:
        note(self)
        super().request(*args, **kwargs)


class _SecureConnection(HTTPSConnection):
    def request(self, *args: Any, **kwargs: Any) -> None:
        note(self)
        super().request(*args, **kwargs)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


POOLS: dict[str, type[HTTPConnectionPool]] = {"http": _Pool, "https": _SecurePool}


@cache
def _watcher(pid: int) -> threading.Thread:
    """Return the thread that watches in this process: a forked worker has none of its parent's."""
    thread = threading.Thread(target=_watch, name="deadlines", daemon=True)
    thread.start()
    return thread


def _watch() -> None:
    while True:
        time.sleep(LOOK_EVERY)
        now = time.monotonic()
        for call in list(_under_way):
            if call.ends < now:
                call.cut()
