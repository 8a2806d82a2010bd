"""Set aside what one campaign cannot look at, so that it holds up no other: its condition fails for an event.

Conditions are asked together; where that fails ``campaigns.halving`` finds which condition fails for which events.
Those are parked, with the error, before that campaign alone; the other campaigns go on. A parked event is looked at
again when somebody asks for it, in the background.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from django.db import connection, transaction

from campaigns import again, ledger, strain
from campaigns.models import Decision, Parked
from campaigns.reasons import Entry
from campaigns.triggers import Candidate
from events import nudges, present

HOLD_DUE = """
SELECT id FROM events_profile WHERE id = ANY(ARRAY(
    SELECT profile_id FROM campaigns_parked WHERE retry_at IS NOT NULL ORDER BY retry_at, id LIMIT %s))
ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
"""

KEEP = """
INSERT INTO campaigns_parked (event_id, event_timestamp, name, version_id, campaign_id, profile_id, error, tries)
SELECT r.event_id, r.event_timestamp, r.name, r.version_id, r.campaign_id, r.profile_id, r.error, 1
FROM jsonb_to_recordset(%s) AS r(event_id bigint, event_timestamp timestamptz, name text, version_id bigint,
                                 campaign_id bigint, profile_id bigint, error text)
ON CONFLICT DO NOTHING
"""

AGAIN = """
UPDATE campaigns_parked p SET tries = p.tries + 1, error = r.error, retry_at = NULL
FROM jsonb_to_recordset(%s) AS r(id bigint, error text) WHERE p.id = r.id
"""


def due(limit: int) -> list[Candidate]:
    """Return what somebody wants to be looked at again, and hold its people. One statement when nothing is, else four.

    People whom others hold are left for the next sweep. What is no longer in the log goes.
    """
    if not Parked.objects.exclude(retry_at=None).exists():
        return []
    with connection.cursor() as cursor:
        cursor.execute(HOLD_DUE, [limit])
        held = [profile_id for (profile_id,) in cursor.fetchall()]
    rows = list(Parked.objects.filter(profile__in=held).exclude(retry_at=None).order_by("pk"))
    return [
        Candidate(event, row.campaign_id, row.version_id, workflow, parked_id=row.pk)
        for row, event, workflow in again.read(Parked, rows)
    ]


def settle(candidates: Sequence[Candidate]) -> None:
    """Keep what failed, with its error; drop what was parked and is decided now. Three statements at most."""
    failed = [c for c in candidates if c.entry is Entry.PARKED]
    ledger.write(KEEP, [_row(c) for c in failed if c.parked_id is None])
    ledger.write(AGAIN, [{"id": c.parked_id, "error": c.error} for c in failed if c.parked_id is not None])
    decided = [c.parked_id for c in candidates if c.parked_id is not None and c.entry is not Entry.PARKED]
    if decided:
        Parked.objects.filter(pk__in=decided).delete()


def retry(ids: Collection[int]) -> int:
    """Let parked events be looked at again, in the background, also by versions that rest. Returns how many."""
    chosen = Parked.objects.filter(pk__in=ids, retry_at=None)
    strain.ask_again(set(chosen.values_list("version", flat=True)))
    count = chosen.update(retry_at=present.now())
    if count:
        nudges.nudge("pending")
    return count


@transaction.atomic
def drop(ids: Collection[int]) -> int:
    """Give parked events up: they start nothing, and their decisions say so. Returns how many."""
    held = list(Parked.objects.select_for_update(skip_locked=True).filter(pk__in=ids).order_by("pk"))
    for row in held:
        Decision.objects.filter(event_id=row.event_id, version_id=row.version_id, entry=Entry.PARKED).update(
            entry=Entry.DROPPED
        )
    Parked.objects.filter(pk__in=[row.pk for row in held]).delete()
    return len(held)


def _row(candidate: Candidate) -> dict[str, Any]:
    return {
        "event_id": candidate.event.id,
        "event_timestamp": candidate.event.timestamp,
        "name": candidate.event.name,
        "version_id": candidate.version_id,
        "campaign_id": candidate.campaign_id,
        "profile_id": candidate.event.profile_id,
        "error": candidate.error,
    }
