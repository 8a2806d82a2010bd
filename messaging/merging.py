"""Follow people who became one: their messages go along, and who left stays away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection

PAIRS = "unnest(%(losers)s::bigint[], %(winners)s::bigint[]) AS pair(loser, winner)"

MOVE_MESSAGES = f"UPDATE messaging_message m SET profile_id = pair.winner FROM {PAIRS} WHERE m.profile_id = pair.loser"

# The first to leave counts, and more than an application's word; that the other one never left brings nobody back.
KEEP_UNSUBSCRIPTIONS = f"""
INSERT INTO messaging_unsubscription AS w (profile_id, message_id, method, created_at)
SELECT DISTINCT ON (pair.winner) pair.winner, u.message_id, u.method, u.created_at
FROM messaging_unsubscription u JOIN {PAIRS} ON u.profile_id = pair.loser
ORDER BY pair.winner, u.method = 'application', u.created_at
ON CONFLICT (profile_id) DO UPDATE SET
    message_id = excluded.message_id, method = excluded.method, created_at = excluded.created_at
WHERE w.method = 'application' AND excluded.method <> 'application'
"""
DROP_UNSUBSCRIPTIONS = "DELETE FROM messaging_unsubscription WHERE profile_id = ANY(%(losers)s)"


def follow_merge(sender: object, pairs: Sequence[tuple[int, int]], **kwargs: Any) -> None:
    """Re-point this room's rows from losers to winners, in the merging transaction. Three statements."""
    parameters = {"losers": [loser for loser, _ in pairs], "winners": [winner for _, winner in pairs]}
    with connection.cursor() as cursor:
        for statement in (MOVE_MESSAGES, KEEP_UNSUBSCRIPTIONS, DROP_UNSUBSCRIPTIONS):
            cursor.execute(statement, parameters)
