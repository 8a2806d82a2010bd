"""Take in a refused call after all, once what was wrong has been mended: its kept body is read anew.

Only a call of a source that was known and let in, of which nothing was stored, and whose body was kept whole. Each
item gets a message id of its own where the sender gave none, so that a second click stores nothing twice.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.utils import timezone

from events.api import authentication, hook_calls, hooks, parsing
from events.api.inbound import BODY_LIMIT
from events.api.refusal import Refusal
from events.ingest import Item, ingest_many, parcel
from events.models import InboundRequest

HOOK = re.compile(r"/hooks/[^/]+/?")
CALL = re.compile(r"/v1/([a-z]+)/?")
BATCH = "batch"
KINDS = {short: kind for kind in (*parsing.KINDS, BATCH) for short in (kind, kind[0])}

Rejected = Sequence[tuple[int, Refusal]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many events were stored, how many had been before, and why others could not be."""

    accepted: int = 0
    repeated: int = 0
    reasons: tuple[str, ...] = ()


def can_be(call: InboundRequest) -> bool:
    """Say whether a call may be taken in again."""
    if call.source is None or not call.source.enabled or call.status != 400 or call.accepted:
        return False
    is_whole = 0 < len(call.body.encode()) < BODY_LIMIT
    return is_whole and bool(HOOK.fullmatch(call.path) or _kind(call))


def send(call: InboundRequest) -> Outcome:
    """Read the call's body anew and store what is good now; times count as they did when it came in."""
    source = call.source
    assert source is not None, "ask can_be() first"
    try:
        items, rejected = _read(call, call.received_at)
    except Refusal as refusal:
        return Outcome(reasons=(refusal.message,))
    again = parcel(source, [_own(call, number, item) for number, item in enumerate(items)], timezone.now())
    reasons = tuple(refusal.message for _, refusal in (*rejected, *again.refused))
    result = ingest_many([again])[0]
    if result.accepted:
        authentication.note_source(source)
    return Outcome(result.accepted, result.repeated, reasons)


def _kind(call: InboundRequest) -> str:
    found = CALL.fullmatch(call.path)
    return KINDS.get(found[1], "") if found else ""


def _read(call: InboundRequest, received_at: datetime) -> tuple[Sequence[Item], Rejected]:
    assert call.source is not None
    body = call.body.encode()
    kind = _kind(call)
    if not kind:
        raws = hook_calls.payloads(body, hook_calls.FORM)
        calls = hook_calls.of_source(call.source, raws, hooks.named(call.headers), received_at)
        return calls.items, calls.rejected
    if kind == BATCH:
        batch = parsing.parse_batch(body, received_at)
        return batch.items, batch.rejected
    return [parsing.parse_call(kind, body, received_at)], []


def _own(call: InboundRequest, number: int, item: Item) -> Item:
    return item if item.repeatable else replace(item, message_id=f"again:{call.pk}:{number}", repeatable=True)
