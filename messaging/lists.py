"""The two lists that keep mail away: addresses not to be written to, and people who want no marketing."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass

from django.db import connection

from events.pseudonyms import digest
from events.raw_json import storable

# No address begins like this.
DISGUISED = "#"

# In a fixed order, so that two reports about the same people never wait for each other in a circle.
SUPPRESS = """
INSERT INTO messaging_suppression (channel, address, cause, detail, message_id)
SELECT DISTINCT ON (channel, address) channel, address, cause, detail, message_id
FROM jsonb_to_recordset(%s::jsonb) AS r(channel text, address text, cause text, detail text, message_id bigint)
ORDER BY channel, address
ON CONFLICT (channel, address) DO NOTHING
RETURNING id
"""
# A row that was just inserted has no xmax.
UNSUBSCRIBE = """
INSERT INTO messaging_unsubscription AS u (profile_id, method, message_id)
SELECT DISTINCT ON (profile_id) profile_id, method, message_id
FROM jsonb_to_recordset(%s::jsonb) AS r(profile_id bigint, method text, message_id bigint)
ORDER BY profile_id
ON CONFLICT (profile_id) DO UPDATE SET method = excluded.method, message_id = excluded.message_id
WHERE u.method = 'application' AND excluded.method <> 'application'
RETURNING profile_id, xmax = 0
"""
TAKE_BACK = """
DELETE FROM messaging_unsubscription WHERE profile_id = ANY(%s) AND method = 'application' RETURNING profile_id
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
    channel: str = "email"


@dataclass(frozen=True, slots=True)
class Left:
    """A person who leaves. ``method`` is one of the choices of ``Unsubscription.method``."""

    profile_id: int
    method: str
    message_id: int | None = None


def suppress(entries: Sequence[Struck]) -> int:
    """Put addresses on the list; those already there keep their first cause. One statement.

    Returns how many are new.
    """
    rows = [{**asdict(entry), "address": entry.address.strip().lower()} for entry in entries]
    if not rows:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(SUPPRESS, [storable(json.dumps(rows).encode()).decode()])
        return len(cursor.fetchall())


def unsubscribe(entries: Sequence[Left]) -> set[int]:
    """Note who left; return the ids of those who had not before. One statement.

    What a person said themselves stands above what an application said for them.
    """
    if not entries:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(UNSUBSCRIBE, [json.dumps([asdict(entry) for entry in entries])])
        return {profile_id for profile_id, is_new in cursor.fetchall() if is_new}


def take_back(profile_ids: Collection[int]) -> set[int]:
    """Take off the list whom an application alone has put there; return who that was. One statement."""
    if not profile_ids:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(TAKE_BACK, [sorted(profile_ids)])
        return {profile_id for (profile_id,) in cursor.fetchall()}
