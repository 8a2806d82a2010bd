"""Take messages out of the outbox so that exactly one worker has each, and take back what a dead worker held.

``queued`` → claimed (``sending``, a lease) → called (``called_at``): each step is committed before the next begins.
What was only claimed cannot be out; what was called may be.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from django.db import connection

from messaging import lists, subscriptions
from messaging.models import Message
from messaging.outbox import TEST_KEY
from messaging.retry import MAX_ATTEMPTS

# Longer than a batch can take: two rounds of calls that run into their timeouts, or templates that use up their budget.
LEASE = timedelta(seconds=90)

# Whose turn it is goes by when a message fell due, less the head start of its priority. The first look spares the idle
# the second, which passes over what is important but not due yet, such as the next tries of a provider that is away.
CLAIM = """
WITH picked AS MATERIALIZED (
    SELECT id FROM messaging_message
    WHERE (SELECT due_at FROM messaging_message WHERE status = 'queued' ORDER BY due_at, id LIMIT 1) <= %(now)s
      AND status = 'queued' AND due_at <= %(now)s
    ORDER BY timezone('UTC', due_at) - priority * interval '1 hour', due_at, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
UPDATE messaging_message m
SET status = 'sending', lease_until = %(lease)s, called_at = NULL, attempts = m.attempts + 1, updated_at = %(now)s
FROM picked WHERE m.id = picked.id
RETURNING m.*
"""

# The last look before the calls: consent and suppression once more, and whether the lease is still ours.
CALL = f"""
UPDATE messaging_message m
SET called_at = %(now)s, lease_until = %(lease)s, address = held.address, updated_at = %(now)s
FROM jsonb_to_recordset(%(rows)s::jsonb)
    AS held(id bigint, lease_until timestamptz, address text, disguise text)
WHERE m.id = held.id AND m.status = 'sending' AND m.lease_until = held.lease_until
  AND NOT EXISTS (
      SELECT FROM messaging_suppression s
      WHERE s.channel = m.channel AND s.address IN (lower(held.address), held.disguise)
        AND (s.cause <> 'left' OR m.purpose = 'marketing' AND m.key NOT LIKE %(test_keys)s))
  AND (m.purpose <> 'marketing' OR m.key LIKE %(test_keys)s
       OR NOT EXISTS (SELECT FROM messaging_unsubscription u WHERE u.profile_id = m.profile_id))
  AND (m.purpose <> 'marketing' OR m.key LIKE %(test_keys)s OR NOT EXISTS (
      SELECT FROM messaging_templateversion v JOIN messaging_topic t ON t.id = v.topic_id
      WHERE v.id = m.template_version_id AND {subscriptions.refuses("m.profile_id", "m.channel")}))
RETURNING m.id
"""

# Not counted as a try: nothing was tried.
RELEASE = """
UPDATE messaging_message m SET status = 'queued', lease_until = NULL, attempts = m.attempts - 1
FROM jsonb_to_recordset(%(rows)s::jsonb) AS held(id bigint, lease_until timestamptz)
WHERE m.id = held.id AND m.status = 'sending' AND m.lease_until = held.lease_until
"""

RECOVER = """
WITH lapsed AS MATERIALIZED (
    SELECT id, CASE WHEN called_at IS NOT NULL AND purpose = 'marketing' THEN 'unknown'
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
CUT_OFF = "The worker that was sending it ended without saying how it went."


def claim(now: datetime, limit: int) -> list[Message]:
    """Claim up to ``limit`` due messages; they are ours until their lease is over. One statement, which commits."""
    parameters = {"now": now, "lease": now + LEASE, "limit": limit}
    return list(Message.objects.raw(CLAIM, parameters))


def call(addresses: Mapping[Message, str], now: datetime) -> set[int]:
    """Note that the providers are about to be called; return the ids of the messages that may still go.

    One statement, which commits before any call. It leaves out messages that have lost their lease, and those whose
    person or address was struck off since the claim.
    """
    rows = [
        {**_held(message), "address": address, "disguise": lists.disguise(address)}
        for message, address in addresses.items()
    ]
    lease = now + LEASE
    with connection.cursor() as cursor:
        cursor.execute(CALL, {"now": now, "lease": lease, "rows": json.dumps(rows), "test_keys": f"{TEST_KEY}%"})
        called = {row[0] for row in cursor.fetchall()}
    for message in addresses:
        if message.pk in called:
            message.lease_until = lease
    return called


def release(messages: Sequence[Message]) -> None:
    """Put claimed messages back, to be looked at anew."""
    with connection.cursor() as cursor:
        cursor.execute(RELEASE, {"rows": json.dumps([_held(message) for message in messages])})


def recover(now: datetime) -> tuple[int, int]:
    """Settle the messages whose lease is over; return how many are queued again and how many are not. One statement.

    What was not called yet, and what is transactional, is queued again; a marketing message that may be out becomes
    ``unknown``. One that was interrupted again and again has failed.
    """
    with connection.cursor() as cursor:
        cursor.execute(RECOVER, {"now": now, "max_attempts": MAX_ATTEMPTS, "detail": CUT_OFF})
        statuses = [row[0] for row in cursor.fetchall()]
    queued = statuses.count("queued")
    return queued, len(statuses) - queued


def _held(message: Message) -> dict[str, object]:
    assert message.lease_until is not None
    # The lease is the proof of the claim: whoever claims the message later has another one.
    return {"id": message.pk, "lease_until": message.lease_until.isoformat()}
