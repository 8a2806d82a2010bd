"""Conditions as data: parse the JSON tree that triggers, branches and goals are written in. Pure.

A tree is one of::

    {"all": [tree, …]}   {"any": [tree, …]}   {"not": tree}
    {"trait": "plan", "is": "pro"}            about the person
    {"property": "amount", "gt": 30}          about the event at hand
    {"event": "Order Completed", "where": tree, "within": "24h"}   about the person's history
    {"group": "company", "trait": "plan", "is": "pro"}   about the groups the person belongs to

A path with dots reaches into nested objects (``"address.city"``); a list of keys does so literally. Each comparison
has exactly one operator of ``OPERATORS``. What is missing is simply not equal, and a number never equals a text:
neither is an error. A comparison of a group's trait holds when it does for at least one of the person's groups of that
type; without a comparison it is enough to belong to one. ``events.audience`` turns the parsed tree into SQL; there is
no evaluator in Python.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

OPERATORS = ("is", "is_not", "gt", "gte", "lt", "lte", "contains", "starts", "in", "exists")
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
MAX_DEPTH = 20


class ConditionError(ValueError):
    """Raised for a tree that says nothing sensible; ``path`` names the place, such as ``all[1].gt``."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path or 'condition'}: {message}")
        self.path = path
        self.message = message


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
    """``subject`` is "trait" or "property"."""

    subject: str
    path: tuple[str, ...]
    operator: str
    value: Any


@dataclass(frozen=True, slots=True)
class Performed:
    """The person did ``event`` at least once, ``within`` the time before the moment that is asked about."""

    event: str
    where: Node | None
    within: timedelta | None


@dataclass(frozen=True, slots=True)
class Belongs:
    """The person belongs to a group of ``type``, one whose trait meets ``compare`` where there is one."""

    type: str
    compare: Compare | None


Node = AllOf | AnyOf | Not | Compare | Performed | Belongs


def parse(tree: object) -> Node:
    """Return the parsed tree. Raises ConditionError naming the place of the first mistake."""
    return _node(tree, "", 0)


def walk(node: Node) -> Iterator[Node]:
    """Yield ``node`` and everything below it."""
    yield node
    match node:
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from walk(part)
        case Not(part):
            yield from walk(part)
        case Performed(where=Compare() | AllOf() | AnyOf() | Not() | Performed() | Belongs() as where):
            yield from walk(where)
        case Belongs(compare=Compare() as compare):
            yield compare


def _node(tree: object, path: str, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise ConditionError(path, f"nested more than {MAX_DEPTH} levels deep")
    if not isinstance(tree, dict):
        raise ConditionError(path, 'must be an object such as {"trait": "plan", "is": "pro"}')
    for kind, build in _KINDS.items():
        if kind in tree:
            return build(tree, path, depth)
    raise ConditionError(path, f"must have one of the keys {', '.join(_KINDS)}")


def _group(kind: str, make: Callable[[tuple[Node, ...]], Node]) -> Callable[[dict[str, Any], str, int], Node]:
    def build(tree: dict[str, Any], path: str, depth: int) -> Node:
        _only(tree, {kind}, path)
        parts = tree[kind]
        if not isinstance(parts, list) or not parts:
            raise ConditionError(_join(path, kind), "must be a list with at least one condition")
        return make(tuple(_node(part, f"{_join(path, kind)}[{index}]", depth + 1) for index, part in enumerate(parts)))

    return build


def _not(tree: dict[str, Any], path: str, depth: int) -> Node:
    _only(tree, {"not"}, path)
    return Not(_node(tree["not"], _join(path, "not"), depth + 1))


def _comparison(subject: str) -> Callable[[dict[str, Any], str, int], Compare]:
    def build(tree: dict[str, Any], path: str, depth: int) -> Compare:
        operators = [key for key in tree if key != subject]
        if len(operators) != 1 or operators[0] not in OPERATORS:
            raise ConditionError(path, f"needs exactly one of {', '.join(OPERATORS)} beside {subject}")
        operator = operators[0]
        _check_value(operator, tree[operator], _join(path, operator))
        return Compare(subject, _keys(tree[subject], _join(path, subject)), operator, tree[operator])

    return build


def _performed(tree: dict[str, Any], path: str, depth: int) -> Node:
    _only(tree, {"event", "where", "within"}, path)
    name = tree["event"]
    if not isinstance(name, str) or not name.strip():
        raise ConditionError(_join(path, "event"), "must be the name of an event")
    where = None
    if tree.get("where") is not None:
        where = _node(tree["where"], _join(path, "where"), depth + 1)
        if any(
            isinstance(node, Performed | Belongs) or (isinstance(node, Compare) and node.subject == "trait")
            for node in walk(where)
        ):
            raise ConditionError(_join(path, "where"), "may only speak of the event's properties")
    within = None if tree.get("within") is None else _duration(tree["within"], _join(path, "within"))
    return Performed(name, where, within)


def _belongs(tree: dict[str, Any], path: str, depth: int) -> Node:
    type_ = tree["group"]
    if not isinstance(type_, str) or not type_.strip():
        raise ConditionError(_join(path, "group"), "must be a type of groups, such as company")
    rest = {key: value for key, value in tree.items() if key != "group"}
    if "trait" not in rest:
        _only(tree, {"group"}, path)
        return Belongs(type_, None)
    return Belongs(type_, _compare_trait(rest, path, depth))


_compare_trait = _comparison("trait")
# A group's comparison has a trait as well, so it comes first.
_KINDS: dict[str, Callable[[dict[str, Any], str, int], Node]] = {
    "group": _belongs,
    "all": _group("all", AllOf),
    "any": _group("any", AnyOf),
    "not": _not,
    "trait": _compare_trait,
    "property": _comparison("property"),
    "event": _performed,
}


def _check_value(operator: str, value: Any, path: str) -> None:
    if operator in ("gt", "gte", "lt", "lte") and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise ConditionError(path, "must be a number")
    if operator == "starts" and not isinstance(value, str):
        raise ConditionError(path, "must be a text")
    if operator == "in" and not (isinstance(value, list) and value):
        raise ConditionError(path, "must be a list with at least one value")
    if operator == "exists" and not isinstance(value, bool):
        raise ConditionError(path, "must be true or false")
    if operator in ("is", "is_not", "contains") and not isinstance(value, str | int | float | bool):
        raise ConditionError(path, "must be a text, a number, true or false")


def _keys(value: object, path: str) -> tuple[str, ...]:
    if isinstance(value, str) and value.strip():
        return tuple(value.split("."))
    if isinstance(value, list) and value and all(isinstance(key, str) for key in value):
        return tuple(value)
    raise ConditionError(path, "must name a trait or property, such as plan or address.city")


def _duration(value: object, path: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,5})([mhdw])", value) if isinstance(value, str) else None
    if not found or int(found[1]) == 0:
        raise ConditionError(path, "must be a time span such as 10m, 24h, 30d or 2w")
    return timedelta(**{UNITS[found[2]]: int(found[1])})


def _only(tree: dict[str, Any], known: set[str], path: str) -> None:
    for key in tree:
        if key not in known:
            raise ConditionError(_join(path, key), f"is not known here; known are {', '.join(sorted(known))}")


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
