"""Let messages through the frequency caps: give them their seats, under the locks of the people they are for.

``messaging.caps`` decides. What counts is the outbox itself, so that there is no second account that could be wrong:
what was sent within the window, or may have been, and what has a seat (``Message.admitted_at``) and is not settled yet.
What was skipped, has failed, was refused or came back counts no more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from events.clock import zone_of
from events.models import Profile
from events.people import hold
from messaging import caps
from messaging.caps import About, Cap, Drop, Go, Hold, Pause, Verdict, Waiting
from messaging.composing import Outcome, Prepared, PutOff
from messaging.models import TEST_KEY, Message, Priority, Purpose
from messaging.reasons import Reason
from messaging.states import Status

# What the caps look at: served by the index "message_window". What was redirected went to somebody else.
LOOK = """
SELECT m.id, m.profile_id, m.channel, version.topic_id, m.status, m.priority, m.due_at, m.admitted_at IS NOT NULL,
       m.held_since, coalesce(m.sent_at, m.called_at)
FROM messaging_message m JOIN messaging_templateversion version ON version.id = m.template_version_id
WHERE m.profile_id = ANY(%(people)s) AND m.purpose = 'marketing'
  AND NOT (m.status IN ('skipped', 'failed')) AND m.status NOT IN ('draft', 'rejected', 'bounced')
  AND (m.sent_at > %(since)s OR m.sent_at IS NULL)
  AND CASE WHEN m.status = 'queued' THEN m.due_at <= %(now)s OR m.reason = 'capped' OR m.admitted_at IS NOT NULL
           ELSE m.status = 'sending' OR NOT m.redirected END
  AND m.key NOT LIKE %(test_keys)s
"""

# Our own, while our lease holds; and what waits for room that it could have now, whoever claims it.
SEAT = """
UPDATE messaging_message m SET admitted_at = %(now)s
FROM unnest(%(ids)s::bigint[], %(leases)s::timestamptz[]) AS held(id, lease)
WHERE m.id = held.id AND m.status = 'sending' AND m.lease_until = held.lease
RETURNING m.id
"""
CALL_UP = """
UPDATE messaging_message SET due_at = %(now)s
WHERE id = ANY(ARRAY(SELECT id FROM messaging_message
    WHERE id = ANY(%(ids)s) AND status = 'queued' AND reason = 'capped' AND due_at > %(now)s
    ORDER BY id FOR UPDATE SKIP LOCKED))
"""


@dataclass(slots=True)
class Admission:
    """``going`` have a seat or need none; the other two do not go. Who is in none of them is to be looked at anew."""

    going: list[Prepared] = field(default_factory=list)
    waiting: list[PutOff] = field(default_factory=list)
    dropped: list[Outcome] = field(default_factory=list)


@dataclass(slots=True)
class _Person:
    """What counts for one person, and what waits."""

    sent: list[caps.Sent] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)


def admit(ready: Sequence[Prepared], binding: Sequence[Cap], people: dict[int, Profile], now: datetime) -> Admission:
    """Ask the caps about a batch. Four statements in a transaction that commits, five at times; none without caps."""
    found = Admission()
    asked: list[Prepared] = []
    for one in ready:
        (asked if binding and _is_capped(one.message) else found.going).append(one)
    if asked:
        verdicts, seated = _arbitrate([one.message for one in asked], binding, now)
        for one in asked:
            _sort_out(one, verdicts.get(one.message.pk), one.message.pk in seated, found, people, now)
    return found


def _is_capped(message: Message) -> bool:
    """Return whether caps are for it: receipts go in any case, and a test of a template is for its author."""
    return message.purpose == Purpose.MARKETING and not message.key.startswith(TEST_KEY)


@transaction.atomic
def _arbitrate(
    messages: Sequence[Message], binding: Sequence[Cap], now: datetime
) -> tuple[dict[int, Verdict], set[int]]:
    """Return the verdicts on these and whatever else waits for their people, and which of these have a seat."""
    # As merging and erasing do, people first. Whoever only refers to them is not in the way.
    parameters: dict[str, Any] = {
        "people": hold(message.profile_id for message in messages),
        "now": now,
        "since": now - max(cap.window for cap in binding),
        "test_keys": f"{TEST_KEY}%",
    }
    with connection.cursor() as cursor:
        cursor.execute(LOOK, parameters)
        people = _sorted_by_person(cursor.fetchall())
    verdicts: dict[int, Verdict] = {}
    for person in people:
        verdicts |= caps.arbitrate(binding, person.sent, person.waiting, now)
    going = {pk for pk, verdict in verdicts.items() if isinstance(verdict, Go)}
    seated = _seat([message for message in messages if message.pk in going], now)
    _call_up(going - {message.pk for message in messages}, now)
    return verdicts, seated


def _sorted_by_person(rows: Sequence[tuple[Any, ...]]) -> Collection[_Person]:
    people: dict[int, _Person] = defaultdict(_Person)
    for pk, profile_id, channel, topic, status, priority, due_at, seated, held_since, at in rows:
        about, person = About(channel, topic), people[profile_id]
        if status in (Status.QUEUED, Status.SENDING):
            urgent = priority == Priority.URGENT
            person.waiting.append(Waiting(pk, about, priority, due_at, urgent, seated, held_since))
        elif at is not None:
            person.sent.append(caps.Sent(about, at))
    return people.values()


def _seat(messages: Sequence[Message], now: datetime) -> set[int]:
    """Note that these may go; return the ids of those that are still ours."""
    if not messages:
        return set()
    ids, leases = [message.pk for message in messages], [message.lease_until for message in messages]
    with connection.cursor() as cursor:
        cursor.execute(SEAT, {"ids": ids, "leases": leases, "now": now})
        return {pk for (pk,) in cursor.fetchall()}


def _call_up(ids: Collection[int], now: datetime) -> None:
    """Let those be tried now that have room earlier than they were told, as a cap was changed or a mail came back."""
    if ids:
        with connection.cursor() as cursor:
            cursor.execute(CALL_UP, {"ids": list(ids), "now": now})


def _sort_out(
    one: Prepared, verdict: Verdict | None, seated: bool, found: Admission, people: dict[int, Profile], now: datetime
) -> None:
    match verdict:
        case Go() if seated:
            found.going.append(one)
        case Pause(cap, until):
            detail = f"“{cap.words}”, and another message goes first"
            found.waiting.append(PutOff(one.message, until, Reason.CAPPED, detail))
        case Hold():
            detail = _until(verdict, people[one.message.profile_id])
            found.waiting.append(PutOff(one.message, verdict.until, Reason.CAPPED, detail, held_since=now))
        case Drop(cap, late):
            reason = Reason.CAP_WAITED if late else Reason.CAP_FULL
            found.dropped.append(Outcome(one.message, Status.SKIPPED, now, reason, f"“{cap.words}”"))


def _until(verdict: Hold, profile: Profile) -> str:
    zone = zone_of((profile.time_zone, settings.FALLBACK_TIME_ZONE))
    moment = f"{verdict.until.astimezone(zone):%-d %B, %H:%M} in {zone.key}"
    if verdict.last:
        return f"“{verdict.cap.words}”; not sent if there is no room until {moment}"
    return f"“{verdict.cap.words}” until {moment}"
