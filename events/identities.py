"""Lead ids of all kinds to profiles, make missing people, merge those who prove to be one.

``events.identifying`` decides; ``resolve`` looks up, asks it, and writes what it decided.

Locks, always in this order, so that concurrent requests never wait for each other in a circle: message ids
(``events.ingest``), new identities by kind and value, profiles by id. Whoever merges or renames people holds all
profiles of the request exclusively; everybody else a shared lock, taken by ``log.write``. What two requests decided
at the same time shows as ``Collision``: the later one starts anew and sees what the first has done.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import msgspec
from django.db import connection

from events import merging, pseudonyms
from events.identifying import ANONYMOUS, EMAIL, USER, Call, Key, Person, Plan, address_of, email_key, plan

CallT = TypeVar("CallT", bound=Call)


class Collision(Exception):
    """Raised when another request has just changed the same people: roll back and start anew."""


def resolve(calls: Sequence[CallT], *, sandbox: bool = False) -> list[tuple[CallT, Person] | None]:
    """Return each call, as it is to be stored, with its person, who is stored; None for calls about suppressed people.

    With ``sandbox`` new people are of a sandbox. Raises Collision. One statement when everybody is known by an id; a
    fixed number more when people are new, merged, renamed, or known by a trait.
    """
    keys = _keys(calls)
    people: dict[int, Person] = {}
    known, suppressed = _look_up(keys, people)
    heard: Sequence[CallT | None] = calls
    if suppressed:
        heard = [_heard(call, suppressed) for call in calls]
        calls = [call for call in heard if call is not None]
        keys = _keys(calls)
    missing = [value for kind, value in keys if kind == USER and (kind, value) not in known]
    if missing:
        known |= _adopt(missing, people)
    emails = [value for kind, value in keys if kind == EMAIL and (kind, value) not in known]
    if emails:
        known |= _look_up_emails(emails, sandbox, people)
    names = {profile_id: person.user_id for profile_id, person in people.items()}
    result = plan(calls, known)
    _make(result, sandbox)
    if result.changes_people:
        _hold(names)
        _change(result)
    persons = iter(result.people)
    return [(call, next(persons).current()) if call is not None else None for call in heard]


def _keys(calls: Sequence[Call]) -> list[Key]:
    keys = {(USER, call.user_id) for call in calls if call.user_id}
    keys |= {(ANONYMOUS, call.anonymous_id) for call in calls if call.anonymous_id}
    keys |= {key for call in calls if call.email for key in (email_key(call.email), (USER, call.email))}
    keys |= {(kind, call.previous_id) for call in calls if call.previous_id for kind in (USER, ANONYMOUS)}
    return sorted(keys)


# Keys as JSON, times as numbers: the driver takes ten times as long for arrays of text and for datetimes.
# Suppressed ids come along with no profile: nobody is suppressed as a rule, and then it costs next to nothing.
LOOK_UP = f"""
WITH k AS MATERIALIZED (SELECT key->>0 AS kind, key->>1 AS value FROM jsonb_array_elements(%(keys)s) AS key)
SELECT i.kind, i.value, p.id, p.user_id, extract(epoch FROM p.last_seen_at)::float8, p.time_zone, p.language,
       CASE WHEN p.user_id IS NULL THEN
           coalesce((SELECT min(e.value) FROM events_identity e WHERE e.profile_id = p.id AND e.kind = 'email'), '')
       ELSE '' END
FROM k JOIN events_identity i ON i.kind = k.kind AND i.value = k.value
JOIN events_profile p ON p.id = i.profile_id
UNION ALL
SELECT k.kind, k.value, NULL, NULL, NULL, NULL, NULL, NULL
FROM k JOIN events_suppressedid s ON s.digest = {pseudonyms.DIGEST.format("k.value")}
"""

# A profile that was made by hand has a user id, but no identity yet.
ADOPT = """
WITH adopted AS (
    INSERT INTO events_identity (kind, value, profile_id)
    SELECT 'user', user_id, id FROM events_profile
    WHERE user_id = ANY(ARRAY(SELECT jsonb_array_elements_text(%s))) ORDER BY user_id
    ON CONFLICT DO NOTHING
    RETURNING kind, value, profile_id
)
SELECT a.kind, a.value, p.id, p.user_id, extract(epoch FROM p.last_seen_at)::float8, p.time_zone, p.language, ''
FROM adopted a JOIN events_profile p ON p.id = a.profile_id
"""

# Users only: what a visitor typed into some form proves nothing. Of several users the first.
LOOK_UP_EMAILS = """
SELECT DISTINCT ON (k.value) 'email', k.value, p.id, p.user_id, extract(epoch FROM p.last_seen_at)::float8,
       p.time_zone, p.language, ''
FROM jsonb_array_elements_text(%s) AS k(value)
JOIN events_profile p ON lower(p.email) = k.value AND p.user_id IS NOT NULL AND p.is_sandbox = %s
ORDER BY k.value, p.id
"""

NEW_IDS = "SELECT nextval(pg_get_serial_sequence('events_profile', 'id')) FROM generate_series(1, %s)"

# Before the profiles they lead to (the foreign key is checked at the commit): the identity's unique key decides which
# of two requests makes the person. In one order, so that the two do not wait for each other.
INSERT_IDENTITIES = """
INSERT INTO events_identity (kind, value, profile_id)
SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS i(kind, value, profile_id) ORDER BY kind, value
ON CONFLICT DO NOTHING
"""

INSERT_PROFILES = """
INSERT INTO events_profile (id, user_id, email, traits, is_sandbox, is_test)
SELECT new.id, new.user_id, new.email,
       CASE new.email WHEN '' THEN '{}' ELSE jsonb_build_object('email', new.email) END, %s, %s
FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS new(id, user_id, email)
ON CONFLICT DO NOTHING
"""

HOLD = "SELECT id, user_id FROM events_profile WHERE id = ANY(%s) ORDER BY id FOR UPDATE"

RENAME = """
UPDATE events_profile p SET user_id = n.user_id
FROM unnest(%s::bigint[], %s::text[]) AS n(id, user_id) WHERE p.id = n.id
"""

MOVE_IDENTITIES = """
UPDATE events_identity i SET profile_id = m.profile_id
FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS m(kind, value, profile_id)
WHERE i.kind = m.kind AND i.value = m.value
"""


def _look_up(keys: Sequence[Key], people: dict[int, Person]) -> tuple[dict[Key, Person], set[str]]:
    """Return the persons by key and the suppressed ids; collects the persons in ``people``. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(LOOK_UP, {"keys": msgspec.json.encode(keys).decode(), **pseudonyms.pads()})
        rows = cursor.fetchall()
    suppressed = {row[1] for row in rows if row[2] is None}
    return _persons([row for row in rows if row[1] not in suppressed], people), suppressed


def _adopt(user_ids: Sequence[str], people: dict[int, Person]) -> dict[Key, Person]:
    with connection.cursor() as cursor:
        cursor.execute(ADOPT, [msgspec.json.encode(user_ids).decode()])
        return _persons(cursor.fetchall(), people)


def _look_up_emails(emails: Sequence[str], sandbox: bool, people: dict[int, Person]) -> dict[Key, Person]:
    """Return the users whose trait each email is. One statement."""
    keys = {address_of(email): email for email in emails}
    with connection.cursor() as cursor:
        cursor.execute(LOOK_UP_EMAILS, [msgspec.json.encode(list(keys)).decode(), sandbox])
        rows = [(kind, keys[address], *columns) for kind, address, *columns in cursor.fetchall()]
    return _persons(rows, people)


def _persons(rows: Sequence[tuple[Any, ...]], people: dict[int, Person]) -> dict[Key, Person]:
    """Return the persons by key: keys of one profile share one Person."""
    return {
        (kind, value): people.setdefault(profile_id, Person(profile_id, *columns))
        for kind, value, profile_id, *columns in rows
    }


def _heard(call: CallT, suppressed: set[str]) -> CallT | None:
    """Return the call as it may be heard; None when it is about somebody suppressed.

    A suppressed visitor's id or email beside somebody else's user id only goes from the call: both change hands.
    """
    if call.email and not suppressed.isdisjoint((call.email, email_key(call.email)[1])):
        if call.user_id is None:
            return None
        call = replace(call, email=None)  # type: ignore[type-var]  # calls are dataclasses
    if call.user_id in suppressed or call.previous_id in suppressed:
        return None
    if call.anonymous_id in suppressed:
        return replace(call, anonymous_id=None) if call.user_id else None  # type: ignore[type-var]
    return call


def _make(plan: Plan, sandbox: bool) -> None:
    """Store the new identities and profiles. Raises Collision when somebody else has stored one of them."""
    with connection.cursor() as cursor:
        if plan.created:
            cursor.execute(NEW_IDS, [len(plan.created)])
            for person, (profile_id,) in zip(plan.created, cursor.fetchall(), strict=True):
                person.profile_id = profile_id
        if plan.linked:
            cursor.execute(INSERT_IDENTITIES, _columns(plan.linked))
            _expect(len(plan.linked), cursor.rowcount)
        if plan.created:
            rows = [(person.profile_id, person.user_id, address_of(person.email)) for person in plan.created]
            columns = [list(column) for column in zip(*rows, strict=True)]
            cursor.execute(INSERT_PROFILES, [sandbox, sandbox, *columns])
            _expect(len(rows), cursor.rowcount)


def _hold(names: Mapping[int, str | None]) -> None:
    """Lock the request's profiles exclusively. Raises Collision when one is not what the plan was made for."""
    with connection.cursor() as cursor:
        cursor.execute(HOLD, [list(names)])
        if dict(cursor.fetchall()) != names:
            raise Collision


SHARE = "SELECT id FROM events_profile WHERE id = ANY(%s) ORDER BY id FOR KEY SHARE"


def share(profile_ids: Collection[int]) -> None:
    """Lock people against merging and erasing, as long as the caller's transaction takes. Raises Collision."""
    with connection.cursor() as cursor:
        cursor.execute(SHARE, [sorted(profile_ids)])
        _expect(len(profile_ids), len(cursor.fetchall()))


def _change(plan: Plan) -> None:
    """Merge, rename and move; the profiles are held."""
    pairs = [(loser.profile_id, winner.current().profile_id) for loser, winner in plan.merged]
    if pairs:
        merging.merge([(loser, winner) for loser, winner in pairs if loser is not None and winner is not None])
    with connection.cursor() as cursor:
        if plan.renamed:
            cursor.execute(RENAME, [list(plan.renamed), [person.user_id for person in plan.renamed.values()]])
        if plan.moved:
            cursor.execute(MOVE_IDENTITIES, _columns(plan.moved))


def _columns(links: Mapping[Key, Person]) -> list[list[str] | list[int | None]]:
    kinds, values = zip(*links, strict=True)
    return [list(kinds), list(values), [person.current().profile_id for person in links.values()]]


def _expect(wanted: int, stored: int) -> None:
    if stored != wanted:
        raise Collision
