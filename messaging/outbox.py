"""Queue messages: one row each, made once by its key, in the transaction of whoever decided to send.

Nothing is sent here. ``messaging.delivery`` claims what is due; the nudge that wakes it goes out after the commit.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction
from django.db.models.functions import Now

from events import nudges, present
from messaging import settling
from messaging.models import Message, Priority, Purpose
from messaging.reasons import Reason
from messaging.states import BEGINS, IllegalMove, Sending, Status, move

# One parameter for the whole batch: it costs the same number of statements for 1 message as for 500, and PostgreSQL
# reads it at about 30,000 rows/s.
INSERT = """
INSERT INTO messaging_message
    (public_id, key, profile_id, template_version_id, purpose, channel, provider_id, variables, labels, is_test, due_at,
     priority, unless, trigger_event_id, trigger_at, status, reason)
SELECT gen_random_uuid(), draft.key, draft.profile_id, draft.template_version_id, draft.purpose, template.channel,
       draft.provider_id, draft.variables,
       draft.labels || jsonb_strip_nulls(jsonb_build_object('template', template.name, 'topic', topic.slug)),
       draft.is_test, draft.due_at, draft.priority, draft.unless, draft.trigger_event_id, draft.trigger_at,
       draft.status, draft.reason
FROM jsonb_to_recordset(%s::jsonb) AS draft(
    key text, profile_id bigint, template_version_id bigint, purpose text, provider_id bigint, variables jsonb,
    labels jsonb, is_test boolean, due_at timestamptz, priority smallint, unless jsonb, trigger_event_id bigint,
    trigger_at timestamptz, status text, reason text)
JOIN messaging_templateversion version ON version.id = draft.template_version_id
JOIN messaging_template template ON template.id = version.template_id
LEFT JOIN messaging_topic topic ON topic.id = version.topic_id
ORDER BY draft.key
ON CONFLICT (key) DO NOTHING
RETURNING id, status
"""
SELECT = "SELECT key, id FROM messaging_message WHERE key = ANY(%s)"


@dataclass(frozen=True, slots=True)
class Relevance:
    """What makes a message unwanted (see ``messaging.relevance`` for its shape), and the event that it answers."""

    unless: Sequence[Mapping[str, object]]
    trigger_event_id: int | None
    trigger_at: datetime


@dataclass(frozen=True, slots=True)
class Draft:
    """A message to be sent.

    ``key`` says what counts as the same message, at most 120 characters. ``variables`` is JSON: ``trigger`` (the
    triggering event's properties; ``event`` in a template is the same), ``journey``, ``campaign``; the customer is
    read when the message is sent. ``provider_id`` None means the default provider at that time. ``labels`` are short
    texts and numbers that events about the message carry, such as ``campaign``; ``template`` and ``topic`` are added.
    ``priority`` says who goes first; what is transactional is always urgent, so that no password waits for a broadcast.
    ``relevance`` None: it is wanted whatever comes. ``sending`` says whether it goes out by itself, waits for
    somebody's approval (``messaging.approval``), or is only recorded, as skipped.
    """

    key: str
    profile_id: int
    template_version_id: int
    purpose: str
    provider_id: int | None
    variables: Mapping[str, object]
    is_test: bool
    due_at: datetime
    labels: Mapping[str, object] = field(default_factory=dict)
    priority: Priority = Priority.NORMAL
    relevance: Relevance | None = None
    sending: Sending = Sending.AUTOMATIC


def queue(drafts: Sequence[Draft]) -> dict[str, int]:
    """Put ``drafts`` into the outbox and return key → message id, also for those that were there already.

    Two statements, whatever the number of drafts, and two more where any is only recorded, in the caller's transaction;
    nudges "messages" on commit.
    """
    if not drafts:
        return {}
    rows = json.dumps([_row(draft) for draft in drafts], cls=DjangoJSONEncoder)
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [rows])
        recorded = [message_id for message_id, status in cursor.fetchall() if status == Status.SKIPPED]
        cursor.execute(SELECT, [[draft.key for draft in drafts]])
        ids: dict[str, int] = dict(cursor.fetchall())
    if recorded:
        settling.tell_skipped(Message.objects.filter(pk__in=recorded), Reason.SENDS_NOTHING, present.now())
    nudges.nudge("messages")
    return ids


WITHDRAW = """
UPDATE messaging_message SET status = 'skipped', reason = %(reason)s, lease_until = NULL, updated_at = now()
WHERE id = ANY(ARRAY(SELECT id FROM messaging_message WHERE id = ANY(%(ids)s) AND status IN ('queued', 'draft')
                     ORDER BY id FOR UPDATE))
RETURNING id
"""


def withdraw(message_ids: Collection[int], reason: Reason) -> list[int]:
    """Send these no more, those that no worker has claimed yet or that are drafts; return which.

    One statement of the caller's, who tells of them if need be (``settling.tell_skipped``) and holds their people.
    """
    if not message_ids:
        return []
    with connection.cursor() as cursor:
        cursor.execute(WITHDRAW, {"ids": list(message_ids), "reason": reason})
        return [message_id for (message_id,) in cursor.fetchall()]


def requeue(message: Message) -> None:
    """Send a message that failed, or may have gone out, again: an operator's decision. Raises IllegalMove.

    Locks the row; nudges "messages" on commit. The person may get the mail twice.
    """
    fresh = {"reason": "", "detail": "", "attempts": 0, "due_at": Now(), "admitted_at": None, "held_since": None}
    _settle(message, {Status.UNKNOWN, Status.FAILED}, Status.QUEUED, fresh)
    nudges.nudge("messages")


def copy(message: Message) -> Message:
    """Queue what ``message`` said once more, as a message of its own: an operator's decision.

    Everything that holds for a new message holds for it. Nudges "messages" on commit.
    """
    key = f"again:{message.public_id}:{uuid4()}"
    draft = Draft(
        key=key,
        profile_id=message.profile_id,
        template_version_id=message.template_version_id,
        purpose=message.purpose,
        provider_id=message.template_version.provider_id,
        variables=message.variables,
        is_test=message.is_test,
        due_at=present.now(),
        labels={name: value for name, value in message.labels.items() if name not in ("template", "topic")},
    )
    with transaction.atomic():
        return Message.objects.get(pk=queue([draft])[key])


def give_up(message: Message) -> None:
    """Settle a message of unknown outcome as not sent: an operator's decision. Raises IllegalMove. Locks the row."""
    _settle(message, {Status.UNKNOWN}, Status.FAILED, {"reason": Reason.OUTCOME_UNKNOWN})


def _settle(message: Message, settled: set[Status], wanted: Status, changes: Mapping[str, object]) -> None:
    """Move ``message`` to ``wanted`` if no worker has it: its status is one of ``settled``."""
    with transaction.atomic():
        row = Message.objects.select_for_update(of=("self",)).only("status").get(pk=message.pk)
        status = Status(row.status)
        if status not in settled:
            raise IllegalMove(f"a message that is {status} is not an operator's to settle")
        Message.objects.filter(pk=message.pk).update(
            status=move(status, wanted), lease_until=None, updated_at=Now(), **changes
        )


def _row(draft: Draft) -> dict[str, object]:
    relevance = draft.relevance
    return {
        "key": draft.key,
        "profile_id": draft.profile_id,
        "template_version_id": draft.template_version_id,
        "purpose": draft.purpose,
        "provider_id": draft.provider_id,
        "variables": draft.variables,
        "labels": draft.labels,
        "is_test": draft.is_test,
        "due_at": draft.due_at,
        "priority": Priority.URGENT if draft.purpose == Purpose.TRANSACTIONAL else draft.priority,
        "unless": relevance and relevance.unless,
        "trigger_event_id": relevance and relevance.trigger_event_id,
        "trigger_at": relevance and relevance.trigger_at,
        "status": BEGINS[draft.sending],
        "reason": Reason.SENDS_NOTHING if draft.sending is Sending.NEVER else "",
    }
