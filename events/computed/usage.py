"""Where a computed trait is used: it is not deleted from under those who do. Other rooms register where they look."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from events.models import Segment
from events.segments.usage import Use, of_segment

_finders: list[Callable[[str], Iterator[Use]]] = []


def register(find: Callable[[str], Iterator[Use]]) -> None:
    """Ask ``find`` as well where the trait of a name is used."""
    _finders.append(find)


def mentions(tree: Any, name: str) -> bool:
    """Say whether JSON speaks of a trait: a condition asks about it, or a text shows it by Liquid."""
    if isinstance(tree, str):
        return shows(tree, name)
    if isinstance(tree, list):
        return any(mentions(part, name) for part in tree)
    if not isinstance(tree, dict):
        return False
    asked = tree.get("trait")
    if "group" not in tree and isinstance(asked, str) and asked.split(".")[0] == name:
        return True
    return any(mentions(part, name) for part in tree.values())


def shows(text: str, name: str) -> bool:
    """Say whether Liquid in a text reads the trait: ``customer.name`` or ``customer["name"]``."""
    place = rf"""\bcustomer\s*(?:\.\s*{name}\b|\[\s*["']{name}["']\s*\])"""
    return name in text and re.search(place, text) is not None


def uses(name: str) -> list[Use]:
    """Return all that uses the trait ``name``."""
    found = [
        of_segment(segment)
        for segment in Segment.objects.exclude(condition=None).order_by("name")
        if mentions(segment.condition, name)
    ]
    return found + [use for find in _finders for use in find(name)]
