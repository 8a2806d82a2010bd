"""Read the calls of the tracking API: JSON is taken apart once, here, and every mistake gets its field's name.

Only what identification and time need is read; properties, traits and context go on as the bytes they came in. A bad
item of a batch is set aside with its index, and the others go on.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec import Raw

from events import raw_json, traits
from events.api.body import CALL_LIMIT
from events.api.fields import (
    OBJECT,
    STRING,
    Fields,
    id_of,
    object_of,
    read_object,
    refuse_flaw,
    text_of,
    text_or_nothing,
)
from events.api.refusal import Refusal
from events.ingest import Item
from events.models import Event

DESTINATION = "Cuebird"
# Clocks are off by less than a day, or by years; devices that were off line report within weeks.
CREDIBLE_ERROR, CREDIBLE_WAIT = timedelta(days=1), timedelta(days=30)
MAX_ITEMS = 2500
# What a batch says once is stored with each of its items.
SHARED_LIMIT = 8 * 1024

_LIST = msgspec.json.Decoder(list[Raw])

# Where each kind of call keeps its name and its words, and which have to have a name.
NAME_FIELDS = {"track": "event", "page": "name", "screen": "name", "group": "groupId", "alias": "previousId"}
WORDS_FIELDS = {
    "track": "properties",
    "page": "properties",
    "screen": "properties",
    "identify": "traits",
    "group": "traits",
}
NAMED = ("track", "group", "alias")
COMMON = ("type", "userId", "anonymousId", "messageId", "timestamp", "context", "writeKey")
KINDS = tuple(Event.Type.values)
READ = {kind: frozenset((*COMMON, NAME_FIELDS.get(kind, ""), WORDS_FIELDS.get(kind, ""))) for kind in KINDS}


@dataclass(frozen=True, slots=True)
class Batch:
    """The items that can be stored, and by index why the others cannot."""

    items: list[Item]
    rejected: list[tuple[int, Refusal]]


@dataclass(frozen=True, slots=True)
class Shared:
    """What holds for every item of a batch, unless the item says otherwise.

    ``forwarded`` calls come from another platform, which has put the time right and chosen whom it sends them to.
    """

    received_at: datetime
    sent_at: datetime | None = None
    context: Fields = field(default_factory=dict)
    integrations: Fields = field(default_factory=dict)
    forwarded: bool = False


def write_key(body: bytes) -> str:
    """Return the ``writeKey`` in a body; nothing when there is none, or no telling."""
    try:
        return text_or_nothing(read_object(body), "writeKey")
    except Refusal:
        return ""


def is_rudderstacks(body: bytes) -> bool:
    """Say whether a RudderStack library made a batch: their items name a channel, Segment's never do."""
    try:
        first = _LIST.decode(read_object(body)["batch"])[0]
        return "channel" in read_object(bytes(first))
    except (Refusal, LookupError, msgspec.ValidationError):
        return False


def parse_call(kind: str, body: bytes, received_at: datetime, email: str | None = None) -> Item:
    """Read one call of the given kind; an ``email`` says who is meant where it names nobody. Raises Refusal."""
    fields = read_object(body)
    refuse_flaw(body)
    return _item(kind, fields, Shared(received_at, _time_or_none(fields.get("sentAt"))), email=email)


def parse_batch(body: bytes, received_at: datetime) -> Batch:
    """Read a batch; bad items, and those behind the last that is allowed, are rejected alone. Raises Refusal."""
    fields = read_object(body)
    try:
        raw_items = _LIST.decode(fields["batch"])
    except (KeyError, msgspec.ValidationError):
        raise Refusal("invalid_value", "A batch needs its list of items.", "batch") from None
    shared = Shared(
        received_at,
        _time_or_none(fields.get("sentAt")),
        _shared(fields, "context"),
        _shared(fields, "integrations"),
    )
    return parse_items(raw_items, shared)


def parse_items(raw_items: Sequence[Raw], shared: Shared, most: int = MAX_ITEMS) -> Batch:
    """Read calls that name their type; bad ones, and those behind the first ``most``, are rejected alone."""
    batch = Batch([], [])
    for index, raw in enumerate(raw_items):
        try:
            if index >= most:
                raise Refusal("too_many", f"A batch may have {most:,} items.", "batch")
            batch.items.append(_batch_item(bytes(raw), shared, index))
        except Refusal as refusal:
            batch.rejected.append((index, refusal))
    return batch


def _batch_item(raw: bytes, shared: Shared, index: int) -> Item:
    if len(raw) > CALL_LIMIT:
        raise Refusal("too_large", f"An item may have {CALL_LIMIT // 1024} KB.", "batch")
    refuse_flaw(raw)
    try:
        fields = OBJECT.decode(raw)
    except msgspec.ValidationError:
        raise Refusal("invalid_value", "An item has to be a JSON object.", "batch") from None
    kind = text_of(fields, "type") or ""
    if kind not in KINDS:
        raise Refusal("invalid_value", f"The type has to be one of {', '.join(KINDS)}.", "type")
    return _item(kind, fields, shared, index)


def _item(kind: str, fields: Fields, shared: Shared, index: int = 0, email: str | None = None) -> Item:
    user_id, anonymous_id = id_of(fields, "userId"), id_of(fields, "anonymousId")
    if kind == "alias" and user_id is None:
        raise Refusal("missing_field", "An alias needs the userId that is to stay.", "userId")
    if user_id is None and anonymous_id is None and email is None:
        raise Refusal("missing_field", "A call needs a userId or an anonymousId.", "userId")
    name = _name(kind, fields)
    words = object_of(fields, WORDS_FIELDS.get(kind, ""))
    context = object_of(fields, "context")
    if shared.context:
        context = msgspec.json.encode(shared.context | OBJECT.decode(context))
    device = OBJECT.decode(context)
    said: Fields = {}
    if kind == "identify":
        known = object_of(device, "traits")
        said = OBJECT.decode(known) | OBJECT.decode(words)
        words = words if "traits" in fields else known
    message_id = id_of(fields, "messageId")
    return Item(
        type=kind,
        message_id=message_id or str(uuid.uuid4()),
        timestamp=_timestamp(fields, shared),
        user_id=user_id,
        anonymous_id=anonymous_id,
        email=email,
        previous_id=name if kind == "alias" else None,
        name=name,
        properties=words,
        context=context,
        extra=_extra(kind, fields),
        traits=said,
        time_zone=traits.zone(text_or_nothing(device, "timezone")),
        language=traits.language(text_or_nothing(device, "locale")),
        active="active" not in device or bytes(device["active"]) != b"false",
        pending=_is_meant_for_us(fields, shared),
        repeatable=message_id is not None,
        index=index,
    )


def _name(kind: str, fields: Fields) -> str:
    if kind == "identify":
        return ""
    name_field = NAME_FIELDS[kind]
    name = id_of(fields, name_field) if kind in ("group", "alias") else text_of(fields, name_field)
    if not name and kind in ("page", "screen"):
        name = text_of(fields, "category")
    if kind in NAMED and not (name and name.strip()):
        raise Refusal("missing_field", f"The {kind} call needs its {name_field}.", name_field)
    return name or ""


def _shared(fields: Fields, name: str) -> Fields:
    """Return the fields of an object that holds for the whole batch; anything but an object says nothing."""
    raw = bytes(fields.get(name, b""))
    if raw[:1] != b"{":
        return {}
    if len(raw) > SHARED_LIMIT:
        raise Refusal("too_large", f"The {name} of a batch may have {SHARED_LIMIT // 1024} KB.", name)
    if flaw := raw_json.flaw(raw):
        raise Refusal("invalid_value", f"The {name} {flaw}.", name)
    return OBJECT.decode(raw)


def _extra(kind: str, fields: Fields) -> bytes:
    """Keep what the call said beside what we read, so that nothing is lost."""
    extra = {name: raw for name, raw in fields.items() if name not in READ[kind] and bytes(raw) not in (b"null", b"{}")}
    return msgspec.json.encode(extra) if extra else b"{}"


def _timestamp(fields: Fields, shared: Shared) -> datetime:
    """Return when it happened by our clock: the sender's error shows in when it says it has sent the call.

    Source: https://segment.com/docs/connections/spec/common/#timestamps
    """
    name = "timestamp" if text_of(fields, "timestamp") else "originalTimestamp"
    given = text_of(fields, name)
    if not given:
        return shared.received_at
    try:
        at = _parse_time(given)
    except ValueError:
        raise Refusal("invalid_value", f"{name} has to be an ISO 8601 date and time.", name) from None
    sent_at = None if shared.forwarded else _time_or_none(fields.get("sentAt")) or shared.sent_at
    try:
        return at + _clock_error(at, sent_at, shared.received_at) if sent_at else at
    except OverflowError:
        return at


def _clock_error(at: datetime, sent_at: datetime, received_at: datetime) -> timedelta:
    """Return how much the sender's clock is behind; nothing where ``sentAt`` cannot be what it says.

    A clock may be years off and still measure how long ago something was. But an event that by the same clock happened
    after it was sent, or long before, tells of a constant or a replay.
    """
    error = received_at - sent_at
    believable = abs(error) <= CREDIBLE_ERROR or -CREDIBLE_ERROR <= sent_at - at <= CREDIBLE_WAIT
    return error if believable else timedelta()


def _time_or_none(raw: Raw | None) -> datetime | None:
    """Read a sentAt; one that cannot be read corrects nothing."""
    if raw is None or bytes(raw)[:1] != b'"':
        return None
    try:
        return _parse_time(STRING.decode(raw))
    except ValueError:
        return None


def _parse_time(text: str) -> datetime:
    """Read an ISO 8601 time; without a zone it is UTC. Raises ValueError."""
    try:
        at = datetime.fromisoformat(text.strip().upper())
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except OverflowError as error:
        raise ValueError(str(error)) from None


def _is_meant_for_us(fields: Fields, shared: Shared) -> bool:
    """Read ``integrations``: campaigns see a call unless everything, or we by name, is switched off."""
    chosen = shared.integrations | OBJECT.decode(object_of(fields, "integrations"))
    others = b"true" if shared.forwarded else chosen.get("All", b"true")
    return bytes(chosen.get(DESTINATION, others)) != b"false"
