"""Conditions as data: the one JSON tree that triggers, segments, branches, waits and goals are written in. Pure.

``docs/conditions.md`` is the language and what each word of it means, missing values, types and time zones included.
``parse`` reads a tree; ``events.audience`` turns what was read into SQL; there is no evaluator in Python.
"""

from events.conditions.nodes import (
    AllOf,
    AnyOf,
    Belongs,
    Compare,
    Count,
    Edge,
    Followed,
    Foreign,
    Node,
    Not,
    Performed,
    Sequence,
    Total,
    What,
    walk,
)
from events.conditions.reading import ConditionError, parse

__all__ = [
    "AllOf",
    "AnyOf",
    "Belongs",
    "Compare",
    "ConditionError",
    "Count",
    "Edge",
    "Followed",
    "Foreign",
    "Node",
    "Not",
    "Performed",
    "Sequence",
    "Total",
    "What",
    "parse",
    "walk",
]
