"""Follow a merge of two profiles: journeys and decisions go to the one that stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection

from campaigns import dates, ledger, waking
from campaigns.reasons import Ending, Outcome
from events import nudges
from messaging import outbox
from messaging.reasons import Reason

# Each person who is merged, and who stays, with whom they all become.
PERSON = """
person AS (
    SELECT loser AS profile_id, winner FROM unnest(%(losers)s::bigint[], %(winners)s::bigint[]) AS pair(loser, winner)
    UNION SELECT winner, winner FROM unnest(%(winners)s::bigint[]) AS winners(winner)
)"""

# Had they been known as one, the campaign would not have let them in a second time. Of j, by its version's rule.
NOT_AGAIN = """(
    (coalesce(version.definition #>> '{reentry,by}', '') = ''
     OR coalesce(other.trigger -> (version.definition #>> '{reentry,by}'), 'null')
        = coalesce(j.trigger -> (version.definition #>> '{reentry,by}'), 'null'))
    AND (coalesce(version.definition #>> '{reentry,rule}', 'once') = 'once'
    OR version.definition #>> '{reentry,rule}' = 'period' AND abs(extract(epoch FROM other.trigger_at - j.trigger_at))
        < 3600 * coalesce((version.definition #>> '{reentry,hours}')::int, 24))
)"""

# Several under way in one lane of a campaign: the one that has said most goes on, of equals the oldest, so that nothing
# is said twice. None goes on where the other one has been through and the campaign is not for twice.
END_SECOND = f"""
WITH {PERSON}, under_way AS (
    SELECT j.id, row_number() OVER (
        PARTITION BY person.winner, j.campaign_id, j.lane ORDER BY said.messages DESC, j.id) AS place
    FROM person JOIN campaigns_journey j ON j.profile_id = person.profile_id
    CROSS JOIN LATERAL (SELECT count(v.message_id) AS messages FROM campaigns_visit v WHERE v.journey_id = j.id) said
    WHERE j.state <> 'ended'
)
UPDATE campaigns_journey j SET state = 'ended', ended_at = now(), due_at = NULL, ending = %(ending)s
FROM under_way, person, campaigns_campaignversion version
WHERE j.id = under_way.id AND j.state <> 'ended' AND person.profile_id = j.profile_id AND version.id = j.version_id
  AND (under_way.place > 1 OR EXISTS (
    SELECT FROM campaigns_journey other JOIN person same ON same.profile_id = other.profile_id
    WHERE other.campaign_id = j.campaign_id AND other.state = 'ended'
      AND other.ending NOT IN (%(ending)s, 'held_out')
      AND other.profile_id <> j.profile_id AND same.winner = person.winner AND {NOT_AGAIN}))
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

# Somebody of whom one side was held out and the other was not is no example of either group. Before the journeys move.
NO_MORE_MEASURED = f"""
WITH {PERSON}, mixed AS (
    SELECT j.id, j.campaign_id, j.version_id, j.ending = 'held_out' AS held, j.entered_at, j.converted_at
    FROM person JOIN campaigns_journey j ON j.profile_id = person.profile_id
    WHERE j.measured AND EXISTS (
        SELECT FROM person same JOIN campaigns_journey other ON other.profile_id = same.profile_id
        WHERE same.winner = person.winner AND other.campaign_id = j.campaign_id
          AND (other.ending = 'held_out') <> (j.ending = 'held_out'))
), unmarked AS (
    UPDATE campaigns_journey j SET measured = false FROM mixed WHERE j.id = mixed.id
)
INSERT INTO campaigns_stepcountchange (campaign_id, version_id, step_id, day, metric, count)
SELECT campaign_id, version_id, '', (entered_at AT TIME ZONE 'UTC')::date,
       CASE WHEN held THEN 'held_out' ELSE 'treated' END, -1 FROM mixed
UNION ALL
SELECT campaign_id, version_id, '', (converted_at AT TIME ZONE 'UTC')::date,
       CASE WHEN held THEN 'held_out_goal' ELSE 'treated_goal' END, -1 FROM mixed WHERE converted_at IS NOT NULL
"""

MOVE_DECISIONS = """
UPDATE campaigns_decision d SET profile_id = pair.winner
FROM unnest(%s::bigint[], %s::bigint[]) AS pair(loser, winner) WHERE d.profile_id = pair.loser
"""


# Not out yet, and its journey is over by the merge, or the other one gets the same by a message before it, or has got
# it from a campaign that is not for twice.
SECOND_MESSAGES = f"""
WITH {PERSON}, made AS MATERIALIZED (
    SELECT m.id, m.status, v.step_id, j.id AS journey_id, j.campaign_id, j.version_id, j.profile_id, j.lane,
           j.trigger_at, j.trigger, person.winner
    FROM person JOIN campaigns_journey j ON j.profile_id = person.profile_id
    JOIN campaigns_visit v ON v.journey_id = j.id JOIN messaging_message m ON m.id = v.message_id
    WHERE m.status NOT IN ('skipped', 'failed')
)
SELECT j.id FROM made j JOIN campaigns_campaignversion version ON version.id = j.version_id
WHERE j.status IN ('draft', 'queued') AND (j.journey_id = ANY(%(ended)s) OR EXISTS (
    SELECT FROM made other
    WHERE other.winner = j.winner AND other.campaign_id = j.campaign_id AND other.step_id = j.step_id
      AND other.lane = j.lane
      AND (other.status IN ('draft', 'queued', 'sending') AND other.journey_id < j.journey_id
           OR other.status NOT IN ('draft', 'queued', 'sending') AND other.profile_id <> j.profile_id AND {NOT_AGAIN})))
"""

# The other one may have the traits that an event waits for, on either side: it is looked at now.
MOVE_WAITING = """
UPDATE campaigns_waiting w SET profile_id = pair.winner, look_at = now()
FROM unnest(%s::bigint[], %s::bigint[]) AS pair(loser, winner) WHERE w.profile_id IN (pair.loser, pair.winner)
"""

MOVE_PARKED = """
UPDATE campaigns_parked p SET profile_id = pair.winner
FROM unnest(%s::bigint[], %s::bigint[]) AS pair(loser, winner) WHERE p.profile_id = pair.loser
"""


# What waits for quiet on several sides waits as one: the last event of all, until the last of them was to be quiet.
JOIN_PUT_OFF = f"""
WITH {PERSON}, ranked AS (
    SELECT q.id, row_number() OVER (same ORDER BY q.happened_at DESC, q.event_id DESC) AS place,
           max(q.look_at) OVER same AS look_at, min(q.until) OVER same AS until
    FROM person JOIN campaigns_putoff q ON q.profile_id = person.profile_id
    WINDOW same AS (PARTITION BY person.winner, q.campaign_id, q.key)
), replaced AS (
    DELETE FROM campaigns_putoff q USING ranked WHERE q.id = ranked.id AND ranked.place > 1
    RETURNING q.event_id, q.version_id
), told AS (
    UPDATE campaigns_decision d SET entry = 'replaced' FROM replaced
    WHERE d.event_id = replaced.event_id AND d.version_id = replaced.version_id AND d.entry = 'quiet'
)
UPDATE campaigns_putoff q SET look_at = least(ranked.look_at, ranked.until), until = ranked.until
FROM ranked WHERE q.id = ranked.id AND ranked.place = 1
"""
MOVE_PUT_OFF = """
UPDATE campaigns_putoff q SET profile_id = pair.winner
FROM unnest(%s::bigint[], %s::bigint[]) AS pair(loser, winner) WHERE q.profile_id = pair.loser
"""


def follow_merge(sender: object, pairs: Sequence[tuple[int, int]], **kwargs: Any) -> None:
    """Re-point journeys and decisions of the losers, in the merging transaction."""
    losers, winners = [loser for loser, _ in pairs], [winner for _, winner in pairs]
    with connection.cursor() as cursor:
        people = {"losers": losers, "winners": winners}
        cursor.execute(END_SECOND, {**people, "ending": Ending.MERGED})
        ended = cursor.fetchall()
        cursor.execute(SECOND_MESSAGES, {**people, "ended": [journey_id for journey_id, *_ in ended]})
        outbox.withdraw([message_id for (message_id,) in cursor.fetchall()], Reason.MERGED)
        cursor.execute(NO_MORE_MEASURED, people)
        cursor.execute(MOVE_JOURNEYS, [losers, winners, losers, winners])
        cursor.execute(MOVE_DECISIONS, [losers, winners])
        cursor.execute(MOVE_PARKED, [losers, winners])
        cursor.execute(JOIN_PUT_OFF, people)
        cursor.execute(MOVE_PUT_OFF, [losers, winners])
        cursor.execute(MOVE_WAITING, [losers, winners])
        if cursor.rowcount:
            nudges.nudge("pending")
    dates.join(losers, winners)
    waking.wake_people({*losers, *winners})
    ledger.leave_visits(
        [
            ledger.VisitExit(journey_id, visit, at, Outcome.INTERRUPTED, Ending.MERGED.label, None)
            for journey_id, visit, at in ended
            if visit
        ]
    )
