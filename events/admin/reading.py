"""Read a kept call anew, as its address reads calls: what it asks for, and what of it cannot be taken.

Nothing is stored by reading. What is read of a hook is what its mapping makes of it now.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.http import Http404
from django.urls import resolve

from events.api import hook_calls, hooks, parsing
from events.api.cdp import PipelinesView
from events.api.customerio import acts, consent, objects, reports, semantic
from events.api.customerio.base import TrackApiView
from events.api.customerio.items import Call
from events.api.customerio.performing import Operation, Step
from events.api.customerio.v2 import BatchView
from events.api.inbound import BODY_LIMIT
from events.api.refusal import Refusal
from events.api.segment import BATCH, TrackingView
from events.ingest import Item
from events.models import InboundRequest

HOOK = re.compile(r"/hooks/[^/]+/?")
SHOWN = 20
# What the acts of Customer.io's API are, in words.
ACTS: dict[type, str] = {
    acts.PutDevice: "add a device",
    acts.RemoveDevice: "remove a device",
    acts.Delete: "delete the person",
    acts.Suppress: "suppress the person",
    acts.Unsuppress: "let the person in again",
    acts.Merge: "merge two people",
    consent.Consent: "say whether they want marketing",
    objects.Told: "describe an object",
    objects.Unrelate: "take out of an object",
    objects.DeleteObject: "delete an object",
    reports.ReportDelivery: "report on a message",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What a call asks for: items for the log, or steps of Customer.io's API; and by index what cannot be taken."""

    items: Sequence[Item] = ()
    steps: Sequence[Step] = ()
    rejected: Sequence[tuple[int, Refusal]] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that a call asks for, as people read it; or ``problem``: why it cannot be taken."""

    number: int
    kind: str = ""
    name: str = ""
    who: str = ""
    at: datetime | None = None
    words: Any = None
    problem: str = ""


def is_readable(call: InboundRequest) -> bool:
    """Say whether the call was known by its source, and its body kept whole."""
    return call.source is not None and len(call.body.encode()) < BODY_LIMIT


def is_batch(call: InboundRequest) -> bool:
    """Say whether each item of the call was taken or refused by itself, whole."""
    view, _ = _view(call)
    return isinstance(view, BatchView | PipelinesView) or (isinstance(view, TrackingView) and view.kind == BATCH)


def read(call: InboundRequest) -> Reading:
    """Read a call of which ``is_readable`` is true. Times count as when it came in. Raises Refusal."""
    body = call.body.encode()
    if HOOK.fullmatch(call.path):
        return _hook(call, body)
    view, places = _view(call)
    if isinstance(view, PipelinesView):
        return _pipelines(_tracking(view.kind, body, call.received_at), call.received_at)
    if isinstance(view, TrackingView):
        return _tracking(view.kind, body, call.received_at)
    if isinstance(view, TrackApiView):
        asked = view.asked(call.method, body, call.received_at, **places)
        return Reading(steps=asked.steps, rejected=asked.rejected)
    raise Refusal("not_found", "Calls of this address are not read.", "path", 404)


def _view(call: InboundRequest) -> tuple[object, dict[str, Any]]:
    """Return the view that calls of this address come to, and what the address names; None for none."""
    try:
        match = resolve(call.path)
    except Http404:
        return None, {}
    view_class = getattr(match.func, "view_class", None)
    return (view_class(**getattr(match.func, "view_initkwargs", {})) if view_class else None), match.kwargs


def _hook(call: InboundRequest, body: bytes) -> Reading:
    assert call.source is not None
    raws = hook_calls.payloads(body, hook_calls.FORM)
    calls = hook_calls.of_source(call.source, raws, hooks.named(call.headers), call.received_at)
    return Reading(items=calls.items, rejected=calls.rejected)


def _tracking(kind: str, body: bytes, received_at: datetime) -> Reading:
    if kind != BATCH:
        return Reading(items=[parsing.parse_call(kind, body, received_at)])
    batch = parsing.parse_batch(body, received_at)
    return Reading(items=batch.items, rejected=batch.rejected)


def _pipelines(found: Reading, received_at: datetime) -> Reading:
    """Return the same where some names are more than events."""
    items, ungrouped = semantic.grouped(found.items)
    rejected = [*found.rejected, *ungrouped]
    if not semantic.are_among(items):
        return Reading(items=items, rejected=rejected)
    steps, unread = semantic.steps(items, received_at)
    return Reading(steps=steps, rejected=[*rejected, *unread])


def lines(call: InboundRequest) -> list[Line]:
    """Return how a call is read, thing by thing, in the order of the call; nothing for one that is not read."""
    if not is_readable(call):
        return []
    try:
        found = read(call)
    except Refusal as refusal:
        return [] if refusal.status == 404 else [Line(1, problem=refusal.message)]
    shown = [*map(_of_item, found.items), *map(_of_step, found.steps)]
    shown += [Line(index + 1, problem=refusal.message) for index, refusal in found.rejected]
    return sorted(shown, key=lambda line: line.number)


def _of_item(item: Item) -> Line:
    who = item.user_id or item.email or item.anonymous_id or ""
    return Line(item.index + 1, item.type, item.name, who, item.timestamp, json.loads(item.properties))


def _of_step(step: Step) -> Line:
    operation = step.operation
    if isinstance(operation, Call):
        line = _of_item(replace(operation.item, index=step.index))
        return line if line.who else replace(line, who=operation.who.text)
    return Line(step.index + 1, ACTS[type(operation)], who=_who(operation))


def _who(operation: Operation) -> str:
    who = getattr(operation, "who", None) or getattr(operation, "primary", None)
    return str(who.text) if who else ""
