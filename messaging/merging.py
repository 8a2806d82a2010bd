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

# What has been said goes along. Where one side had left what the other subscribed to later, it is said once more: a
# merge subscribes nobody. Of what each side said counts what nothing newer has overruled.
LEAVE_AGAIN = f"""
WITH sides AS (
    SELECT loser AS side, winner FROM {PAIRS} UNION SELECT winner, winner FROM {PAIRS}
), counting AS MATERIALIZED (
    SELECT sides.winner, s.* FROM sides JOIN messaging_subscription s ON s.profile_id = sides.side
    WHERE NOT EXISTS (
        SELECT FROM messaging_subscription newer
        WHERE newer.profile_id = s.profile_id AND newer.topic_id = s.topic_id
          AND newer.channel IN (s.channel, 'all') AND newer.id > s.id)
)
INSERT INTO messaging_subscription (profile_id, topic_id, channel, state, source, basis, at)
SELECT DISTINCT ON (winner, topic_id, channel) winner, topic_id, channel, state, source, basis, clock_timestamp()
FROM counting s
WHERE state = 'unsubscribed' AND EXISTS (
    SELECT FROM counting other
    WHERE other.winner = s.winner AND other.profile_id <> s.profile_id AND other.topic_id = s.topic_id
      AND other.state = 'subscribed' AND other.id > s.id
      AND (other.channel = s.channel OR 'all' IN (other.channel, s.channel)))
ORDER BY winner, topic_id, channel, source = 'application', id
"""
MOVE_SUBSCRIPTIONS = f"""
UPDATE messaging_subscription s SET profile_id = pair.winner FROM {PAIRS} WHERE s.profile_id = pair.loser
"""
MOVE_CONSENTS = f"UPDATE messaging_consent c SET profile_id = pair.winner FROM {PAIRS} WHERE c.profile_id = pair.loser"
# Whoever did not want to be tracked on one side is not on either.
KEEP_REFUSALS = f"""
INSERT INTO messaging_trackingrefusal (profile_id, source, created_at)
SELECT DISTINCT ON (pair.winner) pair.winner, t.source, t.created_at
FROM messaging_trackingrefusal t JOIN {PAIRS} ON t.profile_id = pair.loser ORDER BY pair.winner, t.created_at
ON CONFLICT (profile_id) DO NOTHING
"""
DROP_REFUSALS = "DELETE FROM messaging_trackingrefusal WHERE profile_id = ANY(%(losers)s)"
STATEMENTS = (
    *(MOVE_MESSAGES, KEEP_UNSUBSCRIPTIONS, DROP_UNSUBSCRIPTIONS, LEAVE_AGAIN, MOVE_SUBSCRIPTIONS),
    *(MOVE_CONSENTS, KEEP_REFUSALS, DROP_REFUSALS),
)


def follow_merge(sender: object, pairs: Sequence[tuple[int, int]], **kwargs: Any) -> None:
    """Re-point this room's rows from losers to winners, in the merging transaction. Eight statements."""
    parameters = {"losers": [loser for loser, _ in pairs], "winners": [winner for _, winner in pairs]}
    with connection.cursor() as cursor:
        for statement in STATEMENTS:
            cursor.execute(statement, parameters)
