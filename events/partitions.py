"""Monthly partitions of the event log: made ahead of time, and any month can be dropped whole.

What falls into no month (imported history, a clock far in the future) lands in the default partition; making the
month later moves it out.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

from django.db import connection, transaction
from psycopg import sql

TABLE = "events_event"
DEFAULT = "events_event_default"
# An index alone can answer for pages that a vacuum has seen: let a fortieth that is new be reason enough for one.
OFTEN = "autovacuum_vacuum_insert_scale_factor = 0.025"


def month_of(day: date, offset: int = 0) -> date:
    """Return the first day of the month ``offset`` months after that of ``day``."""
    count = day.year * 12 + day.month - 1 + offset
    return date(count // 12, count % 12 + 1, 1)


def partition_name(month: date) -> str:
    return f"{TABLE}_{month:%Y_%m}"


def months() -> dict[str, date]:
    """Return the first day of each month that has a partition, by the partition's name."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = %s::regclass AND c.relname <> %s",
            [TABLE, DEFAULT],
        )
        names = [name for (name,) in cursor.fetchall()]
    return {name: datetime.strptime(name, f"{TABLE}_%Y_%m").date() for name in names}  # noqa: DTZ007  # a day


def ensure(today: date, back: int, ahead: int) -> list[str]:
    """Make the missing partitions from ``back`` months before ``today`` to ``ahead`` after. Returns the new names."""
    made = []
    for offset in range(-back, ahead + 1):
        month = month_of(today, offset)
        if not _exists(partition_name(month)):
            _make(month)
            made.append(partition_name(month))
    return made


def _exists(name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [name])
        return bool(cursor.fetchone()[0])


@transaction.atomic
def _make(month: date) -> None:
    """Create one month, taking over rows that were waiting for it in the default partition."""
    start, end = (datetime(m.year, m.month, 1, tzinfo=UTC) for m in (month, month_of(month, 1)))
    names = {
        "name": sql.Identifier(partition_name(month)),
        "table": sql.Identifier(TABLE),
        "default": sql.Identifier(DEFAULT),
        "start": sql.Literal(start),
        "end": sql.Literal(end),
    }
    statements = [
        "LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE",
        "CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING STORAGE)",
        "WITH moved AS (DELETE FROM {default} WHERE timestamp >= {start} AND timestamp < {end} RETURNING *)"
        " INSERT INTO {name} SELECT * FROM moved",
        f"ALTER TABLE {{name}} SET ({OFTEN})",
        "ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({start}) TO ({end})",
    ]
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(sql.SQL(statement).format(**names))


def add_index(name: str, columns: str) -> None:
    """Give the log an index, one month after the other and without keeping writers waiting. Not in a transaction.

    What an earlier try has left is taken over, or made anew where it broke off in the middle. Months that are made
    later get the index by themselves.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE INDEX IF NOT EXISTS {name} ON ONLY {TABLE} {columns}")
        for partition in (*months(), DEFAULT):
            part = f"{partition}_{name.removeprefix('event_')}"
            cursor.execute(INVALID, [part])
            if cursor.fetchone():
                cursor.execute(f"DROP INDEX CONCURRENTLY {part}")
            cursor.execute(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {part} ON {partition} {columns}")
            cursor.execute(f"ALTER INDEX {name} ATTACH PARTITION {part}")


INVALID = "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(%s) AND NOT indisvalid"


def vacuum_often() -> None:
    """Have new pages of every month looked through soon."""
    with connection.cursor() as cursor:
        for partition in (*months(), DEFAULT):
            cursor.execute(f"ALTER TABLE {partition} SET ({OFTEN})")
