"""What was sent and what was answered for one event: as received where the call was kept, else as stored."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import msgspec

from events.models import Event, InboundRequest

# Where a type keeps its own words in a call.
NAME_FIELDS = {"track": "event", "page": "name", "screen": "name", "group": "groupId", "alias": "previousId"}
TRAIT_TYPES = ("identify", "group")
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
    except ValueError:
        return None
    if not isinstance(parsed, dict):
        return None
    batch = parsed.get("batch")
    if not isinstance(batch, list):
        return parsed
    named = [item for item in batch if isinstance(item, dict) and item.get("messageId") == message_id]
    return named[0] if named else batch[0] if len(batch) == 1 else None


def dropped_items(request: InboundRequest) -> list[dict[str, Any]]:
    """Return what an answer says about the items that were not taken."""
    listed = request.answer.get("rejected") if isinstance(request.answer, dict) else None
    return [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []


def reason(request: InboundRequest) -> str:
    """Return in one sentence why a call, or the first part of it, was not taken."""
    said = request.answer if isinstance(request.answer, dict) else {}
    first = next(iter(dropped_items(request)), {})
    return str(said.get("message") or first.get("message") or "")


def readable(body: str) -> str:
    """Indent a body that is JSON, its numbers as they were written; leave any other as it is."""
    try:
        return msgspec.json.format(body, indent=2)
    except (msgspec.DecodeError, RecursionError):
        return body
