"""Call the providers: many at a time, because each call is mostly waiting. No database is touched here.

Each thread keeps one open channel per provider, so that a connection serves many mails; a changed provider gets a new
one.
"""

from __future__ import annotations

import json
import logging
import os
import random
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from django.utils import timezone

from messaging import retry
from messaging.channels import open_channel
from messaging.channels.base import Channel
from messaging.composing import Outcome, Prepared
from messaging.errors import SendError
from messaging.models import Provider
from messaging.states import Status

logger = logging.getLogger(__name__)
THREADS = 16

_mine = threading.local()


def hand_over(prepared: Sequence[Prepared]) -> list[Outcome]:
    """Hand every mail to its provider and say how it went, in the given order."""
    if len(prepared) < 2:
        return [_send(one) for one in prepared]
    return list(_pool(os.getpid()).map(_send, prepared))


@cache
def _pool(pid: int) -> ThreadPoolExecutor:
    """Return this process's threads: a forked worker cannot use those of its parent."""
    return ThreadPoolExecutor(THREADS, thread_name_prefix="send")


def _send(prepared: Prepared) -> Outcome:
    try:
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
        timezone.now(),
        provider=prepared.provider,
        provider_message_id=taken_as,
        mail=prepared.mail,
    )


def _failed(prepared: Prepared, error: SendError) -> Outcome:
    message, now = prepared.message, timezone.now()
    next_step = retry.decide(error, purpose=message.purpose, attempts=message.attempts, now=now, jitter=random.random())
    if isinstance(next_step, retry.Retry):
        return Outcome(message, Status.QUEUED, now, detail=str(error), due_at=next_step.at, provider=prepared.provider)
    return Outcome(message, next_step.status, now, next_step.reason, str(error), provider=prepared.provider)


def _channel(provider: Provider) -> Channel:
    """Return this thread's channel to ``provider``, a new one when its settings have changed. Raises SendError."""
    made: dict[int, tuple[str, Channel]] = _mine.__dict__.setdefault("channels", {})
    version = json.dumps([provider.kind, provider.settings, provider.secrets], sort_keys=True)
    known = made.get(provider.pk)
    if known and known[0] == version:
        return known[1]
    _forget(provider)
    channel = open_channel(provider)
    made[provider.pk] = (version, channel)
    return channel


def _forget(provider: Provider) -> None:
    known = _mine.__dict__.get("channels", {}).pop(provider.pk, None)
    if known:
        known[1].close()
