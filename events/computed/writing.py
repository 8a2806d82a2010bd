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
from django.db.models import TextField
from django.db.models.functions import Cast

from events.audience import profiles
from events.audience.prepared import SOME, Prepared, prepare
from events.audience.values import JsonAt
from events.computed.definitions import Definition
from events.computed.values import changes_at, value_of
from events.models import Profile

# By name of the trait, whose value has changed.
Changed = dict[str, set[int]]


@dataclass(frozen=True, slots=True)
class Answer:
    """A person's value now and before, JSON as text; ``look_at`` is when time may change it."""

    definition: Definition
    profile_id: int
    value: str | None
    before: str | None
    look_at: datetime | None


# ``updated_at`` stays: it is about what applications say. The people are named by an array besides: of the JSON the
# planner knows not how few rows it holds, and for a join would read everybody.
GIVE = """
UPDATE events_profile p SET traits = (p.traits || n.given) - n.gone
FROM jsonb_to_recordset(%s) AS n(id bigint, given jsonb, gone text[]) WHERE p.id = n.id AND p.id = ANY(%s)
"""
KEEP = """
INSERT INTO events_computedvalue AS v (computed_id, profile_id, look_at)
SELECT computed_id, profile_id, look_at
FROM jsonb_to_recordset(%s) AS r(computed_id bigint, profile_id bigint, look_at timestamptz)
ORDER BY 1, 2 ON CONFLICT (computed_id, profile_id) DO UPDATE SET look_at = excluded.look_at, quiet = false
WHERE v.look_at IS DISTINCT FROM excluded.look_at OR v.quiet
"""
FORGET = """
DELETE FROM events_computedvalue v USING jsonb_to_recordset(%s) AS r(computed_id bigint, profile_id bigint)
WHERE v.computed_id = r.computed_id AND v.profile_id = r.profile_id
"""


def reckon(wanted: Mapping[Definition, Collection[int]], now: datetime) -> Changed:
    """Reckon each definition for its people, whom the caller holds; write what differs and return whose did.

    One statement for each definition, and three at most to write.
    """
    answers: list[Answer] = []
    for definition, people in wanted.items():
        if people:
            answers += _answers(definition, people, now)
    return _write(answers) if answers else {}


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
    )
    return prepare(asked.values_list("pk", "value", "before", "look_at"))


def _write(answers: Collection[Answer]) -> Changed:
    changed = [answer for answer in answers if answer.value != answer.before]
    give(changed)
    _execute(KEEP, [answer for answer in answers if answer.value is not None or answer.look_at is not None])
    _execute(FORGET, [answer for answer in answers if answer.value is None and answer.look_at is None])
    told: Changed = defaultdict(set)
    for answer in changed:
        told[answer.definition.name].add(answer.profile_id)
    return dict(told)


def give(answers: Collection[Answer]) -> None:
    """Put the values among the traits, and take away what has none. One statement."""
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
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(GIVE, [msgspec.json.encode(rows).decode(), list(by_person)])


def _execute(statement: str, answers: Collection[Answer]) -> None:
    rows = [{"computed_id": a.definition.pk, "profile_id": a.profile_id, "look_at": a.look_at} for a in answers]
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(statement, [msgspec.json.encode(rows).decode()])
