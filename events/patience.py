"""Give up on statements that take longer than anybody would wait."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.db import OperationalError, connection, transaction
from psycopg import errors

SET = "SELECT set_config(name, value, true) FROM unnest(%s::text[], %s::text[]) AS s(name, value)"
GET = "SELECT name, current_setting(name) FROM unnest(%s::text[]) AS s(name)"
CHANGE = "SELECT current_setting('statement_timeout'), set_config('statement_timeout', %s, true)"


class TooLong(Exception):
    """Raised when a statement has not come to an end in time."""


@contextmanager
def at_most(seconds: float, settings: Mapping[str, str] | None = None) -> Iterator[None]:
    """Run what is within, each statement for at most ``seconds``, with ``settings`` of the server besides.

    Raises TooLong. It is one transaction, whose settings end with it even within another.
    """
    wanted = {"statement_timeout": str(max(1, int(seconds * 1000))), **(settings or {})}
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(GET, [list(wanted)])
            before = dict(cursor.fetchall())
            cursor.execute(SET, [list(wanted), list(wanted.values())])
            yield
            cursor.execute(SET, [list(before), list(before.values())])
    except OperationalError as error:
        if was_cancelled(error):
            raise TooLong from None
        raise


def was_cancelled(error: OperationalError) -> bool:
    """Say whether the database gave a statement up, because it took too long or somebody wanted it."""
    return isinstance(error.__cause__, errors.QueryCanceled)


@contextmanager
def each_at_most(seconds: float) -> Iterator[None]:
    """Run what is within in the caller's transaction, each statement for at most ``seconds``. Two statements more.

    What takes longer fails with the database's own error: the caller rolls back, which ends the limit as well.
    """
    with connection.cursor() as cursor:
        cursor.execute(CHANGE, [str(max(1, int(seconds * 1000)))])
        before = cursor.fetchone()[0]
        yield
        cursor.execute(CHANGE, [before])
