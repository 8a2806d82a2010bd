"""Make a call of the tracking API out of a row, so that a file is checked exactly as a request is. Pure.

A call is built as JSON and read by ``events.api.parsing``; what it refuses names the field. In a CSV each column has
a meaning: one of ``MEANINGS``, or a trait or property of a name.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from events import raw_json
from events.api import parsing
from events.api.body import CALL_LIMIT
from events.api.customerio.identifiers import is_email
from events.api.fields import read_object, text_or_nothing
from events.api.refusal import Refusal
from events.ingest import Item
from events.models import Event, Import
from events.transfers import reading

# What a column can be, beside a trait or property; the values are the fields of a call.
MEANINGS = {
    "user_id": "userId",
    "anonymous_id": "anonymousId",
    "email": "email",
    "any": "any",
    "event": "event",
    "type": "type",
    "timestamp": "timestamp",
    "message_id": "messageId",
}
IGNORE, WORD, TEXT = "ignore", "word", "text"
# Names under which files bring what a call needs, written small and without signs.
SYNONYMS = {
    "userid": "user_id",
    "id": "user_id",
    "externalid": "user_id",
    "customerid": "user_id",
    "anonymousid": "anonymous_id",
    "event": "event",
    "eventname": "event",
    "type": "type",
    "timestamp": "timestamp",
    "time": "timestamp",
    "occurredat": "timestamp",
    "messageid": "message_id",
}
# Where no column says who is meant by an id, the first of these does.
EMAILS = ("email", "emailaddress")
# In a file of people these say nothing about a call: they are traits like any other.
EVENTS_ONLY = {"event", "type", "timestamp", "message_id"}
WORDS = {Import.Kind.PROFILES: "traits", Import.Kind.EVENTS: "properties"}

_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d{1,15})?")
# Unix time, as files often have it.
_SECONDS = re.compile(r"\d{9,10}(?:\.\d+)?")
_MILLISECONDS = re.compile(r"\d{12,13}")
# Before the names of traits and properties that exports have columns of their own for.
PREFIXES = ("traits.", "properties.")
# What exports tell of people beside what they know.
TOLD = ("firstseenat", "lastseenat")
NULL = msgspec.Raw(b"null")
# Columns in brackets are left out unless somebody says what they mean: what no spreadsheet named, and our remarks.
UNNAMED = "(column {})"
REMARKS = ("(row)", "(at)", "(what is wrong)")
# Spreadsheets take these for formulas; exports write them behind an apostrophe.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Column:
    """What one column means: a key of ``MEANINGS``, IGNORE, WORD (values typed as they look) or TEXT, and a name."""

    meaning: str
    name: str = ""


def header(cells: Sequence[str]) -> list[str]:
    """Return the names of the columns; a spreadsheet's columns without one get their number. Raises RowError."""
    names = [name.strip() for name in cells]
    if not any(names):
        raise reading.RowError("The first line has to name the columns.")
    return [name or UNNAMED.format(number) for number, name in enumerate(names, 1)]


def guess(kind: str, header: Sequence[str]) -> dict[str, Column]:
    """Return what each column of a header most likely means; the first that fits a meaning gets it."""
    taken: set[str] = set()
    columns = {}
    for name in header:
        if name[:1] == "(" and name[-1:] == ")":
            columns[name] = Column(IGNORE)
            continue
        meaning = SYNONYMS.get(_plain(name), WORD)
        if kind == Import.Kind.PROFILES and _plain(name) in TOLD:
            meaning = IGNORE
        if (meaning in taken and meaning != IGNORE) or (kind == Import.Kind.PROFILES and meaning in EVENTS_ONLY):
            meaning = WORD
        taken.add(meaning)
        columns[name] = Column(meaning, _unprefixed(name) if meaning == WORD else "")
    emails = [name for name in header if _plain(name) in EMAILS]
    if emails and taken.isdisjoint(("user_id", "anonymous_id")):
        columns[emails[0]] = Column("email")
    return columns


def _plain(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())


def _unprefixed(name: str) -> str:
    prefix = next((prefix for prefix in PREFIXES if name.startswith(prefix)), "")
    return name.removeprefix(prefix) or name


def csv_call(kind: str, cells: Mapping[str, str], columns: Mapping[str, Column]) -> dict[str, Any]:
    """Return the call in a CSV row. Empty cells say nothing."""
    call: dict[str, Any] = {}
    words: dict[str, Any] = {}
    for column, text in cells.items():
        meant = columns.get(column, Column(IGNORE))
        text = text.strip()
        if not text or meant.meaning == IGNORE:
            continue
        if meant.meaning in MEANINGS:
            call[MEANINGS[meant.meaning]] = text
        else:
            words[meant.name or column] = typed(text) if meant.meaning == WORD else unquoted(text)
    return {**call, WORDS[Import.Kind(kind)]: words}


def typed(text: str) -> Any:
    """Return the value that a cell's text stands for; what only looks like a number, such as 007, stays text."""
    if _NUMBER.fullmatch(text):
        return msgspec.Raw(text.encode())
    if text in ("true", "false"):
        return text == "true"
    if text[0] in "[{":
        try:
            return msgspec.Raw(msgspec.json.format(text.encode(), indent=-1))
        except msgspec.DecodeError:
            return text
    return unquoted(text)


def unquoted(text: str) -> str:
    """Take away the apostrophe that keeps a spreadsheet from reading a formula."""
    return text[1:] if text[:1] == "'" and text[1:2] in FORMULA else text


def json_call(kind: str, line: str) -> dict[str, Any]:
    """Return the call in a line of NDJSON: a call of the tracking API, or an object of plain fields. Raises Refusal."""
    fields = read_object(raw_json.storable(line.encode()))
    words_field = WORDS[Import.Kind(kind)]
    if "type" in fields or words_field in fields:
        named = {_field(name): value for name, value in fields.items()}
        several = named.pop("anonymousIds", None)
        if several is not None and not _says(named.get("userId")):
            named["anonymousId"] = named.get("anonymousId") or _first(several)
        return named
    call: dict[str, Any] = {}
    words = {}
    for name, value in fields.items():
        meaning = SYNONYMS.get(_plain(name), "")
        if meaning and not (kind == Import.Kind.PROFILES and meaning in EVENTS_ONLY):
            call.setdefault(MEANINGS[meaning], value)
        else:
            words[name] = value
    if kind == Import.Kind.EVENTS and not (_says(call.get("userId")) or _says(call.get("anonymousId"))):
        call |= {"email": words.pop("email", None)}
    return {**call, words_field: words}


def _field(name: str) -> str:
    """Return a field by the name that calls have for it: ``user_id`` is ``userId``."""
    return MEANINGS.get(name, name)


def _says(value: Any) -> bool:
    """Say whether a field is there: neither missing nor null."""
    return value is not None and bytes(value) != b"null" if isinstance(value, msgspec.Raw) else bool(value)


def _first(several: msgspec.Raw) -> msgspec.Raw:
    """Return the first of the ids in a list of JSON; null for anything else."""
    try:
        return next(iter(msgspec.json.decode(several, type=list[msgspec.Raw])), NULL)
    except msgspec.DecodeError:
        return NULL


def item(upload: Import, number: int, call: dict[str, Any], now: datetime) -> Item:
    """Check a row's call and return it, ready to be stored. Raises Refusal."""
    kind = _kind(upload, call)
    call = _named_by_any(call)
    call = {**call, "timestamp": _time(call.get("timestamp"))}
    email = _email_alone(upload.kind, call)
    if "messageId" not in call:
        call["messageId"] = _message_id(upload, number, call)
    if not upload.triggers:
        call["integrations"] = {"All": False}
    if upload.kind == Import.Kind.PROFILES:
        # To be in a file is no sign of life.
        call["context"] = {"active": False}
    body = msgspec.json.encode(call)
    if len(body) > CALL_LIMIT:
        raise Refusal("too_large", f"A row may have {CALL_LIMIT // 1024} KB.")
    return parsing.parse_call(kind, body, now, email)


def _named_by_any(call: dict[str, Any]) -> dict[str, Any]:
    """Return the call with what names somebody by whatever there is as an email or a user id, as it looks."""
    name = call.pop("any", None)
    if not isinstance(name, str) or _says(call.get("userId")) or _says(call.get("anonymousId")):
        return call
    return {**call, "email" if is_email(name) else "userId": name}


def _email_alone(kind: str, call: dict[str, Any]) -> str | None:
    """Take out the email and return it when no id says who is meant; else it is what is known of them.

    Raises Refusal.
    """
    given, words = call.pop("email", None), msgspec.json.encode(call.get(WORDS[Import.Kind(kind)]) or {})
    fields = msgspec.json.decode(words, type=dict[str, msgspec.Raw]) if words[:1] == b"{" else {}
    if _says(call.get("userId")) or _says(call.get("anonymousId")):
        if _says(given):
            call[WORDS[Import.Kind(kind)]] = {**fields, "email": fields.get("email", given)}
        return None
    if not _says(given) and kind == Import.Kind.PROFILES:
        given = fields.get("email")
    if not _says(given):
        what = "The row does not say who it is about: it needs a user id, an anonymous id or an email."
        raise Refusal("missing_field", what, "userId")
    email = given if isinstance(given, str) else text_or_nothing({"email": given}, "email")
    if not is_email(email.strip()):
        raise Refusal("invalid_value", f"“{email[:100]}” is no email address.", "email")
    return email.strip()


def _kind(upload: Import, call: dict[str, Any]) -> str:
    if upload.kind == Import.Kind.PROFILES:
        return Event.Type.IDENTIFY
    given = call.pop("type", None)
    if given is None:
        return Event.Type.TRACK
    kind = msgspec.json.decode(given) if isinstance(given, msgspec.Raw) else given
    if kind not in parsing.KINDS:
        raise Refusal("invalid_value", f"The type has to be one of {', '.join(parsing.KINDS)}.", "type")
    return str(kind)


def _time(given: Any) -> Any:
    """Return a time as a call has it; files also count seconds or milliseconds since 1970."""
    text = bytes(given).decode().strip('"') if isinstance(given, msgspec.Raw) else str(given or "")
    if _SECONDS.fullmatch(text):
        return datetime.fromtimestamp(float(text), UTC).isoformat()
    if _MILLISECONDS.fullmatch(text):
        return datetime.fromtimestamp(int(text) / 1000, UTC).isoformat()
    return given


def _message_id(upload: Import, number: int, call: Mapping[str, Any]) -> str:
    """Make an id. The same event in another file, or twice in this one, gets the same: it counts once."""
    if upload.kind == Import.Kind.EVENTS and call.get("timestamp") is not None:
        digest = hashlib.sha256(msgspec.json.encode(call, order="deterministic")).hexdigest()
        return f"import-{digest[:40]}"
    return f"import-{upload.pk}-{number}"


def read(upload: Import, raw: reading.RawRow) -> dict[str, Any]:
    """Return the call in a row of the file. Raises RowError or Refusal."""
    if raw.error:
        raise reading.RowError(raw.error)
    if upload.format == Import.Format.NDJSON:
        return json_call(upload.kind, raw.text)
    layout = upload.columns
    cells = reading.record_object(raw.text, layout["header"], layout["delimiter"])
    return csv_call(upload.kind, cells, columns_of(layout))


def columns_of(layout: Mapping[str, Any]) -> dict[str, Column]:
    """Return what each column of an import means. Stored as a list, since JSON objects lose their order."""
    meanings = (Column(*meant) for meant in layout.get("meanings", ()))
    return dict(zip(layout.get("header", ()), meanings, strict=True))
