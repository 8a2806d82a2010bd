"""Say a condition with the names that people know: "the campaign Welcome", where the condition has a short name."""

from __future__ import annotations

from typing import Any

from events.conditions import Node, parse
from events.conditions.kinds import Field, Kind, known
from events.conditions.places import is_foreign
from events.conditions.words import say

Labels = dict[tuple[str, str], dict[str, str]]


def tell(tree: Any) -> str:
    """Return ``tree`` in words. Raises ConditionError. Reads the names that a kind of question has at most once."""
    return say(shown(tree))


def shown(tree: Any) -> Node:
    """Return what ``tree`` asks with names for short names: to be said, never to be asked. Raises ConditionError."""
    # What is wrong is told of what was written.
    parse(tree)
    return parse(_named(tree, {}))


def _named(tree: Any, labels: Labels) -> Any:
    match tree:
        case dict():
            named = {key: _named(value, labels) for key, value in tree.items()}
            kind = next((kind for key, kind in known().items() if key in tree), None) if is_foreign(tree) else None
            return named | _labels(kind, tree, labels) if kind else named
        case list():
            return [_named(each, labels) for each in tree]
    return tree


def _labels(kind: Kind, tree: dict[str, Any], labels: Labels) -> dict[str, str]:
    """Return the fields of a question that hold a short name, with the name."""
    fields = kind.form.fields if kind.form else ()
    return {
        each.key: _names(kind, each, labels).get(tree[each.key]) or tree[each.key]
        for each in fields
        if each.names is not None and isinstance(tree.get(each.key), str)
    }


def _names(kind: Kind, field: Field, labels: Labels) -> dict[str, str]:
    key = kind.key, field.key
    if key not in labels:
        labels[key] = dict(field.names()) if field.names else {}
    return labels[key]
