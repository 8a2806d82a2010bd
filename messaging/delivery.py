"""Send what is due: claim, look, write the mail, call the provider, settle.

A batch's claim is committed before anything else happens, and the note that the providers are called before any call.
No transaction is open while a provider is called. ``README.md`` says what a crash at each point leads to.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime

from django.db import OperationalError, connection, transaction

from events import devices, nudges, present
from messaging import admission, claims, feedback, pacing, relevance, sending, settling
from messaging.channels.base import gone
from messaging.composing import Outcome, Prepared, PutOff, Situation, look, prepare
from messaging.kinds import KINDS
from messaging.models import Message, Provider
from messaging.reasons import Reason
from messaging.states import Status

# Two rounds of the sending threads: few enough that a batch never outlives its lease, and that a crash leaves few in
# doubt.
BATCH = 2 * sending.THREADS
SETTLE_TRIES = 3


def deliver_due(deadline: float) -> int:
    """Send due messages until none is left or ``time.monotonic()`` passes ``deadline``. Returns how many were claimed.

    The number of statements does not grow with the messages of a batch.
    """
    claimed = 0
    while time.monotonic() < deadline:
        batch = claims.claim(present.now(), BATCH)
        if not batch:
            break
        _deliver(batch)
        claimed += len(batch)
    return claimed


def recover(now: datetime) -> int:
    """Settle what dead workers had claimed: queued again where that is safe or wanted, else ``unknown``."""
    queued, settled = claims.recover(now)
    if queued:
        nudges.nudge("messages")
    return queued + settled


def _deliver(batch: Sequence[Message]) -> None:
    """Cancel what is no longer wanted, and send the others."""
    now = present.now()
    unwanted = relevance.unwanted(batch, now)
    _settle(
        [
            Outcome(message, Status.SKIPPED, now, Reason.NO_LONGER_WANTED, unwanted[message.pk])
            for message in batch
            if message.pk in unwanted
        ]
    )
    wanted = [message for message in batch if message.pk not in unwanted]
    if wanted:
        _send(wanted)


def _send(batch: Sequence[Message]) -> None:
    situation = look(batch)
    looked_at = _prepared(batch, situation)
    outcomes = [found for found in looked_at.values() if isinstance(found, Outcome)]
    waiting = [found for found in looked_at.values() if isinstance(found, PutOff)]
    ready = [found for found in looked_at.values() if isinstance(found, Prepared)]
    admitted = admission.admit(ready, situation.caps, situation.people, present.now())
    outcomes += admitted.dropped
    waiting += admitted.waiting
    paced = pacing.keep_pace(admitted.going, present.now())
    waiting += paced.waiting
    claims.put_off(waiting)
    going = _call(paced.going, situation.limits.target)
    called = sending.hand_over(going, _still_goes)
    done = {one.message for one in waiting} | {one.message for one in (*outcomes, *called)}
    again = [message for message in batch if message not in done]
    if again:
        claims.release(again)
    _settle([*outcomes, *called])
    pacing.note(called, situation.paces, present.now())


def _still_goes(one: Prepared) -> bool:
    """Look once more at a message whose turn came late. In a thread of its own, which keeps no connection."""
    try:
        return bool(claims.still_go([one.message]))
    finally:
        connection.close()


def _prepared(batch: Sequence[Message], situation: Situation) -> dict[Message, Prepared | Outcome | PutOff | None]:
    """Write the messages: at once where feeds are asked, which is mostly waiting."""
    if not situation.feeds.feeds:
        return {message: prepare(message, situation) for message in batch}
    written = sending.pool().map(lambda message: prepare(message, situation), batch)
    return dict(zip(batch, written, strict=True))


def _call(ready: Sequence[Prepared], target: str) -> list[Prepared]:
    """Return those that may still go, once it is on record that their providers are called."""
    outside = {found.message: found for found in ready if KINDS[found.provider.kind].calls_out}
    calling = [
        claims.Calling(found.message, found.mail.address, found.provider, found.reader) for found in outside.values()
    ]
    called = claims.call(calling, present.now(), target) if outside else set()
    return [found for found in ready if found.message.pk in called or found.message not in outside]


def _settle(outcomes: Sequence[Outcome]) -> None:
    """Write the outcomes down, and at once what the built-in mailbox has to report."""
    if not outcomes:
        return
    for tries_left in reversed(range(SETTLE_TRIES)):
        try:
            with transaction.atomic():
                counted = settling.settle(outcomes)
                feedback.record([_delivered(outcome) for outcome in counted if _is_in_mailbox(outcome)])
            devices.forget([gone.popleft() for _ in range(len(gone))])
            return
        except OperationalError:
            # The mails are out: a lost connection or a deadlock must not leave them in doubt.
            if not tries_left:
                raise


def _is_in_mailbox(outcome: Outcome) -> bool:
    provider = outcome.provider
    return outcome.status == Status.SENT and provider is not None and provider.kind == Provider.Kind.MAILBOX


def _delivered(outcome: Outcome) -> feedback.Report:
    public_id = outcome.message.public_id
    # A message that an operator sends again arrives again.
    key = f"own:delivered:{public_id}:{outcome.at.timestamp():.6f}"
    return feedback.Report("delivered", key, outcome.at, message_public_id=str(public_id))
