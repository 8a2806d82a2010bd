"""The whole database as text, to look for what must not be in it."""

from __future__ import annotations

from django.db import connection
from psycopg import sql


def places_of(*markers: str) -> dict[str, list[str]]:
    """Return the tables in which any of ``markers`` stands, each with the lines that show it; case does not matter."""
    found: dict[str, list[str]] = {}
    for table in _tables():
        lines = _text(table).lower().splitlines()
        shown = [line for line in lines if any(marker.lower() in line for marker in markers)]
        if shown:
            found[table] = shown
    return found


def _tables() -> list[str]:
    """Return every table that holds rows; partitions are tables of their own."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
        return [name for (name,) in cursor.fetchall()]


def _text(table: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table)))
        rows = cursor.fetchall()
    return "\n".join(" | ".join(_cell(value) for value in row) for row in rows)


def _cell(value: object) -> str:
    return bytes(value).decode("latin-1") if isinstance(value, bytes | memoryview) else str(value)
