"""Who is meant: lead user ids and anonymous ids to profiles, make missing people, merge those who prove to be one.

``plan`` decides, call by call and purely; ``resolve`` looks up, asks it, and writes what it decided.

Locks, always in this order, so that concurrent requests never wait for each other in a circle: message ids
(``events.ingest``), new identities by kind and value, profiles by id. Whoever merges or renames people holds all
profiles of the request exclusively; everybody else a shared lock, taken by ``log.write``. What two requests decided
at the same time shows as ``Collision``: the later one starts anew and sees what the first has done.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

import msgspec
from django.db import connection

from events import merging, pseudonyms
from events.models import Event, Identity

Key = tuple[str, str]
USER, ANONYMOUS = Identity.Kind.USER.value, Identity.Kind.ANONYMOUS.value


class Collision(Exception):
    """Raised when another request has just changed the same people: roll back and start anew."""


class Call(Protocol):
    """What identification needs of a call. At least one of the first two ids is there; an alias has all but that."""

    @property
    def type(self) -> str: ...
    @property
    def user_id(self) -> str | None: ...
    @property
    def anonymous_id(self) -> str | None: ...
    @property
    def previous_id(self) -> str | None: ...


CallT = TypeVar("CallT", bound=Call)


@dataclass(eq=False, slots=True)
class Person:
    """Somebody a request speaks of, as far as it was stored before it; ``last_seen`` in seconds since 1970.

    ``profile_id`` is None until they are stored; ``survivor`` is set by a merge.
    """

    profile_id: int | None = None
    user_id: str | None = None
    last_seen: float | None = None
    time_zone: str = ""
    language: str = ""
    survivor: Person | None = None

    def current(self) -> Person:
        person = self
        while person.survivor is not None:
            person = person.survivor
        return person


@dataclass(slots=True)
class Plan:
    """What has to be written before the calls' events can be. ``people`` answers the calls one by one."""

    index: dict[Key, Person]
    people: list[Person] = field(default_factory=list)
    linked: dict[Key, Person] = field(default_factory=dict)
    moved: dict[Key, Person] = field(default_factory=dict)
    created: list[Person] = field(default_factory=list)
    renamed: dict[int, Person] = field(default_factory=dict)
    merged: list[tuple[Person, Person]] = field(default_factory=list)

    @property
    def changes_people(self) -> bool:
        return bool(self.moved or self.renamed or self.merged)

    def find(self, kind: str, value: str) -> Person | None:
        person = self.index.get((kind, value))
        return person.current() if person else None

    def obtain(self, kind: str, value: str) -> Person:
        """Return the person of an id, a new one when nobody has it."""
        person = self.find(kind, value)
        if person is None:
            person = Person(user_id=value if kind == USER else None)
            self.created.append(person)
            self.link(kind, value, person)
        return person

    def link(self, kind: str, value: str, person: Person) -> None:
        self.index[kind, value] = self.linked[kind, value] = person

    def become(self, person: Person, user_id: str) -> Person:
        """Let ``person`` be the user ``user_id``: by name when nobody is yet, by a merge when somebody is."""
        user = self.find(USER, user_id)
        if user is None:
            self.link(USER, user_id, person)
            self._rename(person, user_id)
            return person
        if user is person:
            return user
        if person.profile_id is not None and user.profile_id is None:
            # The user has come up in this very request; the stored profile takes the name and nothing has to move.
            self._rename(person, user.user_id)
            self._absorb(user, person)
            return person
        self._absorb(person, user)
        return user

    def _rename(self, person: Person, user_id: str | None) -> None:
        person.user_id = user_id
        if person.profile_id is not None:
            self.renamed[person.profile_id] = person

    def _absorb(self, loser: Person, winner: Person) -> None:
        loser.survivor = winner
        if loser.profile_id is None:
            self.created.remove(loser)
        else:
            self.merged.append((loser, winner))
            self.renamed.pop(loser.profile_id, None)


def plan(calls: Sequence[Call], known: Mapping[Key, Person]) -> Plan:
    """Decide, in the order of the calls, who each is about and what that changes. Pure."""
    result = Plan(dict(known))
    for call in calls:
        result.people.append(_person_of(call, result))
    return result


def _person_of(call: Call, plan: Plan) -> Person:
    if call.type == Event.Type.ALIAS and call.previous_id and call.user_id:
        return _alias(call.previous_id, call.user_id, plan)
    if call.user_id is None:
        return plan.obtain(ANONYMOUS, call.anonymous_id or "")
    if call.type == Event.Type.IDENTIFY and call.anonymous_id:
        return _identify(call.user_id, call.anonymous_id, plan)
    return plan.obtain(USER, call.user_id)


def _identify(user_id: str, anonymous_id: str, plan: Plan) -> Person:
    """Let a visitor become the user. An anonymous id that is somebody else's already stays theirs."""
    visitor = plan.find(ANONYMOUS, anonymous_id)
    if visitor is None:
        user = plan.obtain(USER, user_id)
        plan.link(ANONYMOUS, anonymous_id, user)
        return user
    return plan.obtain(USER, user_id) if visitor.user_id is not None else plan.become(visitor, user_id)


def _alias(previous_id: str, user_id: str, plan: Plan) -> Person:
    """Let ``previous_id``, whether a user's or a visitor's, be ``user_id`` from now on.

    An anonymous id on which another user has logged in goes over alone: that user is not the one who is meant.
    """
    previous = plan.find(USER, previous_id)
    visitor = plan.find(ANONYMOUS, previous_id)
    user = plan.become(previous, user_id) if previous else plan.obtain(USER, user_id)
    if visitor is not None and visitor.user_id is None:
        user = plan.become(visitor, user_id)
    elif visitor is not None and visitor.current() is not user:
        plan.index[ANONYMOUS, previous_id] = plan.moved[ANONYMOUS, previous_id] = user
    if previous is None and visitor is None:
        # It may still turn up as either.
        plan.link(USER, previous_id, user)
        plan.link(ANONYMOUS, previous_id, user)
    return user


def resolve(calls: Sequence[CallT], *, sandbox: bool = False) -> list[tuple[CallT, Person]]:
    """Return the calls with their persons, all of them stored; calls about suppressed people are left out.

    With ``sandbox`` new people are of a sandbox. Raises Collision. One statement when everybody is known; a fixed
    number more when people are new, merged or renamed.
    """
    keys = _keys(calls)
    people: dict[int, Person] = {}
    known, suppressed = _look_up(keys, people)
    if suppressed:
        calls = _heard(calls, suppressed)
        keys = _keys(calls)
    missing = [value for kind, value in keys if kind == USER and (kind, value) not in known]
    if missing:
        known |= _adopt(missing, people)
    names = {profile_id: person.user_id for profile_id, person in people.items()}
    result = plan(calls, known)
    _make(result, sandbox)
    if result.changes_people:
        _hold(names)
        _change(result)
    return [(call, person.current()) for call, person in zip(calls, result.people, strict=True)]


def _keys(calls: Sequence[Call]) -> list[Key]:
    keys = {(USER, call.user_id) for call in calls if call.user_id}
    keys |= {(ANONYMOUS, call.anonymous_id) for call in calls if call.anonymous_id}
    keys |= {(kind, call.previous_id) for call in calls if call.previous_id for kind in (USER, ANONYMOUS)}
    return sorted(keys)


# Keys as JSON, times as numbers: the driver takes ten times as long for arrays of text and for datetimes.
# Suppressed ids come along with no profile: nobody is suppressed as a rule, and then it costs next to nothing.
LOOK_UP = f"""
WITH k AS MATERIALIZED (SELECT key->>0 AS kind, key->>1 AS value FROM jsonb_array_elements(%(keys)s) AS key)
SELECT i.kind, i.value, p.id, p.user_id, extract(epoch FROM p.last_seen_at)::float8, p.time_zone, p.language
FROM k JOIN events_identity i ON i.kind = k.kind AND i.value = k.value
JOIN events_profile p ON p.id = i.profile_id
UNION ALL
SELECT k.kind, k.value, NULL, NULL, NULL, NULL, NULL
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
SELECT a.kind, a.value, p.id, p.user_id, extract(epoch FROM p.last_seen_at)::float8, p.time_zone, p.language
FROM adopted a JOIN events_profile p ON p.id = a.profile_id
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
INSERT INTO events_profile (id, user_id, is_sandbox, is_test)
SELECT id, user_id, %s, %s FROM unnest(%s::bigint[], %s::text[]) AS new(id, user_id) ON CONFLICT DO NOTHING
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


def _persons(rows: Sequence[tuple[Any, ...]], people: dict[int, Person]) -> dict[Key, Person]:
    """Return the persons by key: keys of one profile share one Person."""
    return {
        (kind, value): people.setdefault(profile_id, Person(profile_id, *columns))
        for kind, value, profile_id, *columns in rows
    }


def _heard(calls: Sequence[CallT], suppressed: Collection[str]) -> list[CallT]:
    """Leave out calls about suppressed people.

    A suppressed visitor's id beside somebody else's user id only goes from the call: devices change hands.
    """
    heard = []
    for call in calls:
        if call.user_id in suppressed or call.previous_id in suppressed:
            continue
        if call.anonymous_id in suppressed:
            if call.user_id is None:
                continue
            call = replace(call, anonymous_id=None)  # type: ignore[type-var]  # calls are dataclasses
        heard.append(call)
    return heard


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
            ids = [person.profile_id for person in plan.created]
            names = [person.user_id for person in plan.created]
            cursor.execute(INSERT_PROFILES, [sandbox, sandbox, ids, names])
            _expect(len(ids), cursor.rowcount)


def _hold(names: Mapping[int, str | None]) -> None:
    """Lock the request's profiles exclusively. Raises Collision when one is not what the plan was made for."""
    with connection.cursor() as cursor:
        cursor.execute(HOLD, [list(names)])
        if dict(cursor.fetchall()) != names:
            raise Collision


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
