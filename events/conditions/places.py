"""Say where in a tree each node of a condition stands: the paths that mistakes, warnings and verdicts bear. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from events.conditions import reading
from events.conditions.nodes import AllOf, AnyOf, Node, Not, Performed, Sequence, What
from events.conditions.reading import TYPES, parse

Tree = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """``node`` stands at ``path`` ("" is the root) and was read from ``tree``.

    ``what`` are the events whose ``where`` it belongs to, None for what is about the person or the event at hand.
    """

    path: str
    node: Node
    tree: Tree
    what: What | None = None


@dataclass(frozen=True, slots=True)
class Named:
    """Events that are asked for at ``path``, which ends with the key of their name."""

    path: str
    what: What


def places(tree: Tree) -> list[Place]:
    """Return every node of ``tree``, each before what is below it. Raises ConditionError."""
    return list(_places(parse(tree), tree, "", None))


def parts(place: Place) -> list[Place]:
    """Return what is joined at ``place``; nothing for a leaf."""
    match place.node:
        case _ if is_foreign(place.tree):
            return []
        case AllOf(nodes) | AnyOf(nodes):
            key = "all" if isinstance(place.node, AllOf) else "any"
            path = join(place.path, key)
            return [
                Place(f"{path}[{index}]", node, place.tree[key][index], place.what) for index, node in enumerate(nodes)
            ]
        case Not(node):
            return [Place(join(place.path, "not"), node, place.tree["not"], place.what)]
    return []


def named(place: Place) -> list[Named]:
    """Return the events that the leaf at ``place`` asks for, in its order."""
    return [Named(join(path, key), what) for path, _, key, what in _steps(place)]


def is_foreign(tree: Tree) -> bool:
    """Say whether another room has read ``tree``, into a question of its own or what the language says already."""
    return not any(key in tree for key in reading.KEYS)


def join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _places(node: Node, tree: Tree, path: str, what: What | None) -> Iterator[Place]:
    here = Place(path, node, tree, what)
    yield here
    for part in parts(here):
        yield from _places(part.node, part.tree, part.path, what)
    for step, step_tree, _, asked in _steps(here):
        if asked.where is not None:
            yield from _places(asked.where, step_tree["where"], join(step, "where"), asked)


def _steps(place: Place) -> Iterator[tuple[str, Tree, str, What]]:
    """Yield path, tree, key of the name, and what is meant, of each kind of events that a leaf speaks of."""
    node, tree, path = place.node, place.tree, place.path
    match node:
        case _ if is_foreign(tree):
            return
        case Performed():
            yield path, tree, _key(tree), node.what
            if node.then_not is not None:
                yield join(path, "then_not"), tree["then_not"], _key(tree["then_not"]), node.then_not.what
        case Sequence(steps):
            for index, step in enumerate(steps):
                yield f"{join(path, 'sequence')}[{index}]", tree["sequence"][index], _key(tree["sequence"][index]), step


def _key(tree: Tree) -> str:
    return next(key for key in TYPES if key in tree)
