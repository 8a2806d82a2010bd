"""What was sent and what was answered for one event: as received where the call was kept, else as stored."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec

from events.models import Event, InboundRequest

# Where a type keeps its own words in a call.
NAME_FIELDS = {"track": "event", "page": "name", "screen": "name", "group": "groupId", "alias": "previousId"}
TRAIT_TYPES = ("identify", "group")
# Events bear the time of their request's beginning, requests that of their own storing.
AROUND = timedelta(minutes=2)
SHOWN = 20
GOOD_ANSWER = {"success": True}


@dataclass(frozen=True, slots=True)
class Exchange:
    """``sent`` is the event's own part of the call; ``exact`` says that it is the sender's, not rebuilt by us."""

    sent: Any
    exact: bool
    request: InboundRequest | None
    status: int
    answer: Any


def of_event(event: Event) -> Exchange:
    request = event.request if event.request_id else None
    if request is None:
        return Exchange(rebuilt(event), exact=False, request=None, status=200, answer=GOOD_ANSWER)
    item = item_of(request.body, event.message_id)
    sent = rebuilt(event) if item is None else item
    return Exchange(sent, item is not None, request, request.status, request.answer)


def rebuilt(event: Event) -> dict[str, Any]:
    """Return the call that would store this event."""
    call: dict[str, Any] = {"type": event.type, "userId": event.profile.user_id}
    if event.type in NAME_FIELDS:
        call[NAME_FIELDS[event.type]] = event.name
    if event.type != Event.Type.ALIAS:
        call["traits" if event.type in TRAIT_TYPES else "properties"] = event.properties
    call |= event.extra
    call |= {"context": event.context, "timestamp": event.timestamp.isoformat(), "messageId": event.message_id}
    return {name: value for name, value in call.items() if value not in (None, "", {})}


def item_of(body: str, message_id: str) -> Any | None:
    """Find an event's part in a kept body. None when the body was cut, or names no such message id."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(parsed, dict):
        return None
    batch = parsed.get("batch")
    if not isinstance(batch, list):
        return parsed
    named = [item for item in batch if isinstance(item, dict) and item.get("messageId") == message_id]
    return named[0] if named else batch[0] if len(batch) == 1 else None


@dataclass(frozen=True, slots=True)
class Dropped:
    """An item that was not taken: why, and the item itself where the kept body still has it."""

    number: int
    message: str
    field: str
    code: str
    item: Any = None


def dropped(request: InboundRequest) -> list[Dropped]:
    """Return what the answer says about the items that were not taken, in the words of either API."""
    said = request.answer if isinstance(request.answer, dict) else {}
    listed = said.get("rejected") or said.get("errors")
    if not isinstance(listed, list):
        return []
    items = _items(request.body)
    found = [_dropped(entry, items) for entry in listed if isinstance(entry, dict)]
    return sorted(found, key=lambda one: one.number)


def _dropped(entry: dict[str, Any], items: list[Any]) -> Dropped:
    index = entry.get("index", entry.get("batch_index"))
    index = index if isinstance(index, int) and index >= 0 else 0
    code = str(entry.get("code") or entry.get("reason") or "")
    item = items[index] if index < len(items) else None
    return Dropped(index + 1, str(entry.get("message") or ""), str(entry.get("field") or ""), code, item)


def _items(body: str) -> list[Any]:
    """Return the items of a kept body; none of one that was cut."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return []
    batch = parsed.get("batch", [parsed]) if isinstance(parsed, dict) else parsed
    return batch if isinstance(batch, list) else []


def reason(request: InboundRequest) -> str:
    """Return in one sentence why a call, or the first part of it, was not taken."""
    said = request.answer if isinstance(request.answer, dict) else {}
    first = next(iter(dropped(request)), None)
    # Customer.io's version 1 has its words in there.
    meta = said.get("meta")
    told = meta.get("error") if isinstance(meta, dict) else ""
    return str(said.get("message") or told or (first.message if first else ""))


def stored(request: InboundRequest) -> list[Event]:
    """Return the first events that a call became. Looks only at what came in about then."""
    if not request.accepted:
        return []
    around = (request.received_at - AROUND, request.received_at + AROUND)
    found = Event.objects.filter(request=request, received_at__range=around).select_related("profile")
    return list(found.order_by("pk")[:SHOWN])


def readable(body: str) -> str:
    """Indent a body that is JSON, its numbers as they were written; leave any other as it is."""
    try:
        return msgspec.json.format(body, indent=2)
    except (msgspec.DecodeError, RecursionError):
        return body
