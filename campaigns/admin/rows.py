"""Show a condition as simple rows and read rows back: field, operator, value. Pure.

Only a flat list of comparisons fits into rows. Every other tree is kept as it is and shown as JSON text.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, replace
from typing import Any, Protocol

from events.conditions import ConditionError, parse
from events.conditions.reading import DATED
from events.conditions.words import OPERATORS as SAID
from events.conditions.words import say

SUBJECTS = {"trait": "The person’s", "property": "The event’s"}
# Dates do not fit into a line: they are written as JSON.
OPERATORS = {
    **{name: said for name, said in SAID.items() if name not in DATED},
    "exists": "has any value",
    "missing": "has no value",
}
WITHOUT_VALUE = ("exists", "missing")
NUMBERS_ONLY = ("gt", "gte", "lt", "lte")
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")


class Posted(Protocol):
    """What a query dictionary offers."""

    def get(self, key: str, default: Any = None, /) -> Any: ...
    def getlist(self, key: str, /) -> list[Any]: ...
    def __contains__(self, key: str, /) -> bool: ...


@dataclass(frozen=True, slots=True)
class Row:
    """One line as typed. ``error`` says what is wrong with it."""

    subject: str = "trait"
    name: str = ""
    operator: str = "is"
    value: str = ""
    error: str = ""

    @property
    def reading(self) -> str:
        """Say how the value is understood: a text, a number or true/false."""
        if self.operator in (*WITHOUT_VALUE, "starts", "in") or not self.value:
            return ""
        guessed = guess(self.value)
        return "true/false" if isinstance(guessed, bool) else "text" if isinstance(guessed, str) else "number"


@dataclass(frozen=True, slots=True)
class Rows:
    """A condition on the page. ``kept`` is a tree that rows cannot show; then there are none."""

    match: str = "all"
    rows: tuple[Row, ...] = ()
    kept: Any = None
    errors: tuple[str, ...] = ()

    @property
    def kept_text(self) -> str:
        return json.dumps(self.kept, indent=2, ensure_ascii=False)

    @property
    def bad(self) -> bool:
        return bool(self.errors) or any(row.error for row in self.rows)


def show(tree: Any) -> Rows:
    """Return ``tree`` as rows, or kept as it is where they cannot say the same."""
    if tree is None:
        return Rows()
    match, leaves = "all", [tree]
    if isinstance(tree, dict) and len(tree) == 1 and next(iter(tree)) in ("all", "any"):
        match, leaves = next(iter(tree.items()))
    rows = [_show_leaf(leaf) for leaf in leaves] if isinstance(leaves, list) and leaves else [None]
    if any(row is None for row in rows):
        return Rows(kept=tree)
    return Rows(match=match, rows=tuple(row for row in rows if row))


def read(posted: Posted, prefix: str) -> Rows:
    """Return the rows of a form as typed, each with its own error. Lines left quite empty are kept on the page."""
    kept = posted.get(f"{prefix}-kept")
    if kept:
        return _read_kept(kept)
    columns = [posted.getlist(f"{prefix}-{name}") for name in ("subject", "name", "operator", "value")]
    rows = tuple(_checked(Row(*map(str, cells))) for cells in zip(*columns, strict=False))
    return Rows("any" if posted.get(f"{prefix}-match") == "any" else "all", rows)


def tree(rows: Rows) -> Any:
    """Return the condition that ``rows`` without errors say, None for no condition. Empty lines say nothing."""
    if rows.kept is not None:
        return rows.kept
    leaves = [_leaf(row) for row in rows.rows if row.name.strip()]
    if len(leaves) < 2:
        return leaves[0] if leaves else None
    return {rows.match: leaves}


def guess(value: str) -> Any:
    """Read a typed value: true/false, a number, else a text. Quotation marks keep a text a text: ``"42"``."""
    text = value.strip()
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if _NUMBER.fullmatch(text):
        number = float(text)
        return number if "." in text and math.isfinite(number) else int(text)
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def write(value: Any) -> str:
    """Write a value so that ``guess`` reads it back as it is."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    text = str(value)
    return text if text and guess(text) == text else f'"{text}"'


def words(tree: Any) -> str:
    """Say a condition in words, short and for people."""
    shown = show(tree)
    if shown.kept is not None:
        return _kept_words(shown.kept)
    joint = " or " if shown.match == "any" else " and "
    return joint.join(_row_words(row) for row in shown.rows)


def _kept_words(tree: Any) -> str:
    try:
        return f"the person {say(parse(tree))}"
    except ConditionError:
        return "a condition that cannot be read"


def _row_words(row: Row) -> str:
    of = "the event’s " if row.subject == "property" else ""
    value = "" if row.operator in WITHOUT_VALUE else f" {row.value}"
    return f"{of}{row.name} {OPERATORS[row.operator]}{value}"


def _show_leaf(leaf: Any) -> Row | None:
    if not isinstance(leaf, dict) or len(leaf) != 2:
        return None
    subject = next((key for key in SUBJECTS if key in leaf), "")
    operator = next((key for key in leaf if key != subject), "")
    name, value = leaf.get(subject), leaf[operator]
    if not isinstance(name, str) or operator not in OPERATORS or operator == "missing":
        return None
    if operator == "exists":
        return Row(subject, name, "exists" if value else "missing") if isinstance(value, bool) else None
    text = _list_text(value) if operator == "in" else write(value) if _scalar(value) else None
    row = None if text is None else Row(subject, name, operator, text)
    # What rows would not write back word for word is not theirs to show.
    return row if row and _leaf(row) == leaf and type(_leaf(row)[operator]) is type(value) else None


def _list_text(value: Any) -> str | None:
    if not isinstance(value, list) or not all(_scalar(item) for item in value):
        return None
    return ", ".join(write(item) for item in value)


def _scalar(value: Any) -> bool:
    return isinstance(value, str | int | float | bool)


def _leaf(row: Row) -> dict[str, Any]:
    if row.operator in WITHOUT_VALUE:
        return {row.subject: row.name.strip(), "exists": row.operator == "exists"}
    return {row.subject: row.name.strip(), row.operator: _value(row)}


def _value(row: Row) -> Any:
    if row.operator == "in":
        return [guess(part) for part in row.value.split(",") if part.strip()]
    value = guess(row.value)
    return str(row.value.strip()) if row.operator == "starts" and not isinstance(value, str) else value


def _checked(row: Row) -> Row:
    if row.subject not in SUBJECTS or row.operator not in OPERATORS:
        return replace(Row(name=row.name, value=row.value), error="Choose again: this is not a known comparison.")
    return replace(row, error=_mistake(row))


def _mistake(row: Row) -> str:
    if not row.name.strip():
        return "Name the field to look at." if row.value.strip() else ""
    if row.operator in WITHOUT_VALUE:
        return ""
    if not row.value.strip():
        return f"Give a value for {row.name.strip()}."
    number = guess(row.value)
    if row.operator in NUMBERS_ONLY and (isinstance(number, bool) or not isinstance(number, int | float)):
        return f"{row.name.strip()}: “{OPERATORS[row.operator]}” needs a number."
    return ""


def _read_kept(text: str) -> Rows:
    try:
        return Rows(kept=json.loads(text))
    except (ValueError, RecursionError) as error:
        return Rows(kept=text, errors=(f"This is not JSON: {error}",))


def with_blank(rows: Rows) -> Rows:
    """Return ``rows`` with one more empty line to fill in."""
    return replace(rows, rows=(*rows.rows, Row()))


def without(rows: Rows, index: int) -> Rows:
    """Return ``rows`` without the line ``index``, counted from 0."""
    return replace(rows, rows=(*rows.rows[:index], *rows.rows[index + 1 :]))
