"""JSON as bytes: make it fit to be stored without reading and writing every value anew.

Values travel from the request into the log as the bytes they came in, so numbers keep every digit. What PostgreSQL
or a reader of the log could not take is replaced or found here; nothing in this file knows what the JSON means.
All of it is linear in the length of the text, whatever the text is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

# Containers within containers. Readers in Python stop near 1,000, PostgreSQL at some thousands.
MAX_DEPTH = 200
# Longer numbers, and such as are beyond the range of a double, could be stored, but not compared or read back.
MAX_DIGITS = 400
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

# NUL and half a surrogate pair are legal escapes in JSON, and no text that a database can store.
_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(u0000|u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
# A text that never ends is taken to the end of the input: looking for its end again and again would be quadratic.
_STRING = rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)'
_STRUCTURE = re.compile(_STRING + rb"|([\[{])|([\]}])|(-?(?:NaN|Infinity)\b)", re.DOTALL)
_NUMBER = re.compile(_STRING + rb"|(-?\d[\d.]*(?:[eE][+-]?\d+)?)", re.DOTALL)
# Cheap to look for, and rare: an exponent of three digits, or two hundred digits in a row.
_LARGE = re.compile(rb"[\[:,]\s*+-?(?:[\d.]{200}|[\d.]++[eE][+-]?\d{3})")


def storable(text: bytes) -> bytes:
    """Return JSON whose NUL characters, lone surrogates and stray bytes have become U+FFFD."""
    try:
        text.decode()
    except UnicodeDecodeError:
        text = text.decode(errors="replace").encode()
    if _SUSPECT.search(text) is None:
        return text
    return _ESCAPE.sub(lambda escape: rb"\ufffd" if escape[1] else escape[0], text)


def mend(text: bytes) -> bytes:
    """Return ``text`` with null for NaN and Infinity, and for what is nested so deeply that no reader gets through.

    What was cut is still too deep for ``flaw``, which then finds it in the one item it belongs to.
    """
    kept, position, depth, cut_from = [], 0, 0, 0
    for token in _STRUCTURE.finditer(text):
        opening, closing, not_a_number = token.groups()
        if opening:
            depth += 1
            if depth == MAX_DEPTH + 10:
                cut_from = token.start()
        elif closing:
            depth -= 1
            if depth == MAX_DEPTH + 9:
                kept += [text[position:cut_from], b"null"]
                position = token.end()
        elif not_a_number and depth < MAX_DEPTH + 10:
            kept += [text[position : token.start()], b"null"]
            position = token.end()
    kept.append(text[position:])
    return b"".join(kept)


def flaw(text: bytes) -> str | None:
    """Say what makes a piece of JSON impossible to keep exactly; None when nothing does."""
    if text.count(b"[") + text.count(b"{") > MAX_DEPTH and max(_depths(text)) > MAX_DEPTH:
        return f"is nested more than {MAX_DEPTH} levels deep"
    if _LARGE.search(text) and any(map(_is_beyond, _NUMBER.finditer(text))):
        return "holds a number that is too large or too long"
    return None


def _depths(text: bytes) -> Iterator[int]:
    depth = 0
    for token in _STRUCTURE.finditer(text):
        depth += bool(token[1]) - bool(token[2])
        yield depth


def _is_beyond(token: re.Match[bytes]) -> bool:
    number: bytes | None = token[1]
    if number is None:
        return False
    if len(number) > MAX_DIGITS:
        return True
    value = float(number)
    return math.isinf(value) or (value == 0 and number.strip(b"-0.") != b"")
