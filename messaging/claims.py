"""Take messages out of the outbox so that exactly one worker has each, and take back what a dead worker held.

``queued`` → claimed (``sending``, a lease) → called (``called_at``): each step is committed before the next begins.
What was only claimed cannot be out; what was called may be.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models.functions import Now

from messaging import caps, lists, subscriptions
from messaging.composing import PutOff
from messaging.kinds import KINDS
from messaging.models import TEST_KEY, Message, Provider, Purpose
from messaging.readers import NOBODY, Reader
from messaging.retry import MAX_ATTEMPTS
from messaging.states import Status

# Longer than a batch can take: two rounds of calls that run into their timeouts, or templates that use up their budget.
LEASE = timedelta(seconds=90)

# While everything is held, nothing is claimed: it stays in the queue as it is. As ``SendingLimits.holds`` has it.
HELD = """EXISTS (SELECT FROM messaging_sendinglimits
    WHERE mode = 'hold' AND (hold_until IS NULL OR hold_until > %(now)s))"""

# Where there are caps, what they may hold waits until all that fell due with it have come: see ``messaging.caps``.
GATHERED = """(due_at <= %(gathered)s OR purpose <> 'marketing' OR key LIKE %(test_keys)s
    OR NOT EXISTS (SELECT FROM messaging_frequencycap WHERE enabled))"""

# Whose turn it is goes by when a message fell due, less the head start of its priority. The first look spares the idle
# the second, which passes over what is important but not due yet, such as the next tries of a provider that is away.
CLAIM = f"""
WITH picked AS MATERIALIZED (
    SELECT id FROM messaging_message
    WHERE (SELECT due_at FROM messaging_message WHERE status = 'queued' ORDER BY due_at, id LIMIT 1) <= %(now)s
      AND status = 'queued' AND due_at <= %(now)s AND NOT {HELD} AND {GATHERED}
    ORDER BY timezone('UTC', due_at) - priority * interval '1 hour', due_at, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
UPDATE messaging_message m
SET status = 'sending', lease_until = %(lease)s, called_at = NULL, attempts = m.attempts + 1, updated_at = %(now)s,
    -- Why it waited is over; what a provider said at the last try stays.
    reason = '', detail = CASE m.reason WHEN '' THEN m.detail ELSE '' END
FROM picked WHERE m.id = picked.id
RETURNING m.*
"""

# Those whose consent a message needs, and who refuse it: its person, of a test whoever has the address.
REFUSES = f"""
    SELECT FROM unnest(coalesce(held.readers, ARRAY[m.profile_id])) AS reader(id)
    WHERE EXISTS (SELECT FROM messaging_unsubscription u WHERE u.profile_id = reader.id)
       OR EXISTS (SELECT FROM messaging_templateversion v JOIN messaging_topic t ON t.id = v.topic_id
                  WHERE v.id = m.template_version_id AND {subscriptions.refuses("reader.id", "m.channel")})"""

# The last look before the calls: consent and suppression once more, whether the lease is still ours, and whether mail
# still goes where it went when the batch was written.
CALL = f"""
UPDATE messaging_message m
SET called_at = %(now)s, lease_until = %(lease)s, address = held.address, updated_at = %(now)s,
    redirected = %(target)s <> '', provider_id = coalesce(held.provider_id, m.provider_id)
FROM jsonb_to_recordset(%(rows)s::jsonb)
    AS held(id bigint, lease_until timestamptz, address text, disguise text, provider_id bigint, readers bigint[],
            is_colleague boolean)
WHERE m.id = held.id AND m.status = 'sending' AND m.lease_until = held.lease_until
  AND NOT {HELD} AND %(target)s = coalesce(
      (SELECT redirect_to FROM messaging_sendinglimits WHERE mode = 'redirect'), '')
  AND NOT EXISTS (
      SELECT FROM messaging_suppression s
      WHERE s.channel = m.channel AND s.address IN (lower(held.address), held.disguise)
        AND (s.cause <> 'left' OR m.purpose = 'marketing' AND NOT held.is_colleague))
  AND (m.purpose <> 'marketing' OR NOT EXISTS ({REFUSES}))
RETURNING m.id
"""

STILL_GO = f"""
SELECT m.id FROM messaging_message m CROSS JOIN LATERAL (SELECT NULL::bigint[] AS readers) AS held
WHERE m.id = ANY(%(ids)s) AND m.status = 'sending'
  AND (m.purpose <> 'marketing' OR m.key LIKE '{TEST_KEY}%%' OR NOT EXISTS ({REFUSES}))
"""

HOLD_PEOPLE = "SELECT id FROM events_profile WHERE id = ANY(%s) ORDER BY id FOR UPDATE"
CALL_BACK = """
WITH held AS MATERIALIZED (
    SELECT id, status FROM messaging_message
    WHERE profile_id = ANY(%(people)s) AND purpose = 'marketing'
      AND (status = 'queued' OR status = 'sending' AND called_at IS NULL)
    ORDER BY id FOR UPDATE
)
UPDATE messaging_message m SET status = 'queued', lease_until = NULL, attempts = m.attempts - 1, admitted_at = NULL
FROM held WHERE m.id = held.id AND held.status = 'sending'
"""

# Not counted as tries: nothing was tried.
PUT_OFF = """
UPDATE messaging_message m SET status = 'queued', lease_until = NULL, attempts = m.attempts - 1, updated_at = now(),
    due_at = held.due_at, reason = held.reason, detail = held.detail, admitted_at = NULL,
    held_since = coalesce(m.held_since, held.held_since)
FROM jsonb_to_recordset(%(rows)s::jsonb)
    AS held(id bigint, lease_until timestamptz, due_at timestamptz, reason text, detail text, held_since timestamptz)
WHERE m.id = held.id AND m.status = 'sending' AND m.lease_until = held.lease_until
"""
RELEASE = """
UPDATE messaging_message m SET status = 'queued', lease_until = NULL, attempts = m.attempts - 1
FROM jsonb_to_recordset(%(rows)s::jsonb) AS held(id bigint, lease_until timestamptz)
WHERE m.id = held.id AND m.status = 'sending' AND m.lease_until = held.lease_until
"""

RECOVER = """
WITH lapsed AS MATERIALIZED (
    SELECT id, CASE WHEN called_at IS NOT NULL AND purpose = 'marketing' AND NOT EXISTS (
                             SELECT FROM messaging_provider p
                             WHERE p.id = messaging_message.provider_id AND p.kind = ANY(%(takes_once)s)) THEN 'unknown'
                    WHEN attempts >= %(max_attempts)s THEN 'failed'
                    ELSE 'queued' END AS outcome
    FROM messaging_message WHERE status = 'sending' AND lease_until < %(now)s
    ORDER BY id FOR UPDATE SKIP LOCKED
)
UPDATE messaging_message m SET
    status = outcome, lease_until = NULL, updated_at = %(now)s,
    reason = CASE outcome WHEN 'queued' THEN '' ELSE 'outcome_unknown' END,
    detail = CASE outcome WHEN 'queued' THEN m.detail ELSE %(detail)s END
FROM lapsed WHERE m.id = lapsed.id
RETURNING m.status
"""
TAKES_ONCE = [name for name, kind in KINDS.items() if kind.takes_once]
CUT_OFF = "The worker that was sending it ended without saying how it went."


def claim(now: datetime, limit: int) -> list[Message]:
    """Claim up to ``limit`` due messages; they are ours until their lease is over. One statement, which commits."""
    parameters = {"now": now, "lease": now + LEASE, "limit": limit, "gathered": now - caps.GATHERING}
    parameters |= {"test_keys": f"{TEST_KEY}%"}
    return list(Message.objects.raw(CLAIM, parameters))


@dataclass(frozen=True, slots=True)
class Calling:
    """A message that is about to be handed over, where it goes, by whom, and whose consent it needs."""

    message: Message
    address: str
    provider: Provider
    reader: Reader = NOBODY


def call(calling: Sequence[Calling], now: datetime, target: str = "") -> set[int]:
    """Note that the providers are about to be called; return the ids of the messages that may still go.

    ``target`` is the test address when all of them are redirected to it. One statement, which commits before any call.
    It leaves out messages that have lost their lease, those whose person or address was struck off since the claim, and
    all of them if sending was held or redirected in the meantime, or is no longer.
    """
    rows = [
        {
            **_held(one.message),
            "address": one.address,
            "disguise": lists.disguise(one.address),
            # Where the same call again does no harm, it has to be the same provider's.
            "provider_id": one.provider.pk if KINDS[one.provider.kind].takes_once else None,
            # A person may have become another one since: the row knows.
            "readers": one.reader.ids if one.message.key.startswith(TEST_KEY) else None,
            "is_colleague": one.reader.is_colleague,
        }
        for one in calling
    ]
    lease = now + LEASE
    parameters: dict[str, Any] = {
        "now": now,
        "lease": lease,
        "rows": json.dumps(rows),
        "target": target,
    }
    with connection.cursor() as cursor:
        cursor.execute(CALL, parameters)
        called = {row[0] for row in cursor.fetchall()}
    for one in calling:
        if one.message.pk in called:
            one.message.lease_until = lease
    return called


def still_go(messages: Sequence[Message]) -> set[int]:
    """Return which of these called messages still may go: a call may begin long after it was noted. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(STILL_GO, {"ids": [message.pk for message in messages]})
        return {pk for (pk,) in cursor.fetchall()}


def call_back(profile_ids: Collection[int]) -> None:
    """Take marketing back from workers that have claimed it and not called yet, in the caller's transaction.

    Whoever says that people refuse marketing calls this in the same transaction. It holds the people against new
    messages and the messages against claims, so that no worker goes by what was true before. Two statements.
    """
    with connection.cursor() as cursor:
        cursor.execute(HOLD_PEOPLE, [sorted(profile_ids)])
        cursor.execute(CALL_BACK, {"people": list(profile_ids)})


def let_finish(profile_id: int, seconds: float = 3.0) -> None:
    """Wait until no provider is being called with marketing for a person, so that what they are told is true.

    To be called after the transaction in which they refused it. A provider that takes longer is not waited for: what
    is handed over so late is looked at once more (``still_go``).
    """
    deadline = time.monotonic() + seconds
    under_way = Message.objects.filter(
        profile=profile_id,
        purpose=Purpose.MARKETING,
        status=Status.SENDING,
        called_at__isnull=False,
        lease_until__gt=Now(),
    )
    while under_way.exists() and time.monotonic() < deadline:
        time.sleep(0.02)


def release(messages: Sequence[Message]) -> None:
    """Put claimed messages back, to be looked at anew."""
    with connection.cursor() as cursor:
        cursor.execute(RELEASE, {"rows": json.dumps([_held(message) for message in messages])})


def put_off(waiting: Sequence[PutOff]) -> None:
    """Put claimed messages back until their time has come, with the reason. One statement, none for nothing."""
    rows = [
        {
            **_held(one.message),
            "due_at": one.until.isoformat(),
            "reason": one.reason,
            "detail": one.detail,
            "held_since": one.held_since and one.held_since.isoformat(),
        }
        for one in waiting
    ]
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(PUT_OFF, {"rows": json.dumps(rows)})


def recover(now: datetime) -> tuple[int, int]:
    """Settle the messages whose lease is over; return how many are queued again and how many are not. One statement.

    What was not called yet, what is transactional, and what its provider takes only once, is queued again; another
    marketing message that may be out becomes ``unknown``. One that was interrupted again and again has failed.
    """
    with connection.cursor() as cursor:
        parameters: dict[str, Any] = {
            "now": now,
            "max_attempts": MAX_ATTEMPTS,
            "detail": CUT_OFF,
            "takes_once": TAKES_ONCE,
        }
        cursor.execute(RECOVER, parameters)
        statuses = [row[0] for row in cursor.fetchall()]
    queued = statuses.count("queued")
    return queued, len(statuses) - queued


def _held(message: Message) -> dict[str, object]:
    assert message.lease_until is not None
    # The lease is the proof of the claim: whoever claims the message later has another one.
    return {"id": message.pk, "lease_until": message.lease_until.isoformat()}
