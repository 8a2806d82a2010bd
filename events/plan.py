"""Hold what comes in against the tracking plan: rename, check, refuse. The front door of ``events.ingest``.

Every call of every API passes ``screen``, before anything is stored. What the plan wants of each name is remembered
for a moment in this process, so that a change counts everywhere within that moment and screening needs no statement.
Throttling waits until it is known who is meant: ``events.throttle``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import msgspec
from django.db import connection

from events import counts, violations
from events.api.refusal import Refusal
from events.models import ComputedTrait, EventDefinition
from events.schemas import Flaw, Schema, SchemaError

if TYPE_CHECKING:
    from events.ingest import Item
    from events.models import Source

REMEMBER_SECONDS = 2.0
# Where an event keeps the name it was sent under.
ORIGINAL = "original_event"
REFUSED = "schema_violation"
COMPUTED = "is computed from events, so what is given here is left out"
# What a call keeps its words in, as its sender knows it.
WORDS = {"identify": "traits", "group": "traits"}

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True, slots=True)
class Rule:
    """What is wanted of one name. ``throttle`` is in seconds; 0 for none."""

    rename_to: str = ""
    schema: Schema | None = None
    blocks: bool = False
    throttle: int = 0


@dataclass(frozen=True, slots=True)
class Screened:
    """The items that may be stored, by index why the others may not, and names to be throttled by seconds."""

    items: Sequence[Item]
    refused: list[tuple[int, Refusal]] = field(default_factory=list)
    windows: dict[str, int] = field(default_factory=dict)


def screen(source: Source, items: Sequence[Item]) -> Screened:
    """Return what becomes of ``items``; notes violations. Costs a look-up an item where anything is planned at all."""
    rules, computed = memory.current(), memory.computed
    if not rules and not computed:
        return Screened(items)
    kept: list[Item] = []
    screened = Screened(kept)
    noted: list[violations.Found] = []
    for item in items:
        if item.traits and not computed.isdisjoint(item.traits):
            taken = [Flaw(name, COMPUTED) for name in sorted(computed & item.traits.keys())]
            noted.append(violations.Found(item, taken, False))
        rule = rules.get(counts.label(item.type, item.name))
        if rule is not None and rule.rename_to:
            item, rule = _renamed(item, rule.rename_to), rules.get(rule.rename_to)
        if rule is not None and not _passes(item, rule, screened, noted):
            continue
        kept.append(item)
    if noted:
        violations.note(source, noted)
    return screened


def _passes(item: Item, rule: Rule, screened: Screened, noted: list[violations.Found]) -> bool:
    """Say whether an item may be stored; tell ``screened`` and ``noted`` what there is to tell."""
    flaws = rule.schema.flaws(item.properties) if rule.schema else []
    if flaws:
        noted.append(violations.Found(item, flaws, rule.blocks))
    if flaws and rule.blocks:
        place = ".".join(filter(None, (WORDS.get(item.type, "properties"), flaws[0].path)))
        what = f"{counts.label(item.type, item.name)} does not keep to the tracking plan: {flaws[0].message}."
        screened.refused.append((item.index, Refusal(REFUSED, what, place)))
        return False
    if rule.throttle:
        screened.windows[item.name] = rule.throttle
    return True


def _renamed(item: Item, name: str) -> Item:
    extra = _OBJECT.decode(item.extra) | {ORIGINAL: msgspec.Raw(msgspec.json.encode(item.name))}
    return replace(item, name=name, extra=msgspec.json.encode(extra))


class Memory:
    """The rules as they were a moment ago."""

    def __init__(self) -> None:
        self.rules: Mapping[str, Rule] = {}
        # Traits that are reckoned from events, so that nobody can say what they are.
        self.computed: frozenset[str] = frozenset()
        self.until = 0.0
        self._schemas: dict[str, Schema | None] = {}
        self._lock = threading.Lock()

    def current(self) -> Mapping[str, Rule]:
        """Return the rules by name, read anew when they are old: two statements, by one thread."""
        if self.until <= time.monotonic():
            with self._lock:
                if self.until <= time.monotonic():
                    self.rules = self._read()
                    self.until = time.monotonic() + REMEMBER_SECONDS
        return self.rules

    def _read(self) -> Mapping[str, Rule]:
        with connection.cursor() as cursor:
            cursor.execute(READ)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
        self.computed = frozenset(ComputedTrait.objects.values_list("name", flat=True))
        self._schemas = {text: self._schema(text) for _, _, text, _, _ in rows if text}
        return {
            name: Rule(rename_to, self._schemas.get(text), mode == EventDefinition.SchemaMode.BLOCK, seconds or 0)
            for name, rename_to, text, mode, seconds in rows
        }

    def _schema(self, text: str) -> Schema | None:
        """Return the schema made ready, as before if it has not changed. One that nobody can use checks nothing."""
        if text in self._schemas:
            return self._schemas[text]
        try:
            return Schema(msgspec.json.decode(text))
        except (SchemaError, msgspec.DecodeError):
            return None


# Schemas as text, so that an unchanged one is known without being read.
READ = """
SELECT name, rename_to, CASE WHEN schema_mode <> 'off' THEN schema::text END, schema_mode, throttle_seconds
FROM events_eventdefinition
WHERE rename_to <> '' OR throttle_seconds > 0 OR (schema IS NOT NULL AND schema_mode <> 'off')
"""

memory = Memory()
