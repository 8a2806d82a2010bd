"""Make items for the log of Customer.io's calls: attributes become an identify, events a track, page or screen."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import msgspec
from msgspec import Raw

from events.api.customerio.identifiers import Who, is_email
from events.api.fields import OBJECT, STRING, Fields, id_of, object_of, text_of
from events.api.refusal import Refusal
from events.ingest import Item
from events.models import Event

# What Customer.io calls an event, and we.
TYPES = {"event": Event.Type.TRACK, "page": Event.Type.PAGE, "screen": Event.Type.SCREEN}
# Attributes that say something about the call, or about ids, and nothing about the person.
ABOUT_THE_CALL = ("_update", "_timestamp", "anonymous_id", "cio_relationships")
LAST_SECOND = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()
EMPTY, NULL = b'""', Raw(b"null")


@dataclass(frozen=True, slots=True)
class Call:
    """An item whose person is still to be looked up when it is named by an id of ours.

    With ``only_known`` it is passed over when nobody is known by that. ``words`` is the field of the call that the
    item's properties lie in; "" when they are the call itself.
    """

    who: Who
    item: Item
    only_known: bool = False
    words: str = ""

    @property
    def people(self) -> tuple[Who, ...]:
        return (self.who,)

    def named(self, names: Mapping[str, Who]) -> Call:
        return self.about(self.who.named(names)) if self.who.own_id else self

    def refused(self, refusal: Refusal) -> Refusal:
        """Return why the tracking plan does not let the item in, in the words of this API."""
        place = refusal.field.partition(".")[2]
        return Refusal(refusal.code, refusal.message, ".".join(filter(None, (self.words, place))) or "name")

    def about(self, who: Who) -> Call:
        """Return the call about ``who``: ids that it brings along stay."""
        item = replace(
            self.item,
            user_id=who.user_id or self.item.user_id,
            email=who.email or self.item.email,
            anonymous_id=who.anonymous_id or self.item.anonymous_id,
        )
        return replace(self, who=who, item=item)


def identify(who: Who, attributes: Fields, at: datetime | None, received_at: datetime, words: str = "") -> Call:
    """Make an identify of attributes; null and an empty text take one away. Raises Refusal."""
    said = {name: value for name, value in attributes.items() if name not in ABOUT_THE_CALL}
    user_id = id_of(attributes, "id")
    if user_id and who.user_id and user_id != who.user_id:
        raise Refusal("invalid_value", f"This person is {who.user_id}: another id needs a merge.", "id")
    if user_id:
        del said["id"]
    call = Call(
        who,
        Item(
            type=Event.Type.IDENTIFY,
            message_id=str(uuid.uuid4()),
            timestamp=at or unix_time(attributes, "_timestamp") or received_at,
            user_id=user_id,
            email=_address(attributes) if who.user_id or user_id else None,
            anonymous_id=id_of(attributes, "anonymous_id"),
            properties=msgspec.json.encode(said),
            extra=_rest(attributes, said),
            traits=null_for_empty(said),
            repeatable=False,
        ),
        only_known=bytes(attributes.get("_update", NULL)) == b"true",
        words=words,
    )
    return call.about(who)


def _address(attributes: Fields) -> str | None:
    """Return the email that comes with a user id, by which the user may have been known before."""
    raw = bytes(attributes.get("email", NULL))
    email = STRING.decode(raw).strip() if raw[:1] == b'"' else ""
    return email if is_email(email) else None


def event(who: Who, kind: str, fields: Fields, words: str, received_at: datetime, read: Collection[str] = ()) -> Call:
    """Make an event of a call whose properties lie in the field ``words``; ``read`` are fields read elsewhere.

    Raises Refusal.
    """
    name = (text_of(fields, "name") or "").strip()
    if not name:
        raise Refusal("missing_field", "name cannot be blank", "name")
    message_id = id_of(fields, "id")
    known = {"name", "timestamp", "id", words, *read}
    item = Item(
        type=TYPES[kind],
        message_id=message_id or str(uuid.uuid4()),
        timestamp=unix_time(fields, "timestamp") or received_at,
        name=name,
        properties=object_of(fields, words),
        extra=_rest(fields, known),
        repeatable=message_id is not None,
    )
    return Call(who, item, words=words).about(who)


def event_type(fields: Fields) -> str:
    """Return whether it is an event, a page or a screen. Raises Refusal."""
    kind = text_of(fields, "type") or "event"
    if kind not in TYPES:
        raise Refusal("invalid_value", f"The type has to be one of {', '.join(TYPES)}.", "type")
    return kind


def unix_time(fields: Fields, name: str) -> datetime | None:
    """Return a time given in Unix seconds, as a number or a text; None when there is none. Raises Refusal."""
    raw = bytes(fields.get(name, NULL))
    if raw in (b"null", EMPTY):
        return None
    try:
        seconds = float(STRING.decode(raw) if raw[:1] == b'"' else raw)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= LAST_SECOND:
        raise Refusal("invalid_value", f"{name} has to be in Unix seconds, such as 1767323045.", name)
    return datetime.fromtimestamp(seconds, UTC)


def attributes_of(fields: Fields, name: str) -> Fields:
    return OBJECT.decode(object_of(fields, name))


def null_for_empty(attributes: Mapping[str, Raw]) -> dict[str, Raw]:
    """Return the attributes with null, which takes one away, for the empty text, which does so for Customer.io."""
    return {name: NULL if bytes(value) == EMPTY else value for name, value in attributes.items()}


def _rest(fields: Fields, known: Collection[str]) -> bytes:
    """Keep what the call said beside what was read, so that nothing is lost."""
    rest = {name: raw for name, raw in fields.items() if name not in known and bytes(raw) not in (b"null", b"{}")}
    return msgspec.json.encode(rest)
