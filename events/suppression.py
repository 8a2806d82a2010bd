"""Ids whose calls are ignored: kept as digests, put on the list and taken off it, and recognised in what comes in.

Whom a call is about decides: one about a suppressed user, or from a suppressed visitor, is ignored; a suppressed
visitor's id beside another user's id is only left out, because devices change hands.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Collection, Iterable
from urllib.parse import unquote_plus

import msgspec
from django.db import connection

from events.models import InboundRequest, SuppressedId
from events.pseudonyms import DIGEST, digest, pads

ADD = """
INSERT INTO events_suppressedid (digest, together) SELECT * FROM unnest(%s::bytea[], %s::uuid[]) ORDER BY 1
ON CONFLICT (digest) DO NOTHING
"""

_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')
_NUMBER = re.compile(r"-?\d+")
_PART = re.compile(r"[/?&=]")
UNSTORABLE = re.compile("[\\0\\ud800-\\udfff]")

AMONG = f"""
SELECT id FROM jsonb_array_elements_text(%(ids)s) AS id
JOIN events_suppressedid s ON s.digest = {DIGEST.format("id")}
"""


def add(people: Iterable[Collection[str]]) -> None:
    """Ignore calls of these people, each given by all their ids, from the commit on. One statement.

    An id that is given for several belongs to the first.
    """
    rows: dict[bytes, uuid.UUID] = {}
    for ids in people:
        together = uuid.uuid4()
        for value in _spellings(ids):
            rows.setdefault(digest(value), together)
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(ADD, [list(rows), list(rows.values())])


def lift(ids: Collection[str]) -> int:
    """Hear these ids again, and the other ids of the same people. Returns how many were on the list."""
    named = SuppressedId.objects.filter(digest__in=[digest(value) for value in _spellings(ids)]).values("together")
    count, _ = SuppressedId.objects.filter(together__in=list(named.values_list("together", flat=True))).delete()
    return count


def _spellings(ids: Iterable[str]) -> set[str]:
    """Return the ids, and emails also as they are looked up: in small letters."""
    return {spelling for value in ids for spelling in ((value, value.lower()) if "@" in value else (value,))}


def concerns(request: InboundRequest) -> bool:
    """Say whether a call as it came in names anybody suppressed, by any text or number in it. One statement or two."""
    if not SuppressedId.objects.exists():
        return False
    return bool(among(_words(request)))


def is_listed(value: str) -> bool:
    """Say whether calls about this id are ignored. One statement."""
    return bool(among(_spellings([value])))


def among(ids: Iterable[str]) -> set[str]:
    """Return those of ``ids`` that are suppressed. One statement, and quick when nobody is."""
    asked = sorted({value for value in ids if _can_be_kept(value)})
    with connection.cursor() as cursor:
        cursor.execute(AMONG, {"ids": msgspec.json.encode(asked).decode(), **pads()})
        return {value for (value,) in cursor.fetchall()}


def _can_be_kept(value: str) -> bool:
    """Say whether a database takes a text: no NUL, and no half of a character (a lone surrogate)."""
    return UNSTORABLE.search(value) is None


def _words(request: InboundRequest) -> set[str]:
    """Return every text and number of a call's body, which need not be good JSON, and every part of its address."""
    words = {_unescaped(found[0]) for found in _TEXT.finditer(request.body)} | set(_NUMBER.findall(request.body))
    return words | {unquote_plus(part) for part in _PART.split(request.path)}


def _unescaped(text: str) -> str:
    try:
        value: str = json.loads(text)
    except ValueError:
        return text.strip('"')
    return value
