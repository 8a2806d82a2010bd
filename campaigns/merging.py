"""Follow a merge of two profiles: journeys and decisions go to the one that stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection

from campaigns import ledger
from campaigns.reasons import Ending, Outcome
from events import nudges
from messaging import outbox
from messaging.reasons import Reason

# Several under way in one campaign: the oldest journey goes on, so that nothing is said twice.
END_SECOND = """
WITH person AS (
    SELECT loser AS profile_id, winner FROM unnest(%s::bigint[], %s::bigint[]) AS pair(loser, winner)
    UNION SELECT winner, winner FROM unnest(%s::bigint[]) AS winners(winner)
)
UPDATE campaigns_journey j SET state = 'ended', ended_at = now(), due_at = NULL, ending = %s
FROM person
WHERE j.profile_id = person.profile_id AND j.state <> 'ended' AND EXISTS (
    SELECT 1 FROM campaigns_journey older JOIN person same ON same.profile_id = older.profile_id
    WHERE older.campaign_id = j.campaign_id AND older.state <> 'ended' AND older.id < j.id
      AND same.winner = person.winner)
RETURNING j.id, j.visit_number, j.ended_at
"""

# An entry key used on several sides stays unique by naming the journey; the oldest keeps "once", which still counts.
MOVE_JOURNEYS = """
UPDATE campaigns_journey j SET profile_id = pair.winner, entry_key = CASE WHEN EXISTS (
        SELECT 1 FROM campaigns_journey other
        LEFT JOIN unnest(%s::bigint[], %s::bigint[]) AS also(loser, winner) ON also.loser = other.profile_id
        WHERE other.campaign_id = j.campaign_id AND other.entry_key = j.entry_key
          AND (other.profile_id = pair.winner OR also.winner = pair.winner AND other.id < j.id))
    THEN j.entry_key || ':journey:' || j.id ELSE j.entry_key END
FROM unnest(%s::bigint[], %s::bigint[]) AS pair(loser, winner) WHERE j.profile_id = pair.loser
"""

MOVE_DECISIONS = """
UPDATE campaigns_decision d SET profile_id = pair.winner
FROM unnest(%s::bigint[], %s::bigint[]) AS pair(loser, winner) WHERE d.profile_id = pair.loser
"""


# Not out yet, and said already or about to be by the journey that goes on, or by a message before it.
SECOND_MESSAGES = """
WITH person AS (
    SELECT loser AS profile_id, winner FROM unnest(%s::bigint[], %s::bigint[]) AS pair(loser, winner)
    UNION SELECT winner, winner FROM unnest(%s::bigint[]) AS winners(winner)
), unsent AS MATERIALIZED (
    SELECT m.id, m.status, v.step_id, j.id AS journey_id, j.campaign_id, person.winner
    FROM person JOIN campaigns_journey j ON j.profile_id = person.profile_id
    JOIN campaigns_visit v ON v.journey_id = j.id JOIN messaging_message m ON m.id = v.message_id
    WHERE m.status IN ('queued', 'sending')
)
SELECT u.id FROM unsent u WHERE u.status = 'queued' AND (u.journey_id = ANY(%s) OR EXISTS (
    SELECT FROM unsent o WHERE o.winner = u.winner AND o.campaign_id = u.campaign_id AND o.step_id = u.step_id
    AND o.journey_id < u.journey_id))
"""

# The other one may have the traits that an event waits for, on either side: it is looked at now.
MOVE_WAITING = """
UPDATE campaigns_waiting w SET profile_id = pair.winner, look_at = now()
FROM unnest(%s::bigint[], %s::bigint[]) AS pair(loser, winner) WHERE w.profile_id IN (pair.loser, pair.winner)
"""


def follow_merge(sender: object, pairs: Sequence[tuple[int, int]], **kwargs: Any) -> None:
    """Re-point journeys and decisions of the losers, in the merging transaction."""
    losers, winners = [loser for loser, _ in pairs], [winner for _, winner in pairs]
    with connection.cursor() as cursor:
        cursor.execute(END_SECOND, [losers, winners, winners, Ending.MERGED])
        ended = cursor.fetchall()
        cursor.execute(SECOND_MESSAGES, [losers, winners, winners, [journey_id for journey_id, *_ in ended]])
        outbox.withdraw([message_id for (message_id,) in cursor.fetchall()], Reason.MERGED)
        cursor.execute(MOVE_JOURNEYS, [losers, winners, losers, winners])
        cursor.execute(MOVE_DECISIONS, [losers, winners])
        cursor.execute(MOVE_WAITING, [losers, winners])
        if cursor.rowcount:
            nudges.nudge("pending")
    ledger.leave_visits(
        [
            ledger.VisitExit(journey_id, visit, at, Outcome.INTERRUPTED, Ending.MERGED.label, None)
            for journey_id, visit, at in ended
            if visit
        ]
    )
