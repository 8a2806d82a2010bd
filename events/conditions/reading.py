"""Read a condition's JSON tree; each mistake is named with its place. Pure."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping, Set
from datetime import datetime, timedelta
from typing import Any

from events.conditions import kinds, times
from events.conditions.nodes import (
    AllOf,
    AnyOf,
    Belongs,
    Compare,
    Count,
    Edge,
    Followed,
    Foreign,
    Moment,
    Node,
    Not,
    Performed,
    Sequence,
    Total,
    What,
    walk,
)

ORDERINGS = ("gt", "gte", "lt", "lte")
NUMERIC = ("is", "is_not", *ORDERINGS)
DATED = ("before", "after", "within_last", "within_next")
OPERATORS = ("is", "is_not", *ORDERINGS, "contains", "starts", "in", "exists", *DATED)
TYPES = {"event": "track", "page": "page", "screen": "screen"}
FUNCTIONS = ("sum", "min", "max", "avg")
EDGES = ("first", "last")
MAX_DEPTH = 20
MAX_COUNT = 10_000
MAX_STEPS = 10

Tree = Mapping[str, Any]
Build = Callable[[Tree, str, int], Node]


class ConditionError(ValueError):
    """Raised for a tree that says nothing sensible; ``path`` names the place, such as ``all[1].gt``."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path or 'condition'}: {message}")
        self.path = path
        self.message = message


def parse(tree: object) -> Node:
    """Return what ``tree`` says. Raises ConditionError naming the place of the first mistake."""
    return _node(tree, "", 0)


def _node(tree: object, path: str, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise ConditionError(path, f"nested more than {MAX_DEPTH} levels deep")
    if not isinstance(tree, dict):
        raise ConditionError(path, 'must be an object such as {"trait": "plan", "is": "pro"}')
    for key, build in _KINDS.items():
        if key in tree:
            return build(tree, path, depth)
    for key, kind in kinds.known().items():
        if key in tree:
            return _foreign(kind, tree, path)
    raise ConditionError(path, f"must have one of the keys {', '.join((*_KINDS, *kinds.known()))}")


# --- Joining -----------------------------------------------------------------------------------------------------


def _joined(key: str, make: Callable[[tuple[Node, ...]], Node]) -> Build:
    def build(tree: Tree, path: str, depth: int) -> Node:
        _only(tree, {key}, path)
        parts = tree[key]
        if not isinstance(parts, list) or not parts:
            raise ConditionError(_join(path, key), "must be a list with at least one condition")
        return make(tuple(_node(part, f"{_join(path, key)}[{index}]", depth + 1) for index, part in enumerate(parts)))

    return build


def _not(tree: Tree, path: str, depth: int) -> Node:
    _only(tree, {"not"}, path)
    return Not(_node(tree["not"], _join(path, "not"), depth + 1))


# --- Comparing ---------------------------------------------------------------------------------------------------


def _comparison(subject: str) -> Callable[[Tree, str, int], Compare]:
    def build(tree: Tree, path: str, depth: int) -> Compare:
        operator = _operator(tree, {subject}, OPERATORS, path, f" beside {subject}")
        value = _value(operator, tree[operator], _join(path, operator))
        return Compare(subject, _keys(tree[subject], _join(path, subject)), operator, value)

    return build


_compare_trait = _comparison("trait")


def _belongs(tree: Tree, path: str, depth: int) -> Node:
    type_ = _name(tree["group"], _join(path, "group"), "must be a type of groups, such as company")
    rest = {key: value for key, value in tree.items() if key != "group"}
    if "trait" not in rest:
        _only(tree, {"group"}, path)
        return Belongs(type_, None)
    return Belongs(type_, _compare_trait(rest, path, depth))


def _operator(tree: Tree, besides: Iterable[str], known: Iterable[str], path: str, where: str = "") -> str:
    operators = [key for key in tree if key not in besides]
    if len(operators) == 1 and operators[0] in known:
        return operators[0]
    unknown = next((key for key in operators if key not in known), None)
    close = difflib.get_close_matches(unknown, list(known), 1) if unknown else []
    hint = f"; instead of {unknown} perhaps {close[0]}" if close else ""
    raise ConditionError(path, f"needs exactly one of {', '.join(known)}{where}{hint}")


def _value(operator: str, value: Any, path: str) -> Any:
    """Return the value that an operator compares with, read where it is a date or a span."""
    if operator in DATED:
        return _date(operator, value, path)
    if operator in ORDERINGS:
        return _number(value, path)
    if operator == "starts" and not isinstance(value, str):
        raise ConditionError(path, "must be a text")
    if operator == "in" and not (isinstance(value, list) and value):
        raise ConditionError(path, "must be a list with at least one value")
    if operator == "exists" and not isinstance(value, bool):
        raise ConditionError(path, "must be true or false")
    for each in value if operator == "in" else [value]:
        _scalar(each, path)
    return value


def _date(operator: str, value: Any, path: str) -> Moment:
    if operator in ("within_last", "within_next"):
        return _span(value, path)
    return _moment(value, path, end_of_day=operator == "after")


# --- The past ----------------------------------------------------------------------------------------------------


def _performed(key: str) -> Build:
    def build(tree: Tree, path: str, depth: int) -> Node:
        measures = {"count", *FUNCTIONS, *EDGES}
        _only(tree, {key, "where", "within", "since", "then_not", *measures}, path)
        measured = [each for each in tree if each in (*measures, "then_not")]
        if len(measured) > 1:
            raise ConditionError(_join(path, measured[1]), f"cannot stand beside {measured[0]}: use all for both")
        measure = measured[0] if measured and measured[0] != "then_not" else None
        return Performed(
            _what(tree, key, path, depth),
            _since(tree, path),
            _measure(measure, tree[measure], _join(path, measure)) if measure else None,
            _followed(tree["then_not"], _join(path, "then_not"), depth) if "then_not" in tree else None,
        )

    return build


def _what(tree: Tree, key: str, path: str, depth: int) -> What:
    name = _name(tree[key], _join(path, key), "must be the name of an event, page or screen")
    return What(name, _where(tree.get("where"), _join(path, "where"), depth), TYPES[key])


def _where(tree: object, path: str, depth: int) -> Node | None:
    if tree is None:
        return None
    where = _node(tree, path, depth + 1)
    for node in walk(where):
        joins = isinstance(node, AllOf | AnyOf | Not)
        if not joins and not (isinstance(node, Compare) and node.subject == "property"):
            raise ConditionError(path, "may only speak of the event's properties")
    return where


def _since(tree: Tree, path: str) -> Moment | None:
    if "within" in tree and "since" in tree:
        raise ConditionError(_join(path, "since"), "cannot stand beside within: both say from when on")
    if tree.get("within") is not None:
        return -_span(tree["within"], _join(path, "within"))
    return None if tree.get("since") is None else _moment(tree["since"], _join(path, "since"))


def _measure(key: str, tree: Any, path: str) -> Count | Total | Edge:
    if not isinstance(tree, dict):
        raise ConditionError(path, f"must be an object such as {EXAMPLES[key]}")
    if key == "count":
        operator = _operator(tree, (), NUMERIC, path)
        return Count(operator, _whole(tree[operator], _join(path, operator)))
    if key in EDGES:
        operator = _operator(tree, (), DATED, path)
        return Edge(key, operator, _date(operator, tree[operator], _join(path, operator)))
    if "property" not in tree:
        raise ConditionError(_join(path, "property"), "must name the property to reckon with")
    operator = _operator(tree, {"property"}, NUMERIC, path, " beside property")
    keys = _keys(tree["property"], _join(path, "property"))
    return Total(key, keys, operator, _number(tree[operator], _join(path, operator)))


EXAMPLES = {
    "count": '{"gte": 3}',
    **dict.fromkeys(EDGES, '{"within_last": "7d"}'),
    **dict.fromkeys(FUNCTIONS, '{"property": "total", "gt": 100}'),
}


def _followed(tree: Any, path: str, depth: int) -> Followed:
    what = _step(tree, path, depth, {"within", "same"})
    if "within" not in tree:
        raise ConditionError(_join(path, "within"), "must say for how long nothing came, such as 24h")
    return Followed(what, _span(tree["within"], _join(path, "within")), _same(tree.get("same"), path))


def _sequence(tree: Tree, path: str, depth: int) -> Node:
    _only(tree, {"sequence", "within", "since", "same"}, path)
    steps, place = tree["sequence"], _join(path, "sequence")
    if not isinstance(steps, list) or not 2 <= len(steps) <= MAX_STEPS:
        raise ConditionError(place, f"must be a list of 2 to {MAX_STEPS} events")
    return Sequence(
        tuple(_step(step, f"{place}[{index}]", depth) for index, step in enumerate(steps)),
        _span(tree["within"], _join(path, "within")) if tree.get("within") is not None else None,
        None if tree.get("since") is None else _moment(tree["since"], _join(path, "since")),
        _same(tree.get("same"), path),
    )


def _step(tree: Any, path: str, depth: int, besides: Set[str] = frozenset()) -> What:
    """Return the event that ``tree`` names, by itself or in the words of another room."""
    if isinstance(tree, dict):
        for key in TYPES:
            if key in tree:
                _only(tree, {key, "where", *besides}, path)
                return _what(tree, key, path, depth)
        rest = {key: value for key, value in tree.items() if key not in besides}
        for key, kind in kinds.known().items():
            node = _foreign(kind, rest, path) if key in rest else None
            if isinstance(node, Performed) and node == Performed(node.what):
                return node.what
    raise ConditionError(path, 'must be an event such as {"event": "Product Viewed"}')


def _same(value: object, path: str) -> tuple[str, ...] | None:
    return None if value is None else _keys(value, _join(path, "same"))


# --- What other rooms ask ----------------------------------------------------------------------------------------


def _foreign(kind: kinds.Kind, tree: Tree, path: str) -> Node:
    _only(tree, {kind.key, *kind.known}, path)
    try:
        question = kind.read(tree)
    except ConditionError as error:
        raise ConditionError(_join(path, error.path), error.message) from None
    except ValueError as error:
        message, *key = error.args
        raise ConditionError(_join(path, str(key[0] if key else kind.key)), str(message)) from None
    return question if isinstance(question, Node) else Foreign(kind.key, question)


_KINDS: dict[str, Build] = {
    "all": _joined("all", AllOf),
    "any": _joined("any", AnyOf),
    "not": _not,
    # A group's comparison has a trait as well, so it comes first.
    "group": _belongs,
    "trait": _compare_trait,
    "property": _comparison("property"),
    "sequence": _sequence,
    **{key: _performed(key) for key in TYPES},
}
KEYS = tuple(_KINDS)


# --- Values ------------------------------------------------------------------------------------------------------


def _name(value: object, path: str, message: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ConditionError(path, message)
    return _text(value, path)


def storable(text: str) -> bool:
    """Say whether the database has room for every character of ``text``."""
    return "\x00" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def _text(value: str, path: str) -> str:
    """Refuse what no event and no trait can contain, as the database has no room for it."""
    if not storable(value):
        raise ConditionError(path, "contains a character that cannot be stored")
    return value


def _scalar(value: object, path: str) -> None:
    if isinstance(value, str):
        _text(value, path)
    elif not isinstance(value, bool):
        if not isinstance(value, int | float):
            raise ConditionError(path, "must be a text, a number, true or false")
        _number(value, path)


def _number(value: object, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConditionError(path, "must be a number")
    return value


def _whole(value: object, path: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_COUNT:
        raise ConditionError(path, f"must be a whole number from 0 to {MAX_COUNT:,}")
    return value


def _keys(value: object, path: str) -> tuple[str, ...]:
    if isinstance(value, str) and value.strip():
        return tuple(_text(value, path).split("."))
    if isinstance(value, list) and value and all(isinstance(key, str) for key in value):
        return tuple(_text(key, path) for key in value)
    raise ConditionError(path, "must name a trait or property, such as plan or address.city")


def _span(value: object, path: str) -> timedelta:
    found = times.span(value)
    if found is None:
        raise ConditionError(path, "must be a time span such as 10m, 24h, 30d or 2w")
    return found


def _moment(value: object, path: str, *, end_of_day: bool = False) -> datetime | timedelta:
    found = times.moment(value, end_of_day=end_of_day)
    if found is None:
        raise ConditionError(path, "must be a day such as 2026-05-01, a time such as 2026-05-01T09:00, or -30d or +7d")
    return found


def _only(tree: Tree, known: set[str], path: str) -> None:
    for key in tree:
        if key not in known:
            raise ConditionError(_join(path, key), f"is not known here; known are {', '.join(sorted(known))}")


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
