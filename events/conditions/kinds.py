"""Kinds of questions that other rooms add to the language, such as consent: see ``events.audience.foreign``. Pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Control = Literal["name", "choice", "flag", "text", "span", "moment", "count"]


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a question as people fill it in.

    ``control`` is what it holds: a "name" out of ``names()``, a "choice" out of ``choices``, a "flag" (true or false),
    a "text", a "span" such as 7d, a "moment" such as 2026-05-01, or a "count" such as {"gte": 3}. ``choices`` and
    ``names`` are values with their labels; ``names`` asks the database and returns all there are. A value that it does
    not return is worth a warning. ``only`` is another field's key with those of its values for which there is this one.
    """

    key: str
    label: str
    control: Control
    required: bool = False
    choices: tuple[tuple[Any, str], ...] = ()
    names: Callable[[], Iterable[tuple[str, str]]] | None = None
    only: tuple[str, tuple[Any, ...]] | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """How a kind is offered to people who do not write JSON: under ``label``, with these fields in this order."""

    label: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """``key`` marks a tree of this kind, which may have the keys ``known`` besides.

    ``read`` returns the question that a tree asks, or, where the language can say it already, the node that says it. It
    raises ValueError with what is wrong; a second argument names the key it is about. Events of the names ``wakes`` may
    change the answer. A kind without a ``form`` is for JSON alone.
    """

    key: str
    known: frozenset[str]
    read: Callable[[Mapping[str, Any]], Hashable]
    wakes: frozenset[str] = frozenset()
    form: Form | None = None


_kinds: dict[str, Kind] = {}


def add(kind: Kind) -> None:
    """Have ``parse`` know ``kind`` from now on."""
    _kinds[kind.key] = kind


def known() -> Mapping[str, Kind]:
    """Return all kinds by their keys."""
    return _kinds
