"""The two lists that keep mail away: addresses not to be written to, and people who want no marketing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from django.db import connection

from events.pseudonyms import digest
from events.raw_json import storable

# No address begins like this.
DISGUISED = "#"

# In a fixed order, so that two reports about the same people never wait for each other in a circle.
SUPPRESS = """
INSERT INTO messaging_suppression (channel, address, cause, detail, message_id)
SELECT DISTINCT ON (address) 'email', address, cause, detail, message_id
FROM jsonb_to_recordset(%s::jsonb) AS r(address text, cause text, detail text, message_id bigint)
ORDER BY address
ON CONFLICT (channel, address) DO NOTHING
"""
UNSUBSCRIBE = """
INSERT INTO messaging_unsubscription (profile_id, method, message_id)
SELECT DISTINCT ON (profile_id) profile_id, method, message_id
FROM jsonb_to_recordset(%s::jsonb) AS r(profile_id bigint, method text, message_id bigint)
ORDER BY profile_id
ON CONFLICT (profile_id) DO NOTHING
RETURNING profile_id
"""


def disguise(address: str) -> str:
    """Return how an erased person's address stands on the list: recognised again, told to nobody."""
    return DISGUISED + digest(address.strip().lower()).hex()


def forms(address: str) -> tuple[str, str]:
    """Return the two forms in which an address may stand on the list."""
    return address.strip().lower(), disguise(address)


@dataclass(frozen=True, slots=True)
class Struck:
    """An address that goes on the suppression list. ``cause`` is one of ``Suppression.Cause``."""

    address: str
    cause: str
    detail: str = ""
    message_id: int | None = None


@dataclass(frozen=True, slots=True)
class Left:
    """A person who leaves. ``method`` is one of the choices of ``Unsubscription.method``."""

    profile_id: int
    method: str
    message_id: int | None = None


def suppress(entries: Sequence[Struck]) -> None:
    """Put addresses on the list; those already there keep their first cause. One statement."""
    rows = [{**asdict(entry), "address": entry.address.strip().lower()} for entry in entries]
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(SUPPRESS, [storable(json.dumps(rows).encode()).decode()])


def unsubscribe(entries: Sequence[Left]) -> set[int]:
    """Note who left; return the ids of those who had not before. One statement."""
    if not entries:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(UNSUBSCRIBE, [json.dumps([asdict(entry) for entry in entries])])
        return {row[0] for row in cursor.fetchall()}
