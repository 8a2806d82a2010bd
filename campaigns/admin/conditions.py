"""The conditions of the workflow editor: shown as JSON text for the builder, and read back from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError

from events.admin.condition_field import ConditionField
from events.conditions import ConditionError
from events.telling import tell

FIELD = ConditionField(required=False)


@dataclass(frozen=True, slots=True)
class Typed:
    """A condition as typed: its text, the tree that it says (None for no condition), and what is wrong with it."""

    text: str = ""
    tree: Any = None
    error: str = ""


def show(tree: Any) -> Typed:
    """Return a stored condition as text."""
    return Typed(str(FIELD.prepare_value(tree)), tree)


def read(text: str) -> Typed:
    """Return what was typed, with its mistake where there is one."""
    try:
        return show(FIELD.clean(text))
    except ValidationError as error:
        return Typed(text, None, " ".join(error.messages))


def words(tree: Any) -> str:
    """Say a condition in words, short and for people."""
    try:
        return tell(tree)
    except ConditionError:
        return "a condition that cannot be read"
