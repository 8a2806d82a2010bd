"""Kinds of questions that other rooms add to the language, such as consent: see ``register``."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.db.models import Q

    from events.audience.scope import Scope

# Raises ValueError with what is wrong; a second argument names the key it is about.
Read = Callable[[Mapping[str, Any]], Hashable]


@dataclass(frozen=True, slots=True)
class Kind:
    """``key`` marks a tree of this kind, which may have the keys ``known`` besides.

    ``read`` returns the question of a tree, ``compile`` the filter that answers it; it has to be false, never NULL,
    for people of whom nothing is known.
    """

    key: str
    known: frozenset[str]
    read: Read
    compile: Callable[[Any, Scope], Q]


_kinds: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    """Add a kind; called by the rooms' ``AppConfig.ready``."""
    _kinds[kind.key] = kind


def of(key: str) -> Kind:
    """Return the kind that is registered under ``key``."""
    return _kinds[key]


def registered() -> Mapping[str, Kind]:
    """Return all kinds by their keys."""
    return _kinds
