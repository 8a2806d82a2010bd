"""Let things be named, and taken away, one after the other: what is named anywhere is not deleted.

Segments, computed traits and topics are named in conditions, drafts of campaigns and templates, where no foreign key
keeps them. Whoever stores such a text, and whoever looks for one before deleting, holds this lock until the end of the
transaction: so a look sees all that came before, and what comes after finds out that the name is gone.
"""

from __future__ import annotations

from django.db import connection

LOCK = 0x0CA7A5E7


def hold() -> None:
    """Wait until nobody else names or deletes; held until the caller's transaction ends.

    It is taken before rows are locked.
    """
    assert connection.in_atomic_block
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
