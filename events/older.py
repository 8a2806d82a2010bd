"""Wait for transactions that began before a segment or computed trait was there.

Such a one stores what it found nobody asking about, and nobody sees it before its end: whoever looks through everybody
before that misses it for good. All that begin later know what is there, and are heard by the usual ways.
"""

from __future__ import annotations

from typing import Any

from django.db import connection

from events import present
from events.models import ComputedTrait, Segment

# What ``built_to`` is until somebody begins to look through everybody.
NOT_BEGUN = -1


def afresh() -> dict[str, Any]:
    """Return the columns of a segment of which everybody is to be asked, from the first on."""
    return {"state": Segment.State.BUILDING, "built_to": NOT_BEGUN, "build_started_at": present.now()}


# Nothing that stores what people did takes so long as a minute; what does is somebody's report or a forgotten session.
UNDER_WAY = """
SELECT clock_timestamp() < %(since)s + interval '1 minute' AND EXISTS (
    SELECT FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
      AND xact_start < %(since)s)
"""


def are_under_way(row: Segment | ComputedTrait) -> bool:
    """Say whether to wait before the first people of ``row``, which the caller has locked. Three statements at most.

    Since when it has been there is noted when it is looked at for the first time.
    """
    with connection.cursor() as cursor:
        if row.built_to == NOT_BEGUN:
            cursor.execute("SELECT statement_timestamp()")
            row.built_to, row.build_started_at = 0, cursor.fetchone()[0]
            row.save(update_fields=["built_to", "build_started_at"])
        if row.built_to or row.build_started_at is None:
            return False
        cursor.execute(UNDER_WAY, {"since": row.build_started_at})
        return bool(cursor.fetchone()[0])
