"""Whose turn it is among the journeys that are due: the important ones first, and nobody waits for ever.

A journey has the priority of its campaign, as its messages have. Where more are due than a batch takes, it goes by
priority; but a fifth of its places belong to those that have been due longest, whatever their priority. So a flood of
urgent journeys leaves a fifth of the speed to the others, and whoever has been due longest is in the next batch.
"""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from messaging.models import Priority

PRIORITIES = ", ".join(f"({priority.value})" for priority in sorted(Priority, reverse=True))
# One index is read from its beginning for each priority, the next only where there are places left: what is not taken
# is not locked. An index by due time less a head start, as messages have it, would have urgent journeys that wait for
# days passed over at each claim.
TAKE = f"""
SELECT ARRAY(
    SELECT id FROM campaigns_journey WHERE state = 'waiting' AND due_at <= %(now)s
    ORDER BY due_at, id LIMIT %(oldest)s FOR UPDATE SKIP LOCKED
) || ARRAY(
    SELECT turn.id FROM (VALUES {PRIORITIES}) AS p(priority) CROSS JOIN LATERAL (
        SELECT id FROM campaigns_journey
        WHERE state = 'waiting' AND priority = p.priority AND due_at <= %(now)s
        ORDER BY due_at, id LIMIT %(others)s FOR UPDATE SKIP LOCKED
    ) AS turn LIMIT %(others)s
)
"""


def take(now: datetime, limit: int) -> list[int]:
    """Lock up to ``limit`` journeys that are due and nobody else holds, and return their ids. One statement."""
    oldest = limit // 5
    with connection.cursor() as cursor:
        cursor.execute(TAKE, {"now": now, "oldest": oldest, "others": limit - oldest})
        (ids,) = cursor.fetchone()
    return list(dict.fromkeys(ids))
