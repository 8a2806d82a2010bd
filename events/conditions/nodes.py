"""What a condition consists of once it is read. Frozen and comparable, so that equal trees are equal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

# An instant (aware), a local date and time of the person's own zone (naive), or so far from the moment asked about.
Moment = datetime | timedelta


@dataclass(frozen=True, slots=True)
class AllOf:
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: Node


@dataclass(frozen=True, slots=True)
class Compare:
    """``subject`` is "trait" or "property"; ``value`` is JSON, a Moment or a timedelta, as the operator wants."""

    subject: str
    path: tuple[str, ...]
    operator: str
    value: Any


@dataclass(frozen=True, slots=True)
class What:
    """Which events are meant: of a type ("track", "page" or "screen") and name, whose properties meet ``where``."""

    event: str
    where: Node | None = None
    type: str = "track"


@dataclass(frozen=True, slots=True)
class Count:
    """How many there are, compared by "is", "is_not" or an ordering."""

    operator: str
    number: int


@dataclass(frozen=True, slots=True)
class Total:
    """``function`` ("sum", "min", "max" or "avg") of the numbers under ``path``, compared."""

    function: str
    path: tuple[str, ...]
    operator: str
    number: float


@dataclass(frozen=True, slots=True)
class Edge:
    """When it happened for the "first" or "last" time, compared like a date."""

    which: str
    operator: str
    value: Any


@dataclass(frozen=True, slots=True)
class Followed:
    """No ``what`` came ``within`` that time after the event, and the time is over. ``same``: of equal properties."""

    what: What
    within: timedelta
    same: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Performed:
    """The person did ``what`` since a moment: at least once, or as ``measure`` wants it."""

    what: What
    since: Moment | None = None
    measure: Count | Total | Edge | None = None
    then_not: Followed | None = None


@dataclass(frozen=True, slots=True)
class Sequence:
    """The person did the steps one after the other, the last at most ``within`` after the first.

    ``same`` is a path whose value all of them have in common. The first happened after ``since``.
    """

    steps: tuple[What, ...]
    within: timedelta | None = None
    since: Moment | None = None
    same: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Belongs:
    """The person belongs to a group of ``type``, one whose trait meets ``compare`` where there is one."""

    type: str
    compare: Compare | None


@dataclass(frozen=True, slots=True)
class Foreign:
    """A question of another room, such as consent; ``key`` is how the room has registered it."""

    key: str
    question: Any


Node = AllOf | AnyOf | Not | Compare | Performed | Sequence | Belongs | Foreign


def walk(node: Node) -> Iterator[Node]:
    """Yield ``node`` and everything below it."""
    yield node
    for part in _parts(node):
        yield from walk(part)


def _parts(node: Node) -> Iterator[Node]:
    match node:
        case AllOf(parts) | AnyOf(parts):
            yield from parts
        case Not(part):
            yield part
        case Belongs(compare=Compare() as compare):
            yield compare
        case Performed() | Sequence():
            for what in whats(node):
                if what.where is not None:
                    yield what.where


def whats(node: Performed | Sequence) -> tuple[What, ...]:
    """Return the events that a part about the past speaks of, in its order."""
    if isinstance(node, Sequence):
        return node.steps
    return (node.what, node.then_not.what) if node.then_not else (node.what,)
