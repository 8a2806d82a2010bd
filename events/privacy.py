"""Forget a person: everything that is kept about them goes, in every room, and what was counted stays counted.

``erase`` holds the people exclusively, so that it comes before or after whatever is under way for them: an event
that is being stored starts anew and finds nobody, a claimed event or message finds its row gone. It never waits long
while it holds them; it lets go and tries again, so that nobody else is thrown out of a circle of waiting.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from events import audit, nudges, sandbox, signals, suppression
from events.audit import Actor
from events.giving_way import StartAnew, insist
from events.models import Erasure, Identity, Profile
from events.portrait import export as export

HOLD = "SELECT id, user_id, email, phone, is_sandbox FROM events_profile WHERE id = ANY(%(ids)s) ORDER BY id FOR UPDATE"
KNOWN_AS = "SELECT profile_id, value FROM events_identity WHERE profile_id = ANY(%(ids)s)"
DEVICES = "SELECT device_id FROM events_device WHERE profile_id = ANY(%(ids)s)"

# What the catalogue shows as examples may be theirs; it fills again with what comes in.
FORGET_EXAMPLES = """
UPDATE events_propertystat SET examples = '[]' WHERE definition_id IN (
    SELECT d.id FROM events_eventdefinition d
    JOIN (SELECT DISTINCT CASE type WHEN 'track' THEN name ELSE '[' || type || ']' END AS label
          FROM events_event WHERE profile_id = ANY(%(ids)s)) AS theirs ON theirs.label = d.name)
"""
# The calls they came in go along, other people's part in them included: the debugger can do without.
DELETE_EVENTS = """
WITH gone AS (DELETE FROM events_event WHERE profile_id = ANY(%(ids)s) RETURNING request_id),
calls AS (DELETE FROM events_inboundrequest WHERE id IN (SELECT request_id FROM gone WHERE request_id IS NOT NULL))
SELECT count(*) FROM gone
"""
DELETE_REST = [
    f"DELETE FROM {table} WHERE profile_id = ANY(%(ids)s)"
    for table in ("events_pending", "events_device", "events_membership", "events_identity")
]
DELETE_PROFILES = "DELETE FROM events_profile WHERE id = ANY(%(ids)s)"


@dataclass(frozen=True, slots=True)
class Erased:
    """How much was deleted."""

    people: int = 0
    events: int = 0


def erase(profile_ids: Collection[int], actor: Actor, *, suppress: bool = False) -> Erased:
    """Delete all there is about these people; with ``suppress`` ignore every later call with one of their ids.

    The number of statements does not depend on the number of people. What is kept as text, such as calls kept for
    the debugger, is searched right after (``events.traces``). The caller holds no locks.
    """
    return insist(lambda: _erase(profile_ids, actor, suppress=suppress))


def suppress_ids(ids: Collection[str], actor: Actor) -> Erased:
    """Ignore every later call with one of ``ids``, and erase whoever is known by it now."""

    def act() -> Erased:
        erased = _erase(_known_by(ids), actor, suppress=True, also=ids)
        if _known_by(ids):
            raise StartAnew("somebody became known by the ids meanwhile")
        return erased

    return insist(act)


def unsuppress_ids(ids: Collection[str], actor: Actor) -> int:
    """Hear these ids again, and whatever else the same people were known by. Returns how many ids that were."""
    with transaction.atomic():
        lifted = suppression.lift(ids)
        if lifted:
            audit.note(actor, "unsuppress", ids=lifted)
    return lifted


def _known_by(ids: Collection[str]) -> set[int]:
    """Return the people these ids lead to, whatever kind of id they are."""
    known = Identity.objects.filter(kind__in=Identity.Kind.values, value__in=ids).values_list("profile_id", flat=True)
    return set(known) | set(Profile.objects.filter(user_id__in=ids).values_list("pk", flat=True))


def _erase(profile_ids: Collection[int], actor: Actor, *, suppress: bool, also: Collection[str] = ()) -> Erased:
    found = {"ids": sorted(set(profile_ids))}
    with connection.cursor() as cursor:
        people, words = _hold(cursor, found)
        found["ids"] = list(people)
        if suppress:
            known = set().union(*people.values())
            suppression.add([*people.values(), *({value} for value in also if value not in known)])
        cursor.execute(FORGET_EXAMPLES, found)
        cursor.execute(DELETE_EVENTS, found)
        events = int(cursor.fetchone()[0])
        signals.profiles_erased.send(sender=erase, profile_ids=found["ids"])
        for statement in (*DELETE_REST, DELETE_PROFILES):
            cursor.execute(statement, found)
    if words or also:
        Erasure.objects.create(words=sorted({*words, *also}))
        nudges.nudge("traces")
    action = "suppress" if suppress else "erase"
    audit.note_each(actor, action, people, events=events)
    audit.disguise(people)
    if also and not people:
        audit.note(actor, action, ids=len(also))
    return Erased(len(people), events)


def _hold(cursor: CursorWrapper, found: Mapping[str, list[int]]) -> tuple[dict[int, set[str]], set[str]]:
    """Lock the people; return the ids by which each can be called, and all words that tell of any of them."""
    cursor.execute(HOLD, found)
    people: dict[int, set[str]] = {}
    words: set[str] = set()
    for profile_id, user_id, email, phone, is_sandbox in cursor.fetchall():
        as_ids = {sandbox.own(email)} if is_sandbox else {email, email.lower()}
        people[profile_id] = {user_id, *(as_ids if email else ())} - {None}
        words |= {phone} - {""}
    cursor.execute(KNOWN_AS, found)
    for profile_id, value in cursor.fetchall():
        people[profile_id].add(value)
    cursor.execute(DEVICES, found)
    words |= {value for (value,) in cursor.fetchall()}
    return people, words.union(*people.values())
