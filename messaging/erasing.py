"""Follow people who are erased: their messages go with everything in them; what keeps mail away stays, disguised.

An address on the suppression list stays on it as a digest, unless somebody else still has it. Of those who had
unsubscribed the address is remembered the same way: should they come back, they get no marketing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.db import connection

from messaging import lists
from messaging.models import TEST_KEY, DeliveryEvent, Message, Suppression
from messaging.policy import plain_number

# Sorted as everywhere: people (held by the caller), then their messages by id.
HOLD_MESSAGES = "SELECT id FROM messaging_message WHERE profile_id = ANY(%(ids)s) ORDER BY id FOR UPDATE"

ADDRESSES = """
SELECT DISTINCT address, bool_or(has_left) AS has_left FROM (
    SELECT lower(trim(p.email)) AS address, u.profile_id IS NOT NULL AS has_left
    FROM events_profile p LEFT JOIN messaging_unsubscription u ON u.profile_id = p.id
    WHERE p.id = ANY(%(ids)s) AND NOT p.is_sandbox
    UNION ALL
    SELECT lower(m.address), false FROM messaging_message m JOIN events_profile p ON p.id = m.profile_id
    WHERE m.id = ANY(%(messages)s) AND m.channel = 'email' AND m.key NOT LIKE %(test_keys)s AND NOT m.redirected
      AND NOT p.is_sandbox
) AS known
WHERE address <> '' AND NOT EXISTS (
    SELECT FROM events_profile other WHERE lower(other.email) = known.address AND other.id <> ALL(%(ids)s))
GROUP BY address
"""

# A digest keeps off whoever has the number, so it matters not whether somebody else has it, too.
NUMBERS = """
SELECT phone FROM events_profile WHERE id = ANY(%(ids)s) AND phone <> '' AND NOT is_sandbox
UNION SELECT address FROM messaging_message WHERE id = ANY(%(messages)s) AND channel = 'sms' AND address <> ''
"""

DISGUISE = """
WITH known AS (SELECT * FROM jsonb_to_recordset(%(addresses)s) AS r(channel text, address text, disguise text)),
taken AS (
    DELETE FROM messaging_suppression s USING known
    WHERE s.channel = known.channel AND s.address = known.address
    RETURNING s.channel, known.disguise, s.cause, s.created_at
)
INSERT INTO messaging_suppression (channel, address, cause, detail, created_at)
SELECT channel, disguise, cause, '', created_at FROM taken ORDER BY channel, disguise
ON CONFLICT (channel, address) DO UPDATE SET cause = excluded.cause
"""

REMEMBER_LEFT = """
INSERT INTO messaging_suppression (channel, address, cause, detail)
SELECT 'email', disguise, %(cause)s, '' FROM jsonb_to_recordset(%(addresses)s) AS r(disguise text, has_left boolean)
WHERE has_left ORDER BY disguise
ON CONFLICT (channel, address) DO NOTHING
"""

DELETE = [
    "UPDATE messaging_suppression SET message_id = NULL, detail = '' WHERE message_id = ANY(%(messages)s)",
    "DELETE FROM messaging_unsubscription WHERE profile_id = ANY(%(ids)s)",
    "DELETE FROM messaging_subscription WHERE profile_id = ANY(%(ids)s)",
    "DELETE FROM messaging_consent WHERE profile_id = ANY(%(ids)s)",
    "DELETE FROM messaging_trackingrefusal WHERE profile_id = ANY(%(ids)s)",
    "UPDATE messaging_unsubscription SET message_id = NULL WHERE message_id = ANY(%(messages)s)",
    "DELETE FROM messaging_report WHERE (body #>> '{data,profile_id}')::bigint = ANY(%(ids)s)",
    "DELETE FROM messaging_deliveryevent WHERE message_id = ANY(%(messages)s)",
    "DELETE FROM messaging_messagebody WHERE message_id = ANY(%(messages)s)",
    "DELETE FROM messaging_message WHERE id = ANY(%(messages)s)",
]


def follow_erasure(sender: object, profile_ids: Sequence[int], **kwargs: Any) -> None:
    """Delete these people's messages, in the erasing transaction. A constant number of statements.

    A worker that has claimed one of them finds it gone before it calls a provider.
    """
    parameters: dict[str, Any] = {"ids": list(profile_ids), "test_keys": f"{TEST_KEY}%"}
    with connection.cursor() as cursor:
        cursor.execute(HOLD_MESSAGES, parameters)
        parameters["messages"] = [pk for (pk,) in cursor.fetchall()]
        cursor.execute(ADDRESSES, parameters)
        rows = [_row("email", address, has_left) for address, has_left in cursor.fetchall()]
        cursor.execute(NUMBERS, parameters)
        rows += [_row("sms", number) for number in {plain_number(phone) for (phone,) in cursor.fetchall()}]
        known = {"addresses": json.dumps(rows), "cause": Suppression.Cause.LEFT}
        cursor.execute(DISGUISE, known)
        cursor.execute(REMEMBER_LEFT, known)
        for statement in DELETE:
            cursor.execute(statement, parameters)


def _row(channel: str, address: str, has_left: bool = False) -> dict[str, object]:
    return {"channel": channel, "address": address, "disguise": lists.disguise(address), "has_left": has_left}


def weigh(sender: object, profile_id: int, **kwargs: Any) -> list[tuple[str, int]]:
    """Say how much an erasure would delete. Two statements."""
    return [
        ("messages, with their text", Message.objects.filter(profile=profile_id).count()),
        ("opens, clicks and other reports", DeliveryEvent.objects.filter(message__profile=profile_id).count()),
    ]
