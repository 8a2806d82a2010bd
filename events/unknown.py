"""Warn of names in conditions that nobody has met yet, with the known name that is spelled most like them.

A warning never keeps anybody from anything: a name may be new, or so rare that the catalogue has forgotten it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from events import catalog, vocabulary
from events.conditions import Belongs, Compare
from events.conditions.kinds import known as foreign_kinds
from events.conditions.nodes import Performed, Sequence, Total, What
from events.conditions.places import Place, is_foreign, join, named, places
from events.conditions.reading import TYPES
from events.vocabulary import About

KEYS = {type_: key for key, type_ in TYPES.items()}


@dataclass(frozen=True, slots=True)
class Unknown:
    """A name that nobody has met yet. ``message`` is a sentence or two, ``nearest`` the name that was perhaps meant."""

    path: str
    message: str
    nearest: str = ""


@dataclass(slots=True)
class _Known:
    """The known names, each kind looked up once."""

    found: dict[tuple[str, About], list[str]] = field(default_factory=dict)

    def names(self, kind: str, about: About) -> list[str]:
        if (kind, about) not in self.found:
            self.found[kind, about] = [word.value for word in vocabulary.words(kind, about)]
        return self.found[kind, about]


def warnings(tree: Any, at_hand: What | None = None) -> list[Unknown]:
    """Return what ``tree`` names and nobody has met, in its order. ``at_hand`` is the event it is asked about.

    Raises ConditionError. Reads the names of each kind once, whatever the size of the tree.
    """
    known = _Known()
    return [found for place in places(tree) for found in _of(place, at_hand, known)]


def _of(place: Place, at_hand: What | None, known: _Known) -> Iterator[Unknown]:
    node, tree, path = place.node, place.tree, place.path
    for each in named(place):
        yield from _check(KEYS[each.what.type], each.what.event, each.path, known)
    if is_foreign(tree):
        yield from _fields(place, known)
        return
    match node:
        case Compare("trait", keys):
            yield from _check_path("trait", keys, join(path, "trait"), known, vocabulary.NOTHING)
        case Compare("property", keys) if what := place.what or at_hand:
            about = About(event=what.event, type=what.type)
            yield from _check_path("property", keys, join(path, "property"), known, about)
        case Belongs(type_, compare):
            yield from _check("group", type_, join(path, "group"), known)
            if compare is not None:
                yield from _check_path("group_trait", compare.path, join(path, "trait"), known, About(group=type_))
    yield from _measured(place, known)


def _fields(place: Place, known: _Known) -> Iterator[Unknown]:
    """Check the names in another room's question."""
    kind = next(kind for key, kind in foreign_kinds().items() if key in place.tree)
    for each in kind.form.fields if kind.form else ():
        value = place.tree.get(each.key)
        if each.names is not None and isinstance(value, str):
            yield from _check(vocabulary.of_field(kind, each), value, join(place.path, each.key), known)


def _measured(place: Place, known: _Known) -> Iterator[Unknown]:
    """Check the property that a sum or "same" speaks of."""
    match place.node:
        case Performed(what, measure=Total(function, keys)):
            key = f"{function}.property"
        case Sequence((what, *_), same=(_, *_) as keys):
            key = "same"
        case _:
            return
    about = About(event=what.event, type=what.type)
    yield from _check_path("property", keys, join(place.path, key), known, about)


def _check(kind: str, name: str, path: str, known: _Known) -> Iterator[Unknown]:
    names = known.names(kind, vocabulary.NOTHING)
    if name not in names:
        yield _unknown(kind, name, path, names)


def _check_path(kind: str, keys: tuple[str, ...], path: str, known: _Known, about: About) -> Iterator[Unknown]:
    """Check a path by the part of it that the catalogue keeps: objects to a depth, and no places in lists.

    Of an event or group that is itself unknown nothing more is said.
    """
    names, name = known.names(kind, about), ".".join(keys)
    known_at_all = bool(names) or kind == "trait"
    if known_at_all and name not in names and not _is_deeper(keys, names):
        yield _unknown(kind, name, path, names, about)


def _is_deeper(keys: tuple[str, ...], names: list[str]) -> bool:
    """Say whether something on the way is known and what is below it is not: a list, or deeper than is learned."""
    for length in range(1, len(keys)):
        head = ".".join(keys[:length])
        if head in names and not any(name.startswith(f"{head}.") for name in names):
            return True
    return False


def _unknown(kind: str, name: str, path: str, names: list[str], about: About = vocabulary.NOTHING) -> Unknown:
    near = catalog.spelled_like(name, names)
    return Unknown(path, _said(kind, name, about) + (f" Did you mean “{near}”?" if near else ""), near)


def _said(kind: str, name: str, about: About) -> str:
    match kind:
        case "event":
            return f"No event “{name}” has come in yet."
        case "page" | "screen":
            return f"No {kind} “{name}” has been seen of late."
        case "trait":
            return f"Nobody has a trait “{name}” yet."
        case "group":
            return f"There is no group of the type “{name}” yet."
        case "group_trait":
            return f"No {about.group} has a trait “{name}” yet."
        case "property":
            return f"No {KEYS[about.type]} “{about.event}” of late has had a property “{name}”."
    return f"There is no {kind.rsplit('.')[-1].replace('_', ' ')} “{name}”."
