"""Drafts: messages that go out when somebody has approved them.

A draft is never claimed. Approved, it is queued like any other, and everything is asked at sending: consent, relevance,
quiet hours. Refused, or not decided about for ``KEEP``, it is skipped, and the log is told. Of several people who
decide at the same instant the first to hold the message wins.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import transaction

from events import audit, nudges, present
from events.audit import Actor
from messaging import composing, relevance, settling
from messaging.composing import Outcome, PutOff
from messaging.locks import lock_messages
from messaging.models import Message
from messaging.reasons import Reason
from messaging.states import Status, move

KEEP = timedelta(days=30)
# How many are decided about in one transaction.
BATCH = 500


@transaction.atomic
def approve(message_ids: Collection[int], actor: Actor) -> list[int]:
    """Queue those that are drafts still, and return their ids; nudges "messages".

    Locks people and messages; a constant number of statements.
    """
    drafts = _hold(message_ids)
    if drafts:
        now = present.now()
        _move(drafts, Status.QUEUED, due_at=now, approved_by=actor.name, approved_at=now)
        audit.note(actor, "drafts", decision="approved", messages=len(drafts))
        nudges.nudge("messages")
    return sorted(drafts)


@transaction.atomic
def refuse(message_ids: Collection[int], actor: Actor, why: str = "") -> list[int]:
    """Skip those that are drafts still, and return their ids. Locks as ``approve`` does."""
    drafts = _hold(message_ids)
    if drafts:
        _skip(drafts, Reason.REFUSED, f"By {actor.name}{f': {why}' if why else ''}")
        audit.note(actor, "drafts", decision="refused", messages=len(drafts))
    return sorted(drafts)


@transaction.atomic
def expire(now: datetime) -> int:
    """Refuse drafts that nobody has decided about for ``KEEP``, a batch at most; return how many.

    One statement where there are none.
    """
    old = Message.objects.filter(status=Status.DRAFT, created_at__lt=now - KEEP).order_by("created_at")
    drafts = _hold(list(old.values_list("pk", flat=True)[:BATCH]))
    if drafts:
        _skip(drafts, Reason.NOT_APPROVED, f"within {KEEP.days} days")
    return len(drafts)


def objection(draft: Message, now: datetime) -> str:
    """Say in words what would keep a draft back if it were approved now, "" where nothing would."""
    if unwanted := relevance.unwanted([draft], now):
        return f"{Reason.NO_LONGER_WANTED.label}: {unwanted[draft.pk]}"
    found = composing.prepare(draft, composing.look([draft]))
    if isinstance(found, Outcome | PutOff):
        return ": ".join(filter(None, (Reason(found.reason).label, found.detail)))
    return ""


def _hold(message_ids: Collection[int]) -> dict[int, Message]:
    """Lock messages; return those that are drafts, by id."""
    if not message_ids:
        return {}
    held = lock_messages(message_ids)
    return {pk: message for pk, message in held.items() if message.status == Status.DRAFT}


def _skip(drafts: dict[int, Message], reason: Reason, detail: str) -> None:
    _move(drafts, Status.SKIPPED, reason=reason, detail=detail)
    settling.tell_skipped(drafts.values(), reason, present.now())


def _move(drafts: Collection[int], wanted: Status, **changes: object) -> None:
    Message.objects.filter(pk__in=drafts).update(status=move(Status.DRAFT, wanted), updated_at=present.now(), **changes)
