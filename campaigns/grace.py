"""Wait a while for traits: an event that came before the identify that makes its trigger true is looked at again.

A row of ``Waiting`` stands for one event before one version. It is looked at when an event that may bring traits is
claimed for its person, when a merge brings some, and for the last time when its time is up. Whoever looks holds the
person, so no two look at once and no trait slips in between the look and what it leads to.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from django.db.models import F

from campaigns import again, ledger
from campaigns.models import Waiting
from campaigns.reasons import Entry
from campaigns.triggers import Candidate
from events import turns
from events.log import ClaimedEvent
from events.models import Event

# What may change traits or groups, or who somebody is. What is written without an event is seen at the last look.
BRINGS_TRAITS = (Event.Type.IDENTIFY, Event.Type.GROUP, Event.Type.ALIAS)

KEEP = """
INSERT INTO campaigns_waiting (event_id, event_timestamp, version_id, campaign_id, profile_id, until, look_at)
SELECT r.event_id, r.event_timestamp, r.version_id, r.campaign_id, r.profile_id, r.until, r.until
FROM jsonb_to_recordset(%s) AS r(event_id bigint, event_timestamp timestamptz, version_id bigint, campaign_id bigint,
                                 profile_id bigint, until timestamptz)
ON CONFLICT DO NOTHING
"""


def heard_of(events: Sequence[ClaimedEvent]) -> list[Candidate]:
    """Return what waits for traits that these events may have brought, the people being held by their claim.

    What came in time counts, however late it is claimed. One statement when any event can bring traits, three more
    at most when something waits.
    """
    since: dict[int, datetime] = {}
    for event in events:
        if event.type in BRINGS_TRAITS:
            since[event.profile_id] = min(event.received_at, since.get(event.profile_id, event.received_at))
    if not since:
        return []
    rows = Waiting.objects.filter(profile__in=since).order_by("pk")
    return _candidates([row for row in rows if since[row.profile_id] <= row.until])


def due(now: datetime, limit: int) -> list[Candidate]:
    """Return what is to be looked at by ``now`` and hold its people. One statement when nothing is, else six.

    When its time is up, traits that changed since then come too late.
    """
    if not Waiting.objects.filter(look_at__lte=now).exists():
        return []
    # Others may be about to store something for a person: those are left for the next sweep.
    held = turns.hold_due(Waiting, now, limit)
    rows = list(Waiting.objects.filter(profile__in=held, look_at__lte=now).select_related("profile").order_by("pk"))
    late = {row.pk for row in rows if row.until <= now and row.profile.updated_at > row.until}
    return _candidates(rows, late)


def settle(candidates: Sequence[Candidate]) -> None:
    """Keep what waits from now on, drop what has waited and is decided. Three statements at most."""
    new = [c for c in candidates if c.entry is Entry.WAITING and c.waiting_id is None]
    ledger.write(KEEP, [_row(candidate) for candidate in new])
    going = [c.waiting_id for c in candidates if c.waiting_id is not None and c.entry is not Entry.WAITING]
    if going:
        Waiting.objects.filter(pk__in=going).delete()
    again = [c for c in candidates if c.waiting_id is not None and c.entry is Entry.WAITING]
    if again:
        Waiting.objects.filter(pk__in=[c.waiting_id for c in again]).update(look_at=F("until"))


def _candidates(rows: Collection[Waiting], late: Collection[int] = ()) -> list[Candidate]:
    return [
        Candidate(
            event,
            row.campaign_id,
            row.version_id,
            workflow,
            Entry.FILTERED if row.pk in late else Entry.ENTERED,
            waiting_id=row.pk,
        )
        for row, event, workflow in again.read(Waiting, rows)
    ]


def _row(candidate: Candidate) -> dict[str, Any]:
    return {
        "event_id": candidate.event.id,
        "event_timestamp": candidate.event.timestamp,
        "version_id": candidate.version_id,
        "campaign_id": candidate.campaign_id,
        "profile_id": candidate.event.profile_id,
        "until": candidate.until,
    }
