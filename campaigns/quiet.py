"""Put a start off until it has been quiet: of many events in a row, the last one starts the journey.

A row of ``PutOff`` stands for what one person (and value of the property that keeps entries apart) has coming in one
campaign. Each event that meets the trigger puts it off again, up to a bound. The last event is the one that happened
last, in whatever order they came in; quiet is reckoned from when they came in. Whoever changes or takes a row holds
the person, so no event slips in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from campaigns import again, ledger
from campaigns.models import PutOff
from campaigns.reasons import Entry
from campaigns.triggers import Candidate
from events import turns

Key = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class Last:
    """The last event so far, when to look whether it stayed quiet, and until when to wait at most."""

    happened_at: datetime
    event_id: int
    event_timestamp: datetime
    version_id: int
    name: str
    look_at: datetime
    until: datetime


def joined(one: Last | None, other: Last) -> Last:
    """Return what two of the same key come to. In whatever order several are joined, the outcome is the same."""
    if one is None:
        return replace(other, look_at=min(other.look_at, other.until))
    last = max(one, other, key=lambda each: (each.happened_at, each.event_id))
    until = min(one.until, other.until)
    return replace(last, look_at=min(max(one.look_at, other.look_at), until), until=until)


def put_off(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Keep the last of those that are to wait for quiet; say so of it and of those whose place it takes.

    The people are held. No statement when none is to wait, else three at most.
    """
    arriving = [c for c in candidates if _is_put_off(c)]
    if not arriving:
        return list(candidates)
    before = _held(arriving)
    after: dict[Key, Last] = dict(before)
    for candidate in arriving:
        after[_key(candidate)] = joined(after.get(_key(candidate)), _last(candidate))
    _keep(after)
    _tell_replaced([last for key, last in before.items() if after[key].event_id != last.event_id])
    return [replace(c, entry=_entry(c, after)) if _is_put_off(c) else c for c in candidates]


# Where an event of the name is still to be claimed, it is not quiet; but what waited long enough waits no more.
QUIET = """
SELECT q.id, q.event_id, q.event_timestamp, q.campaign_id, q.version_id FROM campaigns_putoff q
WHERE q.profile_id = ANY(%(held)s) AND q.look_at <= %(now)s AND (q.until <= %(now)s OR NOT EXISTS (
    SELECT FROM events_pending p WHERE p.profile_id = q.profile_id AND p.name = q.name AND p.parked_at IS NULL))
ORDER BY q.id
"""


def due(now: datetime, limit: int) -> list[Candidate]:
    """Return whose time has come, and hold the people. One statement when nobody's has, else six at most.

    Its condition was met by the event: it is not asked again. Rows whose event is gone from the log go as well.
    """
    if not PutOff.objects.filter(look_at__lte=now).exists():
        return []
    held = turns.hold_due(PutOff, now, limit)
    rows = list(PutOff.objects.raw(QUIET, {"held": held, "now": now}))
    return [
        Candidate(event, row.campaign_id, row.version_id, workflow, put_off_id=row.pk)
        for row, event, workflow in again.read(PutOff, rows)
    ]


def settle(candidates: Sequence[Candidate]) -> None:
    """Drop what has waited and is decided. One statement where any has."""
    decided = [c.put_off_id for c in candidates if c.put_off_id is not None]
    if decided:
        PutOff.objects.filter(pk__in=decided).delete()


def _is_put_off(candidate: Candidate) -> bool:
    waits = candidate.workflow.trigger.quiet_minutes > 0
    return waits and candidate.entry is Entry.ENTERED and candidate.put_off_id is None


def _entry(candidate: Candidate, after: dict[Key, Last]) -> Entry:
    return Entry.QUIET if after[_key(candidate)].event_id == candidate.event.id else Entry.REPLACED


def _key(candidate: Candidate) -> Key:
    return candidate.event.profile_id, candidate.campaign_id, candidate.digest


def _last(candidate: Candidate) -> Last:
    event, trigger, speed = candidate.event, candidate.workflow.trigger, candidate.workflow.speed
    return Last(
        event.happened_at,
        event.id,
        event.timestamp,
        candidate.version_id,
        event.name,
        event.received_at + timedelta(minutes=trigger.quiet_minutes) / speed,
        event.received_at + timedelta(minutes=trigger.quiet_most_minutes) / speed,
    )


def _held(arriving: Sequence[Candidate]) -> dict[Key, Last]:
    wanted = {_key(candidate) for candidate in arriving}
    rows = PutOff.objects.filter(
        profile__in={c.event.profile_id for c in arriving}, campaign__in={c.campaign_id for c in arriving}
    )
    return {
        (row.profile_id, row.campaign_id, row.key): Last(
            row.happened_at, row.event_id, row.event_timestamp, row.version_id, row.name, row.look_at, row.until
        )
        for row in rows
        if (row.profile_id, row.campaign_id, row.key) in wanted
    }


# The campaign and not its version is the key: a version published meanwhile goes on with what waits.
KEEP = """
INSERT INTO campaigns_putoff (profile_id, campaign_id, key, version_id, event_id, event_timestamp, happened_at, name,
                              look_at, until)
SELECT r.profile_id, r.campaign_id, r.key, r.version_id, r.event_id, r.event_timestamp, r.happened_at, r.name,
       r.look_at, r.until
FROM jsonb_to_recordset(%s) AS r(profile_id bigint, campaign_id bigint, key text, version_id bigint, event_id bigint,
    event_timestamp timestamptz, happened_at timestamptz, name text, look_at timestamptz, until timestamptz)
ON CONFLICT (profile_id, campaign_id, key) DO UPDATE SET
    version_id = excluded.version_id, event_id = excluded.event_id, event_timestamp = excluded.event_timestamp,
    happened_at = excluded.happened_at, name = excluded.name, look_at = excluded.look_at, until = excluded.until
"""


def _keep(after: dict[Key, Last]) -> None:
    ledger.write(
        KEEP,
        [
            {
                "profile_id": profile_id,
                "campaign_id": campaign_id,
                "key": key,
                "version_id": last.version_id,
                "event_id": last.event_id,
                "event_timestamp": last.event_timestamp,
                "happened_at": last.happened_at,
                "name": last.name,
                "look_at": last.look_at,
                "until": last.until,
            }
            for (profile_id, campaign_id, key), last in after.items()
        ],
    )


TELL_REPLACED = """
UPDATE campaigns_decision d SET entry = 'replaced'
FROM jsonb_to_recordset(%s) AS r(event_id bigint, version_id bigint)
WHERE d.event_id = r.event_id AND d.version_id = r.version_id AND d.entry = 'quiet'
"""


def _tell_replaced(replaced: Sequence[Last]) -> None:
    ledger.write(TELL_REPLACED, [{"event_id": last.event_id, "version_id": last.version_id} for last in replaced])
