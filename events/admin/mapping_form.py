"""A mapping as a form: rows that are read from what was typed, written as the mapping's JSON, and the other way round.

Nothing typed is lost: what is wrong stays in the rows, and its problem is shown beside it. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from events import mapping

# What a condition may ask, as the form says it.
TESTS = {
    "": "always",
    "is": "only when … is",
    "is_not": "only when … is not",
    "in": "only when … is one of",
    "exists": "only when … is there",
    "absent": "only when … is not there",
}
WITH_OPERAND = ("is", "is_not", "in")


class Posted(Protocol):
    """What a form sent: Django's QueryDict."""

    def get(self, name: str, /) -> Any: ...

    def getlist(self, name: str, /) -> list[Any]: ...


@dataclass(slots=True)
class Word:
    """One property or trait: its name, and where its value is."""

    name: str = ""
    expression: str = ""

    @property
    def is_blank(self) -> bool:
        return not (self.name or self.expression)


@dataclass(slots=True)
class Call:
    """One call of the mapping, as typed."""

    type: str = "track"
    places: dict[str, str] = field(default_factory=dict)
    everything: bool = False
    words: list[Word] = field(default_factory=list)
    test: str = ""
    value: str = ""
    operand: str = ""


def posted(data: Posted) -> list[Call]:
    """Read what was typed."""
    count = str(data.get("calls") or "")
    number = min(int(count), mapping.MAX_CALLS) if count.isascii() and count.isdigit() and len(count) < 4 else 0
    return [_posted_call(data, f"c{index}-") for index in range(number)]


def _posted_call(data: Posted, prefix: str) -> Call:
    def text(name: str) -> str:
        return str(data.get(prefix + name) or "").strip()

    names, expressions = data.getlist(f"{prefix}name"), data.getlist(f"{prefix}expression")
    words = [Word(str(name).strip(), str(typed).strip()) for name, typed in zip(names, expressions, strict=False)]
    return Call(
        type=text("type"),
        places={name: text(name) for name in mapping.PLACES},
        everything=bool(text("everything")),
        words=words[: mapping.MAX_WORDS],
        test=text("test") if text("test") in TESTS else "",
        value=text("value"),
        operand=text("operand"),
    )


def tree(calls: list[Call]) -> dict[str, Any]:
    """Return the mapping that the rows say."""
    return {"calls": [_tree_of_call(call) for call in calls]}


def _tree_of_call(call: Call) -> dict[str, Any]:
    made: dict[str, Any] = {"type": call.type}
    made |= {name: text for name, text in call.places.items() if text and (name != "event" or call.type == "track")}
    words = {word.name: word.expression for word in call.words if not word.is_blank}
    if words:
        made[mapping.WORDS.get(call.type, "properties")] = words
    if call.everything:
        made["everything"] = True
    if call.test:
        made["only_when"] = {"value": call.value, **_comparison(call)}
    return made


def _comparison(call: Call) -> dict[str, Any]:
    match call.test:
        case "exists" | "absent":
            return {"exists": call.test == "exists"}
        case "in":
            return {"in": [part.strip() for part in call.operand.split(",") if part.strip()]}
        case test:
            return {test: call.operand}


def rows(stored: object) -> list[Call]:
    """Return a mapping's rows; of one that is no mapping, what can be made of it."""
    calls = stored.get("calls") if isinstance(stored, dict) else None
    return [_row(call) for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []


def _row(call: dict[str, Any]) -> Call:
    kind = call.get("type")
    words = call.get(mapping.WORDS.get(str(kind), "properties"))
    test, value, operand = _condition(call.get("only_when"))
    return Call(
        type=str(kind),
        places={name: str(call.get(name) or "") for name in mapping.PLACES},
        everything=call.get("everything") is True,
        words=[Word(str(name), str(text)) for name, text in words.items()] if isinstance(words, dict) else [],
        test=test,
        value=value,
        operand=operand,
    )


def _condition(stored: object) -> tuple[str, str, str]:
    if not isinstance(stored, dict):
        return "", "", ""
    value = str(stored.get("value") or "")
    if "exists" in stored:
        return "exists" if stored["exists"] else "absent", value, ""
    for test in WITH_OPERAND:
        if test in stored:
            operand = stored[test]
            parts = operand if isinstance(operand, list) else [operand]
            return test, value, ", ".join(mapping.as_words(part) for part in parts)
    return "", "", ""


def act(calls: list[Call], action: str) -> None:
    """Do what a button asks: ``add-call``, ``remove-call:0``, ``add-word:0``, ``remove-word:0:2``."""
    verb, *numbers = action.split(":")
    at = [int(number) for number in numbers if number.isascii() and number.isdigit() and len(number) < 5]
    match verb, at:
        case "add-call", [] if len(calls) < mapping.MAX_CALLS:
            calls.append(_row({**mapping.DEFAULT["calls"][0], "everything": False}))
        case "remove-call", [number] if number < len(calls) > 1:
            del calls[number]
        case "add-word", [number] if number < len(calls):
            calls[number].words.append(Word())
        case "remove-word", [number, word] if number < len(calls) and word < len(calls[number].words):
            del calls[number].words[word]


def doubled(calls: list[Call]) -> Iterator[tuple[str, str]]:
    """Name the slots of words whose name is missing or taken: JSON cannot say them."""
    for number, call in enumerate(calls):
        seen: set[str] = set()
        for index, word in enumerate(call.words):
            if not word.is_blank and not word.name:
                yield word_slot(number, index), "Give it a name."
            elif word.name in seen:
                yield word_slot(number, index), f"“{word.name}” stands here twice. Give one of them another name."
            seen.add(word.name or "")


def slot(number: int, name: str) -> str:
    """Return the id of the line below a field."""
    return f"hook-{number}-{name}"


def word_slot(number: int, index: int) -> str:
    return f"hook-{number}-word-{index}"


def slots(calls: list[Call]) -> dict[str, str]:
    """Return the slot of each place of the mapping, such as ``calls[0].user_id``."""
    found = {"calls": "hook-calls"}
    for number, call in enumerate(calls):
        for name in ("type", "everything", "only_when", *mapping.PLACES):
            found[mapping.place(number, name)] = slot(number, name)
        words = mapping.WORDS.get(call.type, "properties")
        found[mapping.place(number, words)] = slot(number, "words")
        for index, word in enumerate(call.words):
            # Two of one name are told apart by their number: JSON has place for the last alone.
            path = mapping.place(number, f"{words}.{word.name}")
            found[f"{path}#{index}" if path in found else path] = word_slot(number, index)
    return found
