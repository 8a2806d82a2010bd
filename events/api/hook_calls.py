"""Make a hook's payloads into checked calls: by the source's mapping, or as they are when Segment sent them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

import msgspec
from msgspec import Raw

from events import mapping, raw_json
from events.api import parsing
from events.api.fields import read_object
from events.api.parsing import Shared
from events.api.refusal import Refusal
from events.expressions import Payload
from events.ingest import Item
from events.mapping import Rule
from events.models import Source

# Segment's Webhooks destination sends up to so many at once.
MAX_PAYLOADS = 4000
FORM = "application/x-www-form-urlencoded"

_LIST = msgspec.json.Decoder(list[Raw])


@dataclass(slots=True)
class Calls:
    """What can be stored, by payload what cannot, and how many rules passed a payload over."""

    items: list[Item] = field(default_factory=list)
    rejected: list[tuple[int, Refusal]] = field(default_factory=list)
    passed_over: int = 0


@dataclass(frozen=True, slots=True)
class Made:
    """What one rule made of one payload: a checked call, why it cannot be taken, or nothing at all."""

    call: bytes | None = None
    item: Item | None = None
    refusal: Refusal | None = None


def payloads(body: bytes, content_type: str) -> list[Raw]:
    """Return the JSON objects of a body: one, a list of them, or the fields of a form. Raises Refusal."""
    start = body.lstrip()[:1]
    if start not in (b"{", b"[") and content_type.partition(";")[0].strip().lower() == FORM:
        return [Raw(raw_json.storable(_form(body)))]
    if start != b"[":
        fields = read_object(body)
        return [Raw(msgspec.json.encode(fields))]
    try:
        return _LIST.decode(body)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        return _LIST.decode(raw_json.mend(body))
    except (msgspec.DecodeError, RecursionError) as error:
        raise Refusal("invalid_json", f"The body is not JSON: {error}.", "body") from None


def of_source(source: Source, raws: Sequence[Raw], headers: Mapping[str, str], received_at: datetime) -> Calls:
    """Return the calls of a hook's payloads. Raises Refusal for a mapping that cannot be used."""
    if source.kind == Source.Kind.SEGMENT:
        batch = parsing.parse_items(raws, Shared(received_at, forwarded=True), MAX_PAYLOADS)
        return Calls(batch.items, batch.rejected)
    try:
        rules = mapping.parse(source.mapping)
    except mapping.MappingError as error:
        first = error.problems[0]
        raise Refusal("unusable_mapping", f"This hook's mapping needs mending. {first.message}", first.path) from None
    return mapped(rules, raws, headers, received_at)


def mapped(rules: list[Rule], raws: Sequence[Raw], headers: Mapping[str, str], received_at: datetime) -> Calls:
    """Apply a mapping to payloads, and check what comes out like any other call."""
    calls = Calls()
    for index, raw in enumerate(raws):
        try:
            if index >= MAX_PAYLOADS:
                raise Refusal("too_many", f"A request may have {MAX_PAYLOADS:,} payloads.", "body")
            made = tried(rules, raw, headers, received_at)
        except Refusal as refusal:
            calls.rejected.append((index, refusal))
            continue
        calls.items += [replace(one.item, index=index) for one in made if one.item]
        calls.rejected += [(index, one.refusal) for one in made if one.refusal]
        calls.passed_over += sum(one.call is None and one.refusal is None for one in made)
    return calls


def tried(rules: list[Rule], raw: Raw, headers: Mapping[str, str], received_at: datetime) -> list[Made]:
    """Say what each rule makes of one payload. Stores nothing. Raises Refusal for what is no payload."""
    payload = Payload(_object(bytes(raw)), headers)
    return [_checked(outcome, received_at) for outcome in mapping.apply(rules, payload)]


def _object(raw: bytes) -> bytes:
    if raw[:1] != b"{":
        raise Refusal("invalid_value", "A payload has to be a JSON object.", "body")
    if flaw := raw_json.flaw(raw):
        raise Refusal("invalid_value", f"The payload {flaw}.", "body")
    return raw


def _checked(outcome: mapping.Outcome, received_at: datetime) -> Made:
    if outcome.problem:
        return Made(refusal=Refusal("unmapped", outcome.problem.message, outcome.problem.path))
    if outcome.call is None:
        return Made()
    checked = parsing.parse_items([Raw(outcome.call)], Shared(received_at))
    if checked.items:
        return Made(outcome.call, checked.items[0])
    return Made(outcome.call, refusal=_in_words_of_the_mapping(checked.rejected[0][1], outcome))


def _in_words_of_the_mapping(refusal: Refusal, outcome: mapping.Outcome) -> Refusal:
    """Name the place of the mapping where the checks name the field of a call."""
    if refusal.code == "too_large":
        advice = "Choose the fields that matter in the mapping, instead of everything."
        return Refusal(refusal.code, f"{refusal.message} {advice}", mapping.place(outcome.number, "everything"))
    return Refusal(refusal.code, refusal.message, mapping.place_of_field(outcome.number, refusal.field))


def _form(body: bytes) -> bytes:
    """Read a form's fields; one that comes several times is a list."""
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=1000)
    except ValueError as error:
        raise Refusal("invalid_form", f"The form cannot be read: {error}.", "body") from None
    plain: dict[str, Any] = {name: values[0] if len(values) == 1 else values for name, values in fields.items()}
    return msgspec.json.encode(plain)
