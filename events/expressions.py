"""Expressions of a mapping: where in a payload a value is to be found. Pure.

::

    $.order.items[0].sku     a JSON path: the value as it stands there, with its type
    $.items[*].sku           of every item, as a list
    $.user_id or $.userId    the first that is there
    {{ payload.user.id }}    Liquid, with ``payload`` and ``headers``: a text
    Order Completed          anything else: the text itself

Values are looked up in bytes and stay bytes, so numbers keep every digit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Protocol

import msgspec
from msgspec import Raw

from events import liquid_engine

MAX_LENGTH = 2000
NULL = b"null"
# What says nothing, where something is needed.
NOTHING = (None, NULL, b'""')

_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_LIST = msgspec.json.Decoder(list[Raw])

_PATH = re.compile(r"\$(?=[.\[]|\s|\Z)")
_STEP = re.compile(
    r"""\.(?P<name>[^\s.\[\]'"*]+)|\[(?P<index>-?\d{1,6})\]|\[(?P<every>\*)\]"""
    r"""|\['(?P<single>[^']*)'\]|\["(?P<double>[^"]*)"\]"""
)
_OR = re.compile(r"\s+or\s+(?=\$)")

Steps = tuple[str | int | None, ...]


class ExpressionError(ValueError):
    """Raised for an expression that cannot be read, or fails on a payload; says what to do."""


class _Number(float):
    """A number that Liquid reckons with, and writes as it came: 10.50 stays 10.50."""

    def __new__(cls, text: str) -> _Number:
        number = super().__new__(cls, text)
        number.text = text
        return number

    text: str

    def __str__(self) -> str:
        return self.text


_VALUES = msgspec.json.Decoder(float_hook=_Number)


@dataclass
class Payload:
    """One JSON object of a request, and the request's headers (``x_shop_topic`` for ``X-Shop-Topic``)."""

    raw: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def fields(self) -> dict[str, Raw]:
        return _OBJECT.decode(self.raw)

    @cached_property
    def variables(self) -> dict[str, object]:
        return {"payload": _VALUES.decode(self.raw), "headers": self.headers}


class Expression(Protocol):
    """``find`` returns a value as JSON, None when there is none; ``used`` the payload's field that it was."""

    def find(self, payload: Payload) -> bytes | None: ...

    def used(self, payload: Payload) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Text:
    """A fixed text."""

    text: str

    def find(self, payload: Payload) -> bytes | None:
        return msgspec.json.encode(self.text)

    def used(self, payload: Payload) -> str | None:
        return None


@dataclass(frozen=True, slots=True)
class Paths:
    """JSON paths; the first that leads to something counts: neither null nor an empty text."""

    paths: tuple[Steps, ...]

    def find(self, payload: Payload) -> bytes | None:
        found = [_look_up(payload, steps) for steps in self.paths]
        there = [value for value in found if value is not None]
        return next((value for value in there if value not in NOTHING), there[0] if there else None)

    def used(self, payload: Payload) -> str | None:
        for steps in self.paths:
            if _look_up(payload, steps) not in NOTHING:
                return steps[0] if len(steps) == 1 and isinstance(steps[0], str) else None
        return None


@dataclass(frozen=True, slots=True)
class Liquid:
    """A piece of Liquid; what it writes, without blanks around it. Nothing written is nothing found."""

    source: str

    def find(self, payload: Payload) -> bytes | None:
        try:
            text = liquid_engine.run(self.source, payload.variables, {}, escape=False).strip()
        except liquid_engine.Fault as fault:
            raise ExpressionError(f"Liquid: {fault.message}.") from fault
        return msgspec.json.encode(text) if text else None

    def used(self, payload: Payload) -> str | None:
        return None


@lru_cache(maxsize=2000)
def parse(text: str) -> Expression:
    """Read an expression. Raises ExpressionError."""
    text = text.strip()
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"An expression may have {MAX_LENGTH:,} characters.")
    if "{{" in text or "{%" in text:
        return _liquid(text)
    return Paths(_paths(text)) if _PATH.match(text) else Text(text)


def _liquid(text: str) -> Liquid:
    try:
        liquid_engine.parse(text, False)
    except liquid_engine.Fault as fault:
        raise ExpressionError(f"This Liquid cannot be read: {fault.message}.") from fault
    return Liquid(text)


def _paths(text: str) -> tuple[Steps, ...]:
    paths: list[Steps] = []
    position = 0
    while True:
        if not (start := _PATH.match(text, position)):
            raise _unreadable(text, position)
        steps, position = _steps(text, start.end())
        paths.append(steps)
        if position == len(text):
            return tuple(paths)
        if not (separator := _OR.match(text, position)):
            raise _unreadable(text, position)
        position = separator.end()


def _steps(text: str, position: int) -> tuple[Steps, int]:
    steps: list[str | int | None] = []
    while found := _STEP.match(text, position):
        position = found.end()
        match found.lastgroup:
            case "every":
                steps.append(None)
            case "index":
                steps.append(int(found["index"]))
            case name:
                steps.append(found[name or 0])
    return tuple(steps), position


def _unreadable(text: str, position: int) -> ExpressionError:
    return ExpressionError(
        f"The path cannot be read from “{text[position : position + 20]}” on. Write it like $.order.items[0].sku, "
        "names with blanks or dots like $['first name'], and alternatives like $.user_id or $.userId."
    )


def _look_up(payload: Payload, steps: Steps) -> bytes | None:
    if not steps:
        return payload.raw
    if not isinstance(steps[0], str):
        return None
    found = payload.fields.get(steps[0])
    return None if found is None else _follow(bytes(found), steps[1:])


def _follow(raw: bytes, steps: Steps) -> bytes | None:
    for position, step in enumerate(steps):
        if raw[:1] != (b"{" if isinstance(step, str) else b"["):
            return None
        if step is None:
            below = (_follow(bytes(item), steps[position + 1 :]) for item in _LIST.decode(raw))
            return b"[" + b",".join(value for value in below if value is not None) + b"]"
        found = _member(raw, step)
        if found is None:
            return None
        raw = bytes(found)
    return raw


def _member(raw: bytes, step: str | int) -> Raw | None:
    if isinstance(step, str):
        return _OBJECT.decode(raw).get(step)
    items = _LIST.decode(raw)
    return items[step] if -len(items) <= step < len(items) else None


def as_text(raw: bytes | None) -> str | None:
    """Return a value as people write it: texts without quotes, everything else as JSON; None for null and nothing."""
    if raw is None or raw == NULL:
        return None
    value: Any = msgspec.json.decode(raw) if raw[:1] == b'"' else raw.decode()
    return str(value)


def is_plain(name: str) -> bool:
    """Say whether a field may stand in a path after a dot."""
    return _STEP.fullmatch(f".{name}") is not None
