"""Make calls into what may be stored of their source: a sandbox's ids apart, no address or browser where unwanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from events import sandbox

if TYPE_CHECKING:
    from events.ingest import Item
    from events.models import Source

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
AGENT_FIELDS = ("userAgent", "userAgentData")
# What asks for the request's own address; looked for first, as hardly any call has it.
DIRECT = b'"direct"'


def as_stored(source: Source, items: Sequence[Item], address: str = "") -> Sequence[Item]:
    """Return the items as they are to be stored. ``address`` is where the request came from, "" when unknown."""
    if source.is_sandbox:
        items = [_apart(item) for item in items]
    unwanted = unwanted_fields(source)
    if not unwanted and not any(DIRECT in item.context for item in items):
        return items
    return [replace(item, context=_context(item.context, unwanted, address)) for item in items]


def unwanted_fields(source: Source) -> tuple[str, ...]:
    """Return which fields of a context the source does not want to have kept."""
    return (*(() if source.store_ip else ("ip",)), *(() if source.store_user_agent else AGENT_FIELDS))


def without_unwanted(source: Source, body: bytes) -> bytes:
    """Return a call, a batch or a list of calls for the debugger without what the source does not want to have kept.

    Of a body that is not JSON nothing is kept then: nobody can tell what is in it.
    """
    unwanted = unwanted_fields(source)
    if not unwanted:
        return body
    try:
        if body.lstrip()[:1] == b"[":
            return _stripped_each(body, unwanted)
        return _stripped(body, unwanted)
    except (msgspec.DecodeError, RecursionError):
        return b""


def _stripped(call: bytes, unwanted: Sequence[str]) -> bytes:
    try:
        fields = _OBJECT.decode(call)
    except msgspec.ValidationError:
        return call
    if "context" in fields:
        fields["context"] = msgspec.Raw(_without(bytes(fields["context"]), unwanted))
    if bytes(fields.get("batch", b""))[:1] == b"[":
        fields["batch"] = msgspec.Raw(_stripped_each(bytes(fields["batch"]), unwanted))
    return msgspec.json.encode(fields)


def _stripped_each(batch: bytes, unwanted: Sequence[str]) -> bytes:
    return msgspec.json.encode([msgspec.Raw(_stripped(bytes(call), unwanted)) for call in _LIST.decode(batch)])


def _without(context: bytes, unwanted: Sequence[str]) -> bytes:
    if context[:1] != b"{":
        return context
    return msgspec.json.encode({name: raw for name, raw in _OBJECT.decode(context).items() if name not in unwanted})


def _apart(item: Item) -> Item:
    return replace(
        item,
        user_id=item.user_id and sandbox.own(item.user_id),
        anonymous_id=item.anonymous_id and sandbox.own(item.anonymous_id),
        email=item.email and sandbox.own(item.email),
        previous_id=item.previous_id and sandbox.own(item.previous_id),
    )


def _context(context: bytes, unwanted: Sequence[str], address: str) -> bytes:
    fields = _OBJECT.decode(context)
    if address and bytes(fields.get("direct", b"")) == b"true" and "ip" not in fields:
        fields["ip"] = msgspec.Raw(msgspec.json.encode(address))
    return msgspec.json.encode({name: raw for name, raw in fields.items() if name not in unwanted})
