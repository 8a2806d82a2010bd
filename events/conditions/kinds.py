"""Kinds of questions that other rooms add to the language, such as consent: see ``events.audience.foreign``. Pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Kind:
    """``key`` marks a tree of this kind, which may have the keys ``known`` besides.

    ``read`` returns the question that a tree asks. It raises ValueError with what is wrong; a second argument names
    the key it is about. Events of the names ``wakes`` may change the answer.
    """

    key: str
    known: frozenset[str]
    read: Callable[[Mapping[str, Any]], Hashable]
    wakes: frozenset[str] = frozenset()


_kinds: dict[str, Kind] = {}


def add(kind: Kind) -> None:
    """Have ``parse`` know ``kind`` from now on."""
    _kinds[kind.key] = kind


def known() -> Mapping[str, Kind]:
    """Return all kinds by their keys."""
    return _kinds
