"""The companies, teams and deals that people belong to: objects with traits of their own, and who is in which.

``group`` calls make and describe both (``apply``, within the ingest's transaction); Customer.io's objects and
relationships come through the verbs below it. A group's traits merge, null forgets, as with people. A sandbox's groups
are kept apart like its people. A membership's ``updated_at`` is when it was last spoken of: of several groups of a type
the one with the newest is the person's present one.

Locks: after all profiles, groups by type and key. A group about which nothing new is said is only share-locked, so
that the calls of a company's many people do not wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import msgspec
from django.db import connection, transaction

from events import present, sandbox
from events.identifying import Person
from events.models import Event, Group, Membership
from events.segments import asking

Key = tuple[str, str]
# Why segments ask again about who belongs to a group.
CAUSE = "their group"
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
# What Customer.io numbers, in our words; other numbers are types as they are.
CUSTOMERIO_TYPES = {"1": Group.COMPANY}


@dataclass(frozen=True, slots=True)
class Described:
    """What a group call says where its properties are not just a company's traits; ``about_member`` of the person."""

    type: str
    traits: Mapping[str, Any]
    about_member: Mapping[str, Any]


class Call(Protocol):
    """What groups need of a call: of a group call the name is the group's id, the properties are its traits.

    ``group`` stands above the properties.
    """

    @property
    def type(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def properties(self) -> bytes: ...
    @property
    def timestamp(self) -> datetime: ...
    @property
    def group(self) -> Described | None: ...


class Parcel(Protocol):
    """What groups need of the request a call came in."""

    @property
    def received_at(self) -> datetime: ...


@dataclass(slots=True)
class News:
    """What is said about groups, and about who belongs to which."""

    groups: dict[Key, dict[str, Any]] = field(default_factory=dict)
    members: dict[tuple[int, Key], tuple[dict[str, Any], datetime]] = field(default_factory=dict)

    def describe(self, key: Key, traits: Mapping[str, Any]) -> None:
        self.groups.setdefault(key, {}).update(traits)

    def join(self, profile_id: int, key: Key, traits: Mapping[str, Any], at: datetime) -> None:
        known, last = self.members.get((profile_id, key), ({}, at))
        self.members[profile_id, key] = {**known, **traits}, max(last, at)


# The rows that stay as they are keep others from waiting; the rest is written in one order. Locking reads the newest
# row, so of two who describe a group at once the second merges into what the first has written.
SAVE = """
WITH said AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%(groups)s)
        AS s(type text, key text, traits jsonb, forgotten text[], is_sandbox boolean)
), known AS MATERIALIZED (
    SELECT g.id, g.type, g.key, g.traits FROM events_group g JOIN said USING (type, key)
    ORDER BY g.type, g.key FOR KEY SHARE OF g
), saved AS (
    INSERT INTO events_group AS g (type, key, traits, is_sandbox)
    SELECT s.type, s.key, s.traits - s.forgotten, s.is_sandbox FROM said s LEFT JOIN known k USING (type, key)
    WHERE k.id IS NULL OR (k.traits || s.traits) - s.forgotten <> k.traits
    ORDER BY s.type, s.key
    ON CONFLICT (type, key) DO UPDATE SET
        traits = (g.traits || excluded.traits)
                 - (SELECT s.forgotten FROM said s WHERE s.type = excluded.type AND s.key = excluded.key),
        updated_at = statement_timestamp()
    RETURNING id, type, key
), named AS (
    SELECT id, type, key FROM known UNION SELECT id, type, key FROM saved
)
INSERT INTO events_membership AS m (profile_id, group_id, traits, updated_at)
SELECT j.profile_id, named.id, j.traits, j.at
FROM jsonb_to_recordset(%(members)s) AS j(profile_id bigint, type text, key text, traits jsonb, at timestamptz)
JOIN named USING (type, key)
ORDER BY j.profile_id, named.id
ON CONFLICT (profile_id, group_id) DO UPDATE SET
    traits = m.traits || excluded.traits, updated_at = greatest(m.updated_at, excluded.updated_at)
WHERE m.traits || excluded.traits <> m.traits OR excluded.updated_at > m.updated_at AND EXISTS (
    SELECT FROM events_membership other JOIN events_group g ON g.id = other.group_id
    WHERE other.profile_id = m.profile_id AND other.group_id <> m.group_id AND other.updated_at >= m.updated_at
      AND g.type = (SELECT type FROM named WHERE named.id = excluded.group_id))
"""


def apply(arrivals: Iterable[tuple[Parcel, Call, Person]], *, is_sandbox: bool) -> None:
    """Write what group calls say of their groups and who belongs to them, in the caller's transaction.

    One statement; none when there is no group call. The people are stored and held.
    """
    news = News()
    for parcel, call, person in arrivals:
        if call.type == Event.Type.GROUP and person.profile_id is not None:
            said = call.group or Described(Group.COMPANY, _OBJECT.decode(call.properties), {})
            key = said.type, sandbox.own(call.name) if is_sandbox else call.name
            news.describe(key, said.traits)
            # Not later than now, whatever the sender's clock says.
            news.join(person.profile_id, key, said.about_member, min(call.timestamp, parcel.received_at))
    _write(news)


@transaction.atomic
def save_object(type_: str, key: str, traits: Mapping[str, Any]) -> None:
    """Make a group or add to what is known of it; null forgets a trait."""
    news = News()
    news.describe((type_, key), traits)
    save(news)


@transaction.atomic
def relate(profile_id: int, type_: str, key: str, traits: Mapping[str, Any]) -> None:
    """Let a person belong to a group, which is made when there is none.

    Raises IntegrityError, at the latest at the commit, when the person is gone.
    """
    news = News()
    news.describe((type_, key), {})
    news.join(profile_id, (type_, key), traits, present.now())
    save(news)


@transaction.atomic
def unrelate(profile_id: int, type_: str, key: str) -> bool:
    """Take a person out of a group; return whether they were in it."""
    deleted, _ = Membership.objects.filter(profile=profile_id, group__type=type_, group__key=key).delete()
    if deleted:
        asking.groups_changed([], [profile_id], CAUSE)
    return bool(deleted)


@transaction.atomic
def delete_object(type_: str, key: str) -> bool:
    """Delete a group and who belonged to it; return whether there was one."""
    found = Group.objects.select_for_update().filter(type=type_, key=key)
    members = list(Membership.objects.filter(group__in=found).values_list("profile_id", flat=True))
    deleted, _ = Group.objects.filter(type=type_, key=key).delete()
    if members:
        asking.groups_changed([], members, CAUSE)
    return bool(deleted)


def of_people(profile_ids: Iterable[int]) -> dict[int, list[Group]]:
    """Return the groups of each person, the present one first. One statement."""
    found: dict[int, list[Group]] = {}
    rows = Membership.objects.filter(profile__in=set(profile_ids)).select_related("group")
    for membership in rows.order_by("profile_id", "-updated_at", "-pk"):
        found.setdefault(membership.profile_id, []).append(membership.group)
    return found


def save(news: News) -> None:
    """Write what is said beside events, in the caller's transaction, which holds the people; segments follow it.

    Three statements; none for no news.
    """
    _write(news)
    if news.groups:
        asking.groups_changed(news.groups, {profile_id for profile_id, _ in news.members}, CAUSE)


def _write(news: News) -> None:
    if not news.groups:
        return
    parameters = {
        "groups": _encode([_group(key, traits) for key, traits in news.groups.items()]),
        "members": _encode([_member(who, said) for who, said in news.members.items()]),
    }
    with connection.cursor() as cursor:
        cursor.execute(SAVE, parameters)


def _group(key: Key, traits: Mapping[str, Any]) -> dict[str, object]:
    return {
        "type": key[0],
        "key": key[1],
        "traits": traits,
        "forgotten": [name for name, value in traits.items() if _is_null(value)],
        "is_sandbox": sandbox.is_own(key[1]),
    }


def _member(who: tuple[int, Key], said: tuple[Mapping[str, Any], datetime]) -> dict[str, object]:
    (profile_id, (type_, key)), (traits, at) = who, said
    return {"profile_id": profile_id, "type": type_, "key": key, "traits": traits, "at": at}


def _is_null(value: object) -> bool:
    return value is None or (isinstance(value, msgspec.Raw) and bytes(value) == b"null")


def _encode(rows: Sequence[object]) -> str:
    return msgspec.json.encode(rows).decode()
