"""Try a mapping on a payload: what it would become, and what to mend, without storing anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from django.utils import timezone
from msgspec import Raw

from events import expressions, mapping, raw_json
from events.admin import mapping_form
from events.admin.mapping_form import Call
from events.api import hook_calls, hooks
from events.api.refusal import Refusal
from events.expressions import ExpressionError, Payload
from events.ingest import Item

# Of a list only the first few are shown.
SHOWN = 5
MAX_PATHS = 200
FOUND_LETTERS = 60


@dataclass(frozen=True, slots=True)
class Line:
    """What one call of the mapping made of one payload."""

    number: int
    item: Item | None = None
    call: Any = None
    refusal: Refusal | None = None


@dataclass(slots=True)
class Note:
    """What stands below a field: its problem, or the value it finds."""

    slot: str
    text: str = ""
    is_bad: bool = False


@dataclass(slots=True)
class Trial:
    """``payload_problem`` says why there is nothing to try; ``more`` counts payloads that are not shown."""

    lines: list[list[Line]] = field(default_factory=list)
    notes: dict[str, Note] = field(default_factory=dict)
    paths: list[str] = field(default_factory=list)
    payload_problem: str = ""
    more: int = 0

    @property
    def is_usable(self) -> bool:
        return not any(note.is_bad for note in self.notes.values())


def problems(calls: list[Call]) -> dict[str, str]:
    """Return what is wrong with a mapping whatever the payload, by slot."""
    slots = mapping_form.slots(calls)
    found = dict(mapping_form.doubled(calls))
    try:
        mapping.parse(mapping_form.tree(calls))
    except mapping.MappingError as error:
        for problem in error.problems:
            found.setdefault(slots.get(problem.path, "hook-calls"), problem.message)
    return found


def run(calls: list[Call], text: str, headers: Mapping[str, str]) -> Trial:
    """Try the mapping on what stands in the payload field."""
    trial = Trial(notes={slot: Note(slot) for slot in mapping_form.slots(calls).values()})
    wrong = problems(calls)
    for slot, message in wrong.items():
        trial.notes[slot] = Note(slot, message, is_bad=True)
    try:
        raws = hook_calls.payloads(raw_json.storable(text.encode()), hook_calls.FORM if "=" in text else "")
        for raw in raws[:SHOWN]:
            _try(trial, calls, raw, hooks.named(headers), bool(wrong))
        trial.more = max(len(raws) - SHOWN, 0)
    except Refusal as refusal:
        trial.payload_problem = refusal.message if text.strip() else "Paste a payload here to see what it becomes."
    return trial


def _try(trial: Trial, calls: list[Call], raw: Raw, headers: Mapping[str, str], is_wrong: bool) -> None:
    is_first = not trial.paths
    payload = Payload(bytes(raw), headers)
    rules = [] if is_wrong else mapping.parse(mapping_form.tree(calls))
    made = hook_calls.tried(rules, raw, headers, timezone.now())
    if is_first:
        trial.paths = list(_paths(msgspec.json.decode(payload.raw), "$"))[:MAX_PATHS]
        _note_found(trial, calls, payload)
    if rules:
        trial.lines.append([_line(number, one) for number, one in enumerate(made, 1)])
    slots = mapping_form.slots(calls)
    for one in made:
        if one.refusal and (slot := slots.get(one.refusal.field)):
            trial.notes[slot] = Note(slot, one.refusal.message, is_bad=True)


def _line(number: int, made: hook_calls.Made) -> Line:
    call = msgspec.json.decode(made.call) if made.call else None
    return Line(number, made.item, call, made.refusal)


def _note_found(trial: Trial, calls: list[Call], payload: Payload) -> None:
    """Say below each field what it finds in the payload."""
    for slot, expression in _expressions(calls):
        note = trial.notes.get(slot)
        if expression and note and not note.is_bad:
            try:
                found = expressions.parse(expression).find(payload)
            except ExpressionError as error:
                trial.notes[slot] = Note(slot, str(error), is_bad=True)
                continue
            note.text = "→ nothing in this payload" if found is None else f"→ {_short(found.decode())}"


def _expressions(calls: list[Call]) -> Iterator[tuple[str, str]]:
    for number, call in enumerate(calls):
        for name, text in call.places.items():
            yield mapping_form.slot(number, name), text
        for index, word in enumerate(call.words):
            yield mapping_form.word_slot(number, index), word.expression
        if call.test:
            yield mapping_form.slot(number, "only_when"), call.value


def _short(text: str) -> str:
    return text if len(text) <= FOUND_LETTERS else text[: FOUND_LETTERS - 1] + "…"


def _paths(value: Any, path: str) -> Iterator[str]:
    """Name every value of a payload by its path: what the fields suggest."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _paths(inner, f"{path}.{name}" if expressions.is_plain(name) else f"{path}[{_quoted(name)}]")
    elif isinstance(value, list) and value:
        yield f"{path}[*]"
        yield from _paths(value[0], f"{path}[0]")
    else:
        yield path


def _quoted(name: str) -> str:
    return f'"{name}"' if "'" in name else f"'{name}'"
