"""Write down how the tries of a batch ended: status, the mail as it went out, and the events campaigns read.

Nothing here depends on how many messages there are. A try that no longer counts (its lease was taken over) is left
out, unless it succeeded: that a mail is out is true whoever says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction

from events import log
from events.raw_json import storable
from messaging import carrier_counts, reporting
from messaging.composing import Outcome
from messaging.locks import lock_messages
from messaging.models import TEST_KEY, Message
from messaging.names import ChannelName, event
from messaging.reasons import Reason
from messaging.states import REPORTED, Status, after_report, move

UPDATE = """
UPDATE messaging_message m SET
    status = r.status, reason = r.reason, detail = r.detail, lease_until = NULL, updated_at = r.at,
    due_at = coalesce(r.due_at, m.due_at), provider_id = coalesce(r.provider_id, m.provider_id),
    address = coalesce(r.address, m.address), subject = coalesce(r.subject, m.subject),
    provider_message_id = coalesce(r.provider_message_id, m.provider_message_id),
    sent_at = coalesce(r.sent_at, m.sent_at), redirected = coalesce(r.redirected, m.redirected)
FROM jsonb_to_recordset(%s::jsonb) AS r(
    id bigint, status text, reason text, detail text, at timestamptz, due_at timestamptz, provider_id bigint,
    address text, subject text, provider_message_id text, sent_at timestamptz, redirected boolean)
WHERE m.id = r.id
"""

# A message that is sent again by an operator's decision has a new body.
KEEP_BODIES = """
INSERT INTO messaging_messagebody (message_id, from_email, reply_to, html, text, headers, options)
SELECT id, from_email, reply_to, html, text, headers, options
FROM jsonb_to_recordset(%s::jsonb) AS r(
    id bigint, from_email text, reply_to text, html text, text text, headers jsonb, options jsonb)
ON CONFLICT (message_id) DO UPDATE SET
    from_email = excluded.from_email, reply_to = excluded.reply_to, html = excluded.html, text = excluded.text,
    headers = excluded.headers, options = excluded.options
"""

# What the log is told of, and as what (see messaging.names).
DEEDS = {Status.SENT: "sent", Status.SKIPPED: "skipped", Status.FAILED: "failed"}


@transaction.atomic
def settle(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Store ``outcomes`` and return those that counted. Locks people and messages; a constant number of statements."""
    locked = lock_messages([outcome.message.pk for outcome in outcomes])
    counted = [outcome for outcome in outcomes if _counts(outcome, locked.get(outcome.message.pk))]
    _execute(UPDATE, [_changes(outcome, Status(locked[outcome.message.pk].status)) for outcome in counted])
    _execute(KEEP_BODIES, [_body(outcome) for outcome in counted if outcome.mail])
    carrier_counts.add(
        _happened(outcome, locked[outcome.message.pk]) for outcome in counted if _is_counted(outcome, locked)
    )
    reporting.tell([_entry(one, locked[one.message.pk]) for one in counted if _is_news(one, locked[one.message.pk])])
    return counted


def _is_counted(outcome: Outcome, locked: Mapping[int, Message]) -> bool:
    """Return whether it says something about the provider's mails; also where a webhook was faster."""
    if outcome.message.channel != ChannelName.EMAIL or outcome.status not in (Status.SENT, Status.FAILED):
        return False
    return outcome.provider is not None and not _is_aside(outcome, locked[outcome.message.pk])


def _happened(outcome: Outcome, current: Message) -> carrier_counts.Happened:
    assert outcome.provider is not None
    mail = outcome.mail
    return carrier_counts.Happened(
        "sent" if outcome.status == Status.SENT else "failed",
        outcome.at,
        outcome.provider.pk,
        mail.from_email if mail else outcome.provider.from_email,
        mail.address if mail else current.address,
    )


def tell_skipped(messages: Iterable[Message], reason: Reason, at: datetime) -> None:
    """Tell the log that ``messages`` were not sent, in the transaction that says so. One statement beside theirs."""
    reporting.tell(
        [
            log.Entry(each.profile_id, event(each.channel, "skipped"), {**each.news(), "reason": reason}, at)
            for each in messages
            if not each.is_aside
        ]
    )


def _counts(outcome: Outcome, current: Message | None) -> bool:
    if current is None:
        return False
    if outcome.status == Status.SENT:
        return True
    return current.status == Status.SENDING and current.lease_until == outcome.message.lease_until


def _changes(outcome: Outcome, current: Status) -> dict[str, object]:
    sent = outcome.mail
    return {
        "id": outcome.message.pk,
        # A webhook may have been faster than the answer to our call.
        "status": after_report(current, Status.SENT) if sent else move(current, outcome.status),
        "reason": outcome.reason,
        "detail": outcome.detail,
        "at": outcome.at,
        "due_at": outcome.due_at,
        "provider_id": outcome.provider.pk if outcome.provider and outcome.due_at is None else None,
        "address": sent.address if sent else None,
        "subject": sent.subject if sent else None,
        "provider_message_id": outcome.provider_message_id if sent else None,
        "sent_at": outcome.at if sent else None,
        "redirected": sent.redirected if sent else None,
    }


def _body(outcome: Outcome) -> dict[str, object]:
    mail = outcome.mail
    assert mail is not None
    return {
        "id": outcome.message.pk,
        "from_email": mail.from_email,
        "reply_to": mail.reply_to,
        "html": mail.html,
        "text": mail.text,
        "headers": dict(mail.headers),
        "options": dict(mail.options),
    }


def _is_news(outcome: Outcome, current: Message) -> bool:
    """Return whether campaigns have not heard this: a webhook that was faster has told them that it was sent."""
    if outcome.status not in DEEDS or _is_aside(outcome, current):
        return False
    return outcome.status != Status.SENT or current.status not in REPORTED


def _is_aside(outcome: Outcome, current: Message) -> bool:
    return outcome.mail.redirected or current.key.startswith(TEST_KEY) if outcome.mail else current.is_aside


def _entry(outcome: Outcome, current: Message) -> log.Entry:
    properties = current.news()
    if outcome.mail:
        properties["subject"] = outcome.mail.subject
    if outcome.reason:
        properties["reason"] = outcome.reason
    return log.Entry(current.profile_id, event(current.channel, DEEDS[outcome.status]), properties, outcome.at)


def _execute(statement: str, rows: Sequence[Mapping[str, object]]) -> None:
    if rows:
        # Templates and providers can bring in characters that no database stores.
        text = storable(json.dumps(rows, cls=DjangoJSONEncoder).encode())
        with connection.cursor() as cursor:
            cursor.execute(statement, [text.decode()])
