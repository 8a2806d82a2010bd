"""Questions that only other rooms can answer, such as consent: they register how to read and how to ask them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import Q

from events.audience.scope import Scope
from events.conditions import kinds
from events.conditions.kinds import Kind
from events.conditions.nodes import Foreign

Ask = Callable[[Any, Scope], Q]
_answers: dict[str, Ask] = {}


def register(kind: Kind, ask: Ask) -> None:
    """Add a kind of question; called by a room's ``AppConfig.ready``.

    ``ask`` returns the filter for a question that ``kind.read`` has returned. It has to be false, never NULL, for
    people of whom nothing is known.
    """
    kinds.add(kind)
    _answers[kind.key] = ask


def answer(node: Foreign, scope: Scope) -> Q:
    """Return the filter for a question of another room."""
    return _answers[node.key](node.question, scope)
