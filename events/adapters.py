"""What crosses between Python and PostgreSQL most, times and lists of numbers, by C functions instead of loops.

psycopg's own adapters for these are written in Python, and Django's for times on top of them; on the hot paths they
took a tenth of the processor time. What these here cannot do, those still do.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from psycopg.abc import Buffer
from psycopg.types.array import ListDumper
from psycopg.types.datetime import TimestamptzLoader


class TimeLoader(TimestamptzLoader):
    """Loads ``timestamptz`` with the offset that the server wrote, which is UTC's on connections of Django's."""

    # Django asks for it, and puts its own loader where the connection has another zone.
    timezone = UTC

    def load(self, data: Buffer) -> datetime:
        """Return the instant. Raises DataError for what no ``datetime`` can hold, such as infinity."""
        try:
            return datetime.fromisoformat(bytes(data).decode())
        except ValueError:
            return super().load(data)


class FlatListDumper(ListDumper):
    """Dumps lists; those of nothing but whole numbers, times or texts need no look at each element."""

    def dump(self, obj: Sequence[Any]) -> Buffer | None:
        """Return the text of an array."""
        types = set(map(type, obj))
        if types == {int}:
            return f"{{{','.join(map(str, obj))}}}".encode()
        if types == {datetime}:
            return f"{{{','.join(map(datetime.isoformat, obj))}}}".encode()
        # PostgreSQL stores no NUL; psycopg says so in its error.
        if types == {str} and "\0" not in (joined := "\n".join(obj)):
            if "\\" in joined or '"' in joined:
                obj = [text.replace("\\", r"\\").replace('"', r"\"") for text in obj]
            return '{{"{}"}}'.format('","'.join(obj)).encode()
        return super().dump(list(obj))


def _adapt(connection: BaseDatabaseWrapper, **_: object) -> None:
    connection.connection.adapters.register_loader("timestamptz", TimeLoader)
    connection.connection.adapters.register_dumper(list, FlatListDumper)


def connect() -> None:
    """Let every connection to the database use these."""
    connection_created.connect(_adapt, dispatch_uid="events.adapters")
