"""Make one person of two: everything the losers had and did goes to the winner, and the losers go.

``merge`` runs in the caller's transaction, which holds both profiles exclusively; ``merge_people`` is for whoever knows
of two people that they are one, and holds nothing. What other rooms keep about the losers follows through
``signals.profiles_merged``. The number of statements does not depend on the number of pairs.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection

from events import audit, signals
from events.audit import Actor
from events.giving_way import insist
from events.models import Profile


class CannotMerge(ValueError):
    """Raised when two profiles cannot become one person; says why."""


PAIRS = "unnest(%(losers)s::bigint[], %(winners)s::bigint[]) AS pair(loser, winner)"

# What is known of the winner wins; of several losers, the one that changed last. What is computed follows from the
# joined history: see ``events.computed``.
GIVE_TRAITS = f"""
WITH given AS (
    SELECT pair.winner,
           coalesce(jsonb_object_agg(t.key, t.value ORDER BY l.updated_at, l.id) FILTER (WHERE t.key IS NOT NULL),
                    '{{}}') AS traits,
           max(l.email) AS email, max(l.phone) AS phone, max(l.time_zone) AS time_zone, max(l.language) AS language,
           min(l.created_at) AS created_at, max(l.last_seen_at) AS last_seen_at
    FROM {PAIRS} JOIN events_profile l ON l.id = pair.loser LEFT JOIN LATERAL jsonb_each(l.traits) t ON true
    GROUP BY pair.winner
)
UPDATE events_profile w SET
    traits = (given.traits - ARRAY(SELECT name::text FROM events_computedtrait)) || w.traits,
    email = CASE w.email WHEN '' THEN given.email ELSE w.email END,
    phone = CASE w.phone WHEN '' THEN given.phone ELSE w.phone END,
    time_zone = CASE w.time_zone WHEN '' THEN given.time_zone ELSE w.time_zone END,
    language = CASE w.language WHEN '' THEN given.language ELSE w.language END,
    created_at = least(w.created_at, given.created_at),
    last_seen_at = greatest(w.last_seen_at, given.last_seen_at),
    updated_at = statement_timestamp()
FROM given WHERE w.id = given.winner
"""

MOVE_EVENTS = f"UPDATE events_event e SET profile_id = pair.winner FROM {PAIRS} WHERE e.profile_id = pair.loser"

# Passed over: rows that a worker is claiming. It has to wait for the profile and then reads the event's new person.
MOVE_PENDING = f"""
UPDATE events_pending p SET profile_id = pair.winner
FROM {PAIRS} WHERE p.profile_id = pair.loser AND p.event_id = ANY(ARRAY(
    SELECT event_id FROM events_pending WHERE profile_id = ANY(%(losers)s) FOR UPDATE SKIP LOCKED))
"""

MOVE_IDENTITIES = f"UPDATE events_identity i SET profile_id = pair.winner FROM {PAIRS} WHERE i.profile_id = pair.loser"

MOVE_DEVICES = f"UPDATE events_device d SET profile_id = pair.winner FROM {PAIRS} WHERE d.profile_id = pair.loser"

# Two who were in one group are in it once, longest and last as either was; what is known of the winner wins.
GIVE_MEMBERSHIPS = f"""
INSERT INTO events_membership AS w (profile_id, group_id, traits, created_at, updated_at)
SELECT pair.winner, l.group_id,
       coalesce(jsonb_object_agg(t.key, t.value ORDER BY l.updated_at, l.id) FILTER (WHERE t.key IS NOT NULL), '{{}}'),
       min(l.created_at), max(l.updated_at)
FROM {PAIRS} JOIN events_membership l ON l.profile_id = pair.loser LEFT JOIN LATERAL jsonb_each(l.traits) t ON true
GROUP BY pair.winner, l.group_id ORDER BY pair.winner, l.group_id
ON CONFLICT (profile_id, group_id) DO UPDATE SET
    traits = excluded.traits || w.traits,
    created_at = least(w.created_at, excluded.created_at),
    updated_at = greatest(w.updated_at, excluded.updated_at)
"""
MOVE_AUDIT = f"UPDATE events_auditentry a SET profile_id = pair.winner FROM {PAIRS} WHERE a.profile_id = pair.loser"
DROP_MEMBERSHIPS = "DELETE FROM events_membership WHERE profile_id = ANY(%(losers)s)"

FOLLOW = (
    GIVE_TRAITS,
    MOVE_EVENTS,
    MOVE_PENDING,
    MOVE_IDENTITIES,
    MOVE_DEVICES,
    GIVE_MEMBERSHIPS,
    DROP_MEMBERSHIPS,
    MOVE_AUDIT,
)
DELETE_LOSERS = "DELETE FROM events_profile WHERE id = ANY(%(losers)s)"


def merge(pairs: Sequence[tuple[int, int]]) -> None:
    """Merge each (loser, winner); no winner is a loser of another pair."""
    parameters = {"losers": [loser for loser, _ in pairs], "winners": [winner for _, winner in pairs]}
    with connection.cursor() as cursor:
        for statement in FOLLOW:
            cursor.execute(statement, parameters)
        signals.profiles_merged.send(sender=merge, pairs=list(pairs))
        cursor.execute(DELETE_LOSERS, parameters)


HOLD = "SELECT id FROM events_profile WHERE id = ANY(%(ids)s) ORDER BY id FOR UPDATE"
# Who was made by hand has a user id and nothing that leads to it.
KEEP_USER_ID = """
INSERT INTO events_identity (kind, value, profile_id)
SELECT 'user', user_id, id FROM events_profile WHERE id = %(loser)s AND user_id IS NOT NULL
ON CONFLICT DO NOTHING
"""
TAKE_NAME = "UPDATE events_profile SET user_id = %(user_id)s WHERE id = %(winner)s AND user_id IS NULL"


def merge_people(loser_id: int, winner_id: int, actor: Actor) -> None:
    """Make one person of two, for good: ``loser_id`` goes, and each of their ids leads to ``winner_id``.

    What is known of the winner wins; a winner without a user id takes the loser's. The caller holds no locks.
    Raises CannotMerge.
    """
    insist(lambda: _merge_two(loser_id, winner_id, actor))


def _merge_two(loser_id: int, winner_id: int, actor: Actor) -> None:
    if loser_id == winner_id:
        raise CannotMerge("This is one and the same person.")
    with connection.cursor() as cursor:
        cursor.execute(HOLD, {"ids": [loser_id, winner_id]})
        people = Profile.objects.in_bulk([loser_id, winner_id])
        if len(people) < 2:
            raise CannotMerge("One of the two is no longer there: merged already, or erased.")
        loser, winner = people[loser_id], people[winner_id]
        if loser.is_sandbox != winner.is_sandbox:
            raise CannotMerge("A person of a sandbox cannot become one with a real person.")
        cursor.execute(KEEP_USER_ID, {"loser": loser_id})
        merge([(loser_id, winner_id)])
        cursor.execute(TAKE_NAME, {"user_id": loser.user_id, "winner": winner_id})
    audit.note(actor, "merge", winner_id, merged=loser_id)
