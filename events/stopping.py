"""Let somebody end what they have asked the database before its time is over, and nothing else.

Who asks holds an advisory lock for as long as it takes; its key is made of their user and a token of theirs. Who stops
looks for the session that holds it and cancels its statement. Both pass ``GATE``: it is held while one looks and
cancels, and whoever lets go of their key waits for it. So no session is cancelled that has gone on to other work.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

from django.db import Error, OperationalError, connection, transaction

from events import patience
from events.patience import TooLong

GATE = 0x0CA7570B
# What is asked may consist of several statements, and a cancellation between two of them meets nothing.
TRIES, PAUSE_SECONDS = 20, 0.05

# The locks belong to the session: they outlive a transaction that fails.
TAKE = "SELECT pg_advisory_lock_shared(%s)"
LET_GO = "SELECT pg_advisory_xact_lock(%s), pg_advisory_unlock_shared(%s)"
PASS = "SELECT pg_advisory_xact_lock(%s)"
CANCEL = """
SELECT pg_cancel_backend(pid) FROM pg_locks
WHERE locktype = 'advisory' AND objsubid = 1 AND granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (classid::bigint << 32) | objid::bigint = %s
"""


def key_of(user_id: int, token: str) -> int:
    """Return the key of what a user asks under a token: another user's is another one."""
    return int.from_bytes(blake2b(f"{user_id}:{token}".encode(), digest_size=8).digest(), signed=True)


@contextmanager
def stoppable(key: int | None) -> Iterator[None]:
    """Let ``stop`` with the same key end the statements within: then it raises TooLong.

    Two statements more; none without a key.
    """
    if key is None:
        yield
        return
    try:
        with connection.cursor() as cursor:
            cursor.execute(TAKE, [key])
        yield
    except OperationalError as error:
        if patience.was_cancelled(error):
            raise TooLong from None
        raise
    finally:
        _let_go(key)


def _let_go(key: int) -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute(LET_GO, [GATE, key])
    except Error:
        # Stopped at the very end. The session's end lets go as well.
        connection.close()


def stop(key: int) -> bool:
    """End what is asked under ``key``; return whether there was anything. Goes on for a second at most."""
    for number in range(TRIES):
        if not _cancel(key):
            return number > 0
        time.sleep(PAUSE_SECONDS)
    return True


@transaction.atomic
def _cancel(key: int) -> bool:
    """Cancel the statements of whoever holds ``key``; return whether anybody does."""
    with connection.cursor() as cursor:
        cursor.execute(PASS, [GATE])
        cursor.execute(CANCEL, [key])
        return bool(cursor.fetchall())
