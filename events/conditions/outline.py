"""Lay a condition out in lines, where one sentence would need brackets within brackets. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from events.conditions.nodes import AllOf, AnyOf, Node, Not
from events.conditions.words import say

# So many joinings within each other still read well as a sentence: "a and (b or c)".
SENTENCE = 2


def outline(node: Node) -> list[tuple[int, str]]:
    """Return lines with how deep each is set in, from 0; nothing for what a sentence says well."""
    return list(_lines(node, 0)) if _depth(node) > SENTENCE else []


def _lines(node: Node, level: int) -> Iterator[tuple[int, str]]:
    if not (head := _head(node)):
        yield level, say(node)
        return
    yield level, head
    for part in _joined(node):
        yield from _lines(part, level + 1)


def _head(node: Node) -> str:
    match node:
        case AllOf(parts) if len(parts) > 1:
            return "all of these:"
        case AnyOf(parts) if len(parts) > 1:
            return "at least one of these:"
        case Not(AllOf(parts)) if len(parts) > 1:
            return "not all of these:"
        case Not(AnyOf(parts)) if len(parts) > 1:
            return "none of these:"
    return ""


def _joined(node: Node) -> tuple[Node, ...]:
    match node:
        case AllOf(parts) | AnyOf(parts):
            return tuple(parts)
        case Not(part):
            return _joined(part)
    return ()


def _depth(node: Node) -> int:
    below = max((_depth(part) for part in _joined(node)), default=0)
    return below + 1 if _head(node) else below
