"""The segments that have a condition, read once a revision and process, and which of them an event may change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from events.conditions import Belongs, Compare, ConditionError, Foreign, Node, Performed, parse, walk
from events.conditions import Sequence as InOrder
from events.conditions.kinds import known
from events.conditions.nodes import Edge, whats
from events.models import Event, Segment

# What may change traits, and who somebody is.
BRINGS_TRAITS = frozenset({Event.Type.IDENTIFY, Event.Type.ALIAS})
BRINGS_GROUPS = frozenset({Event.Type.GROUP, Event.Type.ALIAS})
# What compares dates: a trait or property without an offset is meant in the person's time zone.
DATES = frozenset({"before", "after", "within_last", "within_next"})


@dataclass(frozen=True, slots=True)
class Interest:
    """Which events may change what a condition says: (type, name) pairs, and types of calls whatever their names.

    With ``zone`` another time zone of the person may as well, whatever it comes with. ``traits``
    are those it asks about, for whoever changes one without an event.
    """

    names: frozenset[tuple[str, str]]
    types: frozenset[str]
    zone: bool = False
    traits: frozenset[str] = frozenset()

    def includes(self, type: str, name: str) -> bool:
        return (type, name) in self.names or type in self.types


@dataclass(frozen=True, slots=True, eq=False)
class Live:
    """One segment as it is kept current. People above ``built_to`` have not been asked yet; None when all have."""

    pk: int
    slug: str
    name: str
    node: Node
    interest: Interest
    built_to: int | None


def watching_groups(segments: Iterable[Live]) -> list[int]:
    """Return the ids of the segments that ask about groups."""
    return [segment.pk for segment in segments if Event.Type.GROUP in segment.interest.types]


def watching_zones(segments: Iterable[Live]) -> list[int]:
    """Return the ids of the segments that reckon with days and times in the person's time zone."""
    return [segment.pk for segment in segments if segment.interest.zone]


def interest(node: Node) -> Interest:
    """Return which events may change what ``node`` says of the person they are about."""
    names: set[tuple[str, str]] = set()
    types: set[str] = set()
    traits: set[str] = set()
    for part in walk(node):
        match part:
            case Performed() | InOrder():
                names |= {(what.type, what.event) for what in whats(part)}
            case Compare("trait", path):
                types |= BRINGS_TRAITS
                traits.add(path[0])
            case Belongs():
                types |= BRINGS_GROUPS
            case Foreign(key):
                names |= {(Event.Type.TRACK, name) for name in known()[key].wakes}
    return Interest(frozenset(names), frozenset(types), any(map(needs_zone, walk(node))), frozenset(traits))


def needs_zone(part: Node) -> bool:
    """Say whether a day or a time of day stands in it, or may stand in what it looks at."""
    match part:
        case Compare():
            return part.operator in DATES
        case Performed(measure=Edge() as edge):
            return _is_local(part.since) or _is_local(edge.value)
        case Performed() | InOrder():
            return _is_local(part.since)
        case _:
            return False


def _is_local(moment: object) -> bool:
    return isinstance(moment, datetime) and moment.tzinfo is None


_parsed: dict[int, tuple[int, Node, Interest]] = {}


def current(ids: Iterable[int] | None = None) -> list[Live]:
    """Return the segments that have a condition, all or those with ``ids``. One statement, and one for new ones.

    One whose condition cannot be read, because a room has left, changes nobody.
    """
    found = Segment.objects.filter(kind=Segment.Kind.DYNAMIC).exclude(condition=None)
    if ids is not None:
        found = found.filter(pk__in=list(ids))
    rows = list(found.order_by("pk").values_list("pk", "revision", "slug", "name", "state", "built_to"))
    _read([row[0] for row in rows if _parsed.get(row[0], (None,))[0] != row[1]])
    return [
        Live(pk, slug, name, *_parsed[pk][1:], None if state == Segment.State.LIVE else built_to)
        for pk, revision, slug, name, state, built_to in rows
        if pk in _parsed
    ]


def _read(ids: Sequence[int]) -> None:
    if not ids:
        return
    rows: Any = Segment.objects.filter(pk__in=ids).values_list("pk", "revision", "condition")
    for pk, revision, condition in rows:
        try:
            node = parse(condition)
        except ConditionError:
            _parsed.pop(pk, None)
            continue
        _parsed[pk] = revision, node, interest(node)
