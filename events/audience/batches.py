"""Ask several conditions about the events of a batch in one statement.

The events and their people are read once for all conditions. A condition is answered for one event after the other, so
its cheap parts come first and spare the look into the past where they decide. The text of a statement is made once a
process and reused for the same conditions.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import connection
from django.db.models import BooleanField, ExpressionWrapper

from events.audience.compiler import Reading, compile_condition
from events.audience.scope import EVENTS
from events.conditions.nodes import AllOf, AnyOf, Belongs, Compare, Node, Not, Performed, walk
from events.conditions.nodes import Sequence as InOrder
from events.models import Event

# Few enough that planning one statement stays quick, many enough that reading the events again costs little.
CONDITIONS = 50
TEXTS = 256
PAST = 100


@dataclass(frozen=True, slots=True)
class _Question:
    """A condition by its text: the values it compares with may be lists, which cannot be looked up."""

    text: str
    node: Node = field(compare=False)


def meeting(
    nodes: Sequence[Node], events: Collection[tuple[int, datetime]], reading: Reading = Reading.PLAIN
) -> list[set[int]]:
    """Return for each condition the ids of the ``events`` (id and timestamp) that meet it.

    One statement for each ``CONDITIONS`` conditions, however many events there are; equal ones are asked once.
    """
    questions = [_Question(repr(node), node) for node in nodes]
    found: dict[_Question, set[int]] = {question: set() for question in questions}
    if events:
        distinct = list(found)
        for start in range(0, len(distinct), CONDITIONS):
            _ask(tuple(distinct[start : start + CONDITIONS]), events, reading, found)
    return [found[question] for question in questions]


def _ask(
    questions: tuple[_Question, ...],
    events: Collection[tuple[int, datetime]],
    reading: Reading,
    found: dict[_Question, set[int]],
) -> None:
    text, parameters = _statement(questions, reading)
    ids, times = zip(*events, strict=True)
    with connection.cursor() as cursor:
        cursor.execute(text, [*parameters, list(ids), min(times), max(times)])
        for event_id, *answers in cursor.fetchall():
            for question, answer in zip(questions, answers, strict=True):
                if answer:
                    found[question].add(event_id)


@lru_cache(maxsize=TEXTS)
def _statement(questions: tuple[_Question, ...], reading: Reading) -> tuple[str, tuple[Any, ...]]:
    """Return the text and the parameters that come before ids, earliest and latest timestamp."""
    asked = {
        f"answer_{number}": ExpressionWrapper(
            compile_condition(cheap_first(question.node), EVENTS, reading), BooleanField()
        )
        for number, question in enumerate(questions)
    }
    query = Event.objects.order_by().annotate(**asked).values_list("pk", *asked).query
    text, parameters = query.sql_with_params()
    batch = 'WHERE "events_event"."id" = ANY(%s) AND "events_event"."timestamp" BETWEEN %s AND %s'
    return f"{text} {batch}", tuple(parameters)


def cheap_first(node: Node) -> Node:
    """Return an equal condition in which parts that look into the past come after those that need not."""
    match node:
        case AllOf(parts):
            return AllOf(tuple(sorted(map(cheap_first, parts), key=_cost)))
        case AnyOf(parts):
            return AnyOf(tuple(sorted(map(cheap_first, parts), key=_cost)))
        case Not(part):
            return Not(cheap_first(part))
        case _:
            return node


def _cost(node: Node) -> int:
    return sum(_own_cost(part) for part in walk(node))


def _own_cost(node: Node) -> int:
    match node:
        case Compare():
            return 1
        case Performed() | InOrder():
            return PAST
        case Belongs():
            return PAST // 10
        case _:
            return 0 if isinstance(node, AllOf | AnyOf | Not) else PAST // 10
