"""Read the fields of JSON objects, one by one: what is wrong is refused under its field's name."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from events import raw_json, sandbox
from events.api.refusal import Refusal

Fields = dict[str, Raw]
# Longer texts do not fit into the indexes that ids and names are found by.
MAX_TEXT = 512
# How deep it is looked for what is wrong.
MAX_NAMES = 5
# What programs write where they know no id, as blanks are: all of whom nothing is known would be one person, and of
# all their calls only the first would count.
NO_IDS = frozenset(("undefined", "null", "NaN", "None", "[object Object]"))

OBJECT = msgspec.json.Decoder(Fields)
STRING = msgspec.json.Decoder(str)


def read_object(body: bytes) -> Fields:
    """Return the fields of a JSON object, unread. Raises Refusal."""
    try:
        return OBJECT.decode(body)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        return OBJECT.decode(raw_json.mend(body))
    except msgspec.ValidationError:
        raise Refusal("invalid_value", "The body has to be a JSON object.", "body") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise Refusal("invalid_json", f"The body is not JSON: {error}.", "body") from None


def refuse_flaw(raw: bytes) -> None:
    """Refuse a call that cannot be kept exactly, under the place of what is wrong where that is within objects."""
    if flaw := raw_json.flaw(raw):
        place = _place_of_flaw(raw)
        raise Refusal("invalid_value", f"The call {flaw}{f', in {place}' if place else ''}.", place or "body")


def _place_of_flaw(raw: bytes) -> str:
    """Return the names that lead to a flaw, joined by dots; as many as are easily found."""
    names: list[str] = []
    while len(names) < MAX_NAMES and raw[:1] == b"{":
        try:
            fields = OBJECT.decode(raw)
        except (msgspec.DecodeError, RecursionError):
            break
        # As it stands in the object: large numbers are looked for behind a colon.
        name = next((name for name, value in fields.items() if raw_json.flaw(b":" + bytes(value))), None)
        if name is None or len(name) > MAX_TEXT:
            break
        names.append(name)
        raw = bytes(fields[name])
    return ".".join(names)


def id_of(fields: Fields, name: str) -> str | None:
    """Return an id as text; None for null, for nothing and for what only looks like an id."""
    raw = bytes(fields.get(name, b"null"))
    if raw[:1] in b"-0123456789":
        return _short(raw.decode(), name)
    value = text_of(fields, name)
    if value and raw_json.REPLACEMENT in value:
        # Two different broken ids would look the same.
        raise Refusal("invalid_value", f"{name} holds a character that cannot be stored.", name)
    if value and sandbox.is_own(value):
        raise Refusal("invalid_value", f"{name} may not begin with {sandbox.PREFIX}, which marks sandboxes.", name)
    return None if not value or value.isspace() or value in NO_IDS else value


def text_of(fields: Fields, name: str) -> str | None:
    raw = bytes(fields.get(name, b"null"))
    if raw == b"null":
        return None
    if raw[:1] != b'"':
        raise Refusal("invalid_value", f"{name} has to be a text.", name)
    return _short(STRING.decode(raw), name)


def _short(text: str, name: str) -> str:
    if len(text) > MAX_TEXT:
        raise Refusal("invalid_value", f"{name} may have {MAX_TEXT} characters.", name)
    return text


def object_of(fields: Fields, name: str) -> bytes:
    raw = bytes(fields.get(name, b"null"))
    if raw == b"null":
        return b"{}"
    if raw[:1] != b"{":
        raise Refusal("invalid_value", f"{name} has to be an object.", name)
    return raw


def text_or_nothing(device: Fields, name: str) -> str:
    raw = bytes(device.get(name, b""))
    return STRING.decode(raw) if raw[:1] == b'"' else ""
