"""Lock messages in the order that everybody keeps: people first, ids ascending, then their messages, ids ascending."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

from django.db import connection, transaction

from messaging.models import Message

# Merging two people holds both exclusively and then moves their messages. A shared lock is enough to keep it away.
LOCK_PEOPLE = """
SELECT id FROM events_profile
WHERE id IN (SELECT profile_id FROM messaging_message WHERE id = ANY(%s))
ORDER BY id FOR KEY SHARE
"""
FIELDS = (
    "id",
    "public_id",
    "key",
    "channel",
    "labels",
    "profile_id",
    "purpose",
    "status",
    "lease_until",
    "address",
    "redirected",
    "called_at",
    "sent_at",
)
TRIES = 20


class _Moved(Exception):
    """A message went to another person between the two locks."""


def lock_messages(ids: Collection[int]) -> dict[int, Message]:
    """Lock messages and share-lock their people in the caller's transaction; return id → message as it is now.

    Four statements, savepoint included. The messages have ``FIELDS`` only.
    """
    for _ in range(TRIES):
        with suppress(_Moved), transaction.atomic():
            return _lock(ids)
    raise RuntimeError("messages change their people faster than they can be locked")


def _lock(ids: Collection[int]) -> dict[int, Message]:
    with connection.cursor() as cursor:
        cursor.execute(LOCK_PEOPLE, [list(ids)])
        people = {row[0] for row in cursor.fetchall()}
    rows = Message.objects.filter(pk__in=ids).only(*FIELDS).order_by("pk").select_for_update(of=("self",))
    messages = {message.pk: message for message in rows}
    if not people.issuperset(message.profile_id for message in messages.values()):
        raise _Moved
    return messages
