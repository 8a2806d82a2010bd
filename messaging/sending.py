"""Call the providers: many at a time, because each call is mostly waiting. Nothing here touches the database.

Each thread keeps one open channel per provider, so that a connection serves many mails; a changed provider gets a new
one.
"""

from __future__ import annotations

import logging
import math
import os
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

from events import present
from messaging import deadlines, retry
from messaging.carriers import rest_key
from messaging.channels import open_channel
from messaging.channels.base import Channel
from messaging.composing import Outcome, Prepared
from messaging.errors import SendError
from messaging.kinds import KINDS
from messaging.models import Provider
from messaging.states import Status

logger = logging.getLogger(__name__)
THREADS = 32
FEWEST = 4
# Calls a second that one process could make if they cost nothing but waiting.
RATE = 500
# Servers hang up on idle connections, and a request that meets such a moment is in doubt: better to connect anew.
IDLE_SECONDS = 4.0
# After so long somebody may have been told that nothing more comes.
LATE_SECONDS = 1.0

_mine = threading.local()


def hand_over(prepared: Sequence[Prepared], still_goes: Callable[[Prepared], bool] = lambda one: True) -> list[Outcome]:
    """Hand every mail to its provider and say how it went, in the given order.

    Of what had to wait for ``LATE_SECONDS`` it is asked whether it ``still_goes``; what does not has no outcome.
    """
    # What stays here is not waited for.
    if len(prepared) < 2 or not any(KINDS[one.provider.kind].calls_out for one in prepared):
        return [_send(one) for one in prepared]
    waiting, outcomes, spans = deque(enumerate(prepared)), dict[int, Outcome](), list[float]()
    late = time.monotonic() + LATE_SECONDS

    def send_waiting(_: int) -> None:
        # Each thread takes the next one when it is free: a slow call holds up nobody but its thread.
        while True:
            try:
                number, one = waiting.popleft()
            except IndexError:
                return
            began = time.monotonic()
            if began > late and not still_goes(one):
                continue
            outcomes[number] = _send(one)
            spans.append(time.monotonic() - began)

    list(pool().map(send_waiting, range(min(_pace.threads, len(prepared)))))
    _pace.learn(spans)
    return [outcomes[number] for number in range(len(prepared)) if number in outcomes]


class _Pace:
    """How many threads are of use: as many as keep ``RATE`` calls a second under way, by how long a call takes.

    More of them would only be in each other's way: that, too, makes calls long, so the quickest tell how long they are.
    """

    def __init__(self) -> None:
        self.seconds = THREADS / RATE

    @property
    def threads(self) -> int:
        return max(FEWEST, min(THREADS, math.ceil(self.seconds * RATE)))

    def learn(self, spans: Sequence[float]) -> None:
        quick = sorted(spans)[len(spans) // 8]
        self.seconds += (quick - self.seconds) / 4


def pool() -> ThreadPoolExecutor:
    """Return the threads of this process: a forked worker cannot use those of its parent."""
    return _pool(os.getpid())


@cache
def _pool(pid: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix="send")


def _send(prepared: Prepared) -> Outcome:
    try:
        with deadlines.watched():
            taken_as = _channel(prepared.provider).send(prepared.mail)
    except SendError as error:
        return _failed(prepared, error)
    except Exception as error:
        logger.exception("message %s could not be handed over", prepared.mail.public_id)
        _forget(prepared.provider)
        return _failed(prepared, SendError(repr(error), permanent=False, outcome_unknown=True))
    return Outcome(
        prepared.message,
        Status.SENT,
        present.now(),
        provider=prepared.provider,
        provider_message_id=taken_as,
        mail=prepared.mail,
        rest_key=rest_key(prepared.provider, prepared.mail.address),
    )


def _failed(prepared: Prepared, error: SendError) -> Outcome:
    message, now = prepared.message, present.now()
    next_step = retry.decide(
        error,
        purpose=message.purpose,
        attempts=message.attempts,
        now=now,
        jitter=random.random(),
        takes_once=KINDS[prepared.provider.kind].takes_once,
    )
    blame: dict[str, Any] = {
        "rest_key": rest_key(prepared.provider, prepared.mail.address),
        "is_failing": not error.permanent,
        "rest_for": error.after,
        "provider": prepared.provider,
    }
    if isinstance(next_step, retry.Retry):
        return Outcome(message, Status.QUEUED, now, detail=str(error), due_at=next_step.at, **blame)
    return Outcome(message, next_step.status, now, next_step.reason, str(error), **blame)


@dataclass(slots=True)
class _Open:
    """A channel that this thread keeps open, for the provider as it was then."""

    channel: Channel
    version: tuple[object, ...]
    used_at: float


def _channel(provider: Provider) -> Channel:
    """Return this thread's channel to ``provider``, a new one when it was idle or changed. Raises SendError."""
    kept = _kept()
    version = (provider.kind, provider.settings, provider.secrets)
    known, now = kept.get(provider.pk), time.monotonic()
    if known is None or known.version != version or now - known.used_at > IDLE_SECONDS:
        _forget(provider)
        known = kept[provider.pk] = _Open(open_channel(provider), version, now)
    known.used_at = now
    return known.channel


def _forget(provider: Provider) -> None:
    known = _kept().pop(provider.pk, None)
    if known:
        known.channel.close()


def _kept() -> dict[int, _Open]:
    kept: dict[int, _Open] = _mine.__dict__.setdefault("channels", {})
    return kept


_pace = _Pace()
