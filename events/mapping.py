"""Turn any JSON that a webhook sends into calls of the tracking API, as a source's mapping says. Pure.

A mapping is JSON, edited as a form in the admin::

    {"calls": [{
        "type": "track",                             or identify
        "user_id": "$.customer.id",                  each an expression (events.expressions)
        "anonymous_id": "$.visitor",
        "event": "Order Completed",
        "timestamp": "$.created_at",                 ISO 8601 or Unix seconds; nothing: when it came in
        "message_id": "$.delivery_id",               a repeated one counts once
        "properties": {"total": "$.order.total"},    of an identify: "traits"
        "everything": false,                         also what else the payload holds, by its own names
        "only_when": {"value": "$.topic", "is": "orders/paid"}
    }]}

An empty mapping is ``DEFAULT``. What comes out goes through the same checks as every other call
(``events.api.hook_calls``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
from msgspec import Raw

from events import expressions
from events.expressions import Expression, ExpressionError, Payload, as_text

# The kinds of call, and where each keeps its words.
WORDS = {"track": "properties", "identify": "traits"}
# Our names, and those of a call.
PLACES = {
    "user_id": "userId",
    "anonymous_id": "anonymousId",
    "event": "event",
    "timestamp": "timestamp",
    "message_id": "messageId",
}
# A fixed text there would be the same for every payload: somebody forgot the $.
LOOKED_UP = ("user_id", "anonymous_id", "timestamp", "message_id")
TESTS = ("is", "is_not", "in", "exists")
KNOWN = frozenset(("type", "everything", "only_when", *PLACES, *WORDS.values()))
MAX_CALLS = 10
MAX_WORDS = 200
# Unix times above this are milliseconds: as seconds they would lie beyond the year 5000.
MILLISECONDS_FROM = 10**11

DEFAULT: dict[str, Any] = {
    "calls": [
        {
            "type": "track",
            "user_id": "$.user_id or $.userId or $.customer_id or $.customerId or $.user.id or $.customer.id",
            "anonymous_id": "$.anonymous_id or $.anonymousId",
            "event": "$.event or $.event_name or $.type or $.name",
            "timestamp": "$.timestamp or $.occurred_at",
            "message_id": "$.message_id or $.messageId",
            "everything": True,
        }
    ]
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at which place of a mapping, such as ``calls[0].user_id``."""

    path: str
    message: str


class MappingError(ValueError):
    """Raised for a mapping that cannot be used; ``problems`` says where and why."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{problem.path}: {problem.message}" for problem in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Condition:
    """``operand`` are the texts to compare with; of ``exists``, none for a value that has to be absent."""

    value: Expression
    test: str
    operand: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """How one call is made."""

    type: str
    places: Mapping[str, Expression]
    sources: Mapping[str, str]
    words: Mapping[str, Expression]
    everything: bool = False
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one rule made of one payload: a call as JSON, a problem, or neither where its condition did not hold."""

    number: int
    call: bytes | None = None
    problem: Problem | None = None


def parse(tree: object) -> list[Rule]:
    """Read a mapping. Raises MappingError with everything that is wrong."""
    reader = _Reader()
    rules = reader.rules(tree or DEFAULT)
    if reader.problems:
        raise MappingError(reader.problems)
    return rules


def apply(rules: list[Rule], payload: Payload) -> list[Outcome]:
    """Make the calls of one payload, one outcome a rule."""
    return [_outcome(number, rule, payload) for number, rule in enumerate(rules)]


def place(number: int, name: str) -> str:
    """Name a place of the mapping."""
    return f"calls[{number}].{name}"


def place_of_field(number: int, name: str) -> str:
    """Name the place that fills a field of a call, such as ``userId``."""
    return place(number, next((ours for ours, theirs in PLACES.items() if theirs == name), name))


@dataclass
class _Reader:
    """Reads a mapping and collects what is wrong with it."""

    problems: list[Problem] = field(default_factory=list)

    def rules(self, tree: object) -> list[Rule]:
        calls = tree.get("calls") if isinstance(tree, dict) else None
        if not isinstance(calls, list) or not calls:
            self._add("calls", "A mapping needs a list of calls, one at least.")
            return []
        if len(calls) > MAX_CALLS:
            self._add("calls", f"A mapping may make {MAX_CALLS} calls of a payload.")
        return [self._rule(number, call) for number, call in enumerate(calls[:MAX_CALLS])]

    def _rule(self, number: int, tree: object) -> Rule:
        call = tree if isinstance(tree, dict) else {}
        kind = call.get("type")
        if kind not in WORDS:
            self._add(place(number, "type"), f"The type has to be one of {', '.join(WORDS)}.")
            kind = "track"
        for name in sorted(map(str, call.keys() - KNOWN)):
            self._add(place(number, name), f"A call has no {name}. It may have {', '.join(sorted(KNOWN))}.")
        sources = {name: str(call.get(name) or "").strip() for name in PLACES}
        places = {name: self._place(number, name, call[name]) for name in PLACES if call.get(name)}
        if not (sources["user_id"] or sources["anonymous_id"]):
            self._add(place(number, "user_id"), "Say where the person's id is, for example $.user_id.")
        if kind == "track" and not sources["event"]:
            self._add(place(number, "event"), "Say where the event's name is, for example $.event, or write the name.")
        return Rule(
            type=kind,
            places={name: found for name, found in places.items() if found is not None},
            sources=sources,
            words=self._words(number, WORDS[kind], call.get(WORDS[kind])),
            everything=call.get("everything") is True,
            condition=self._condition(place(number, "only_when"), call.get("only_when")),
        )

    def _place(self, number: int, name: str, text: object) -> Expression | None:
        found = self._expression(place(number, name), text)
        if isinstance(found, expressions.Text) and name in LOOKED_UP:
            self._add(
                place(number, name),
                f"“{found.text}” would be the same in every call. Write $.{found.text} to look it up.",
            )
        return found

    def _words(self, number: int, name: str, tree: object) -> dict[str, Expression]:
        rows = tree or {}
        if not isinstance(rows, dict) or len(rows) > MAX_WORDS:
            self._add(place(number, name), f"{name} has to be an object of up to {MAX_WORDS} names and expressions.")
            return {}
        found = {key: self._expression(place(number, f"{name}.{key}"), text) for key, text in rows.items()}
        return {key: expression for key, expression in found.items() if expression is not None}

    def _condition(self, path: str, tree: object) -> Condition | None:
        if not tree:
            return None
        tests = [test for test in TESTS if isinstance(tree, dict) and test in tree]
        if not isinstance(tree, dict) or len(tests) != 1 or tree.keys() - {"value", tests[0]}:
            self._add(path, f'Write {{"value": "$.topic", "is": "paid"}}, with one of {", ".join(TESTS)}.')
            return None
        value = self._expression(path, tree.get("value"))
        operand = self._operand(path, tests[0], tree[tests[0]])
        return None if value is None or operand is None else Condition(value, tests[0], operand)

    def _operand(self, path: str, test: str, operand: object) -> tuple[str, ...] | None:
        if test == "exists" and isinstance(operand, bool):
            return ("there",) if operand else ()
        if test == "in" and isinstance(operand, list) and operand:
            return tuple(as_words(one) for one in operand)
        if test in ("is", "is_not") and not isinstance(operand, list | dict | None):
            return (as_words(operand),)
        self._add(
            path, "Say what to compare with: a text or a number, for “in” a list of them, for “exists” yes or no."
        )
        return None

    def _expression(self, path: str, text: object) -> Expression | None:
        if not isinstance(text, str) or not text.strip():
            self._add(path, "Say where the value is, for example $.order.total, or write it as it is to be.")
            return None
        try:
            return expressions.parse(text)
        except ExpressionError as error:
            self._add(path, str(error))
            return None

    def _add(self, path: str, message: str) -> None:
        self.problems.append(Problem(path, message))


def as_words(value: object) -> str:
    """Return a value as people write it."""
    return as_text(msgspec.json.encode(value)) or ""


def _outcome(number: int, rule: Rule, payload: Payload) -> Outcome:
    name = "only_when"
    try:
        if rule.condition and not _holds(rule.condition, payload):
            return Outcome(number)
        call: dict[str, Any] = {"type": rule.type}
        for name, expression in rule.places.items():
            value = expression.find(payload)
            if value is not None and value not in expressions.NOTHING:
                call[PLACES[name]] = Raw(_written(name, value, number))
        if problem := _missing(number, rule, call):
            return Outcome(number, problem=problem)
        words = _everything_else(rule, payload)
        for word, expression in rule.words.items():
            name = f"{WORDS[rule.type]}.{word}"
            value = expression.find(payload)
            if value is not None:
                words[word] = Raw(value)
        call[WORDS[rule.type]] = words
    except ExpressionError as error:
        return Outcome(number, problem=Problem(place(number, name), str(error)))
    return Outcome(number, msgspec.json.encode(call))


def _missing(number: int, rule: Rule, call: Mapping[str, object]) -> Problem | None:
    if "userId" not in call and "anonymousId" not in call:
        name = "user_id" if rule.sources["user_id"] else "anonymous_id"
        advice = f"Point {name} at the field that says who it is about."
    elif rule.type == "track" and "event" not in call:
        name, advice = "event", "Point event at the field that says what happened, or write the name itself."
    else:
        return None
    return Problem(place(number, name), f"Nothing was found at {rule.sources[name]}. {advice}")


def _written(name: str, value: bytes, number: int) -> bytes:
    """Return a value as the call needs it."""
    if name == "timestamp":
        return _moment(value)
    if name == "message_id" and number:
        # Each call of a payload needs an id of its own, and the same one when the payload comes again.
        return msgspec.json.encode(f"{as_text(value)}:{number + 1}")
    return value


def _moment(value: bytes) -> bytes:
    """Turn Unix seconds or milliseconds into ISO 8601; leave anything else for the check of the call."""
    try:
        seconds = float(as_text(value) or "")
    except ValueError:
        return value
    try:
        seconds = seconds / 1000 if abs(seconds) >= MILLISECONDS_FROM else seconds
        return msgspec.json.encode(datetime.fromtimestamp(seconds, UTC).isoformat())
    except (ValueError, OverflowError, OSError):
        raise ExpressionError(f"{as_text(value)} is no time. It may be ISO 8601 or Unix seconds.") from None


def _everything_else(rule: Rule, payload: Payload) -> dict[str, Raw]:
    """Return the payload's fields that say nothing else, where the rule wants them."""
    if not rule.everything:
        return {}
    used = {expression.used(payload) for expression in rule.places.values()}
    return {name: value for name, value in payload.fields.items() if name not in used}


def _holds(condition: Condition, payload: Payload) -> bool:
    text = as_text(condition.value.find(payload))
    if condition.test == "exists":
        return (text is not None) == bool(condition.operand)
    equal = text is not None and any(_same(text, operand) for operand in condition.operand)
    return not equal if condition.test == "is_not" else equal


def _same(text: str, operand: str) -> bool:
    """Compare as people write: 30 is 30.0, everything else letter by letter."""
    try:
        return text == operand or Decimal(text) == Decimal(operand)
    except InvalidOperation:
        return False
