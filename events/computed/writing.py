"""Reckon computed traits of people and put them among their traits; the one place that writes either."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

import msgspec
from django.db import connection
from django.db.models import OuterRef, Subquery, TextField
from django.db.models.functions import Cast

from events import watching
from events.audience import profiles
from events.audience.prepared import SOME, Prepared, prepare
from events.audience.values import JsonAt
from events.computed.definitions import Definition
from events.computed.values import changes_at, value_of
from events.models import ComputedValue, Profile

# By name of the trait, whose value has changed.
Changed = dict[str, set[int]]


@dataclass(frozen=True, slots=True)
class Answer:
    """A person's value now and before, JSON as text; ``look_at`` is when time may change it.

    ``turn_at`` is when they were to be looked at again until now, None for never.
    """

    definition: Definition
    profile_id: int
    value: str | None
    before: str | None
    look_at: datetime | None
    turn_at: datetime | None = None


# ``updated_at`` stays: it is about what applications say. The people are named by an array besides: of the JSON the
# planner knows not how few rows it holds, and for a join would read everybody.
GIVE = f"""
WITH {watching.WATCHED}, news AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%(rows)s) AS n(id bigint, given jsonb, gone text[])
), before AS MATERIALIZED (SELECT id, traits FROM events_profile WHERE id = ANY(%(people)s))
UPDATE events_profile p SET traits = (p.traits || n.given) - n.gone
FROM news n JOIN before USING (id) WHERE p.id = n.id AND p.id = ANY(%(people)s)
RETURNING p.id, {watching.changes("before.traits", "p.traits")}
"""
# History may be stored meanwhile by somebody who does not hold the people: then the row is no longer as it was seen,
# and stays, so that they are looked at once more (as ``events.segments.changes`` does).
KEEP = """
WITH r AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%s)
        AS r(computed_id bigint, profile_id bigint, look_at timestamptz, turn_at timestamptz)
), same AS MATERIALIZED (
    SELECT computed_id, profile_id, r.look_at FROM events_computedvalue v JOIN r USING (computed_id, profile_id)
    WHERE v.look_at IS NOT DISTINCT FROM r.turn_at AND (v.look_at IS DISTINCT FROM r.look_at OR v.quiet)
    ORDER BY 1, 2 FOR NO KEY UPDATE OF v
), moved AS (
    UPDATE events_computedvalue v SET look_at = same.look_at, quiet = false
    FROM same WHERE v.computed_id = same.computed_id AND v.profile_id = same.profile_id
)
INSERT INTO events_computedvalue (computed_id, profile_id, look_at)
SELECT computed_id, profile_id, look_at FROM r ORDER BY 1, 2 ON CONFLICT DO NOTHING
"""
FORGET = """
DELETE FROM events_computedvalue v
USING jsonb_to_recordset(%s) AS r(computed_id bigint, profile_id bigint, turn_at timestamptz)
WHERE v.computed_id = r.computed_id AND v.profile_id = r.profile_id AND v.look_at IS NOT DISTINCT FROM r.turn_at
"""


def reckon(wanted: Mapping[Definition, Collection[int]], now: datetime, *, quiet: bool = False) -> Changed:
    """Reckon each definition for its people, whom the caller holds; write what differs and return whose did.

    One statement for each definition, and three at most to write; one more where somebody watches what has changed,
    who is not told when it is ``quiet``.
    """
    answers: list[Answer] = []
    for definition, people in wanted.items():
        if people:
            answers += _answers(definition, people, now)
    return _write(answers, quiet) if answers else {}


def preview(definition: Definition, people: Collection[int], now: datetime) -> dict[int, Any]:
    """Return the values of people as they would be, None where there is none. One statement; nothing is written."""
    return {
        answer.profile_id: msgspec.json.decode(answer.value) if answer.value is not None else None
        for answer in _answers(definition, people, now)
    }


def _answers(definition: Definition, people: Collection[int], now: datetime) -> list[Answer]:
    statement = _made.get(definition)
    if statement is None:
        statement = _made[definition] = _make(definition)
    return [Answer(definition, *row) for row in statement.rows(people, now)]


_made: WeakKeyDictionary[Definition, Prepared] = WeakKeyDictionary()


def _make(definition: Definition) -> Prepared:
    scope = profiles(SOME)
    asked = Profile.objects.annotate(
        value=value_of(definition, scope),
        before=Cast(JsonAt("traits", (definition.name,)), TextField()),
        look_at=changes_at(definition, scope),
        turn_at=Subquery(
            ComputedValue.objects.filter(computed=definition.pk, profile=OuterRef("pk")).values("look_at")
        ),
    )
    return prepare(asked.values_list("pk", "value", "before", "look_at", "turn_at"))


def _write(answers: Collection[Answer], quiet: bool) -> Changed:
    changed = [answer for answer in answers if answer.value != answer.before]
    told = give(changed)
    if not quiet:
        watching.tell(told)
    _execute(KEEP, [answer for answer in answers if answer.value is not None or answer.look_at is not None])
    _execute(FORGET, [answer for answer in answers if answer.value is None and answer.look_at is None])
    found: Changed = defaultdict(set)
    for answer in changed:
        found[answer.definition.name].add(answer.profile_id)
    return dict(found)


def give(answers: Collection[Answer]) -> list[tuple[int, str | None]]:
    """Put the values among the traits, and take away what has none; return what is watched of it. One statement."""
    by_person: dict[int, list[Answer]] = defaultdict(list)
    for answer in answers:
        by_person[answer.profile_id].append(answer)
    rows = [
        {
            "id": person,
            "given": {a.definition.name: msgspec.Raw(a.value.encode()) for a in of if a.value is not None},
            "gone": [a.definition.name for a in of if a.value is None],
        }
        for person, of in by_person.items()
    ]
    if not rows:
        return []
    with connection.cursor() as cursor:
        cursor.execute(GIVE, {"rows": msgspec.json.encode(rows).decode(), "people": list(by_person)})
        return list(cursor.fetchall())


def _execute(statement: str, answers: Collection[Answer]) -> None:
    rows = [
        {"computed_id": a.definition.pk, "profile_id": a.profile_id, "look_at": a.look_at, "turn_at": a.turn_at}
        for a in answers
    ]
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(statement, [msgspec.json.encode(rows).decode()])
