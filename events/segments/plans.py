"""How would the database ask a segment's condition? For operators who wonder what it costs.

Nothing is asked unless somebody wants the real times, and then for no longer than ``SECONDS``, in a transaction that
may not write and is undone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from events import patience, people
from events.models import Segment
from events.segments import counting, live, statements

SECONDS = 10
# People of a batch, as many as are claimed at once.
BATCH = 500
# Longer lines, such as the ids of a batch, are cut.
WIDTH = 200
CONDITIONS = ("Index Cond", "Recheck Cond", "Hash Cond", "Merge Cond", "Join Filter", "Filter")


@dataclass(frozen=True, slots=True)
class Plan:
    """``lines`` are the plan as PostgreSQL writes it, nearly; ``sentence`` says what dominates."""

    sentence: str
    lines: Sequence[str]


@dataclass(frozen=True, slots=True)
class Share:
    """What one node takes by itself: milliseconds when it was run, else the planner's units."""

    node: dict[str, Any]
    own: float


def of_batch(segment: Segment, *, run: bool = False) -> Plan | None:
    """Explain the statement that follows people of a batch, of ``BATCH`` chosen at random; None without a condition.

    Raises TooLong when it runs longer than ``SECONDS``.
    """
    found = live.current([segment.pk])
    if not found:
        return None
    text, parameters = statements.text(found[0], sorted(people.ids_at_random(BATCH)), timezone.now())
    return _explain(text, parameters, {}, run=run)


def of_everyone(segment: Segment, *, run: bool = False) -> Plan | None:
    """Explain the statement that counts everybody who meets the condition; as ``of_batch``."""
    found = live.current([segment.pk])
    if not found:
        return None
    text, parameters = counting.text(found[0].node, timezone.now())
    return _explain(text, parameters, counting.SETTINGS, run=run)


def _explain(text: str, parameters: Sequence[Any], settings: dict[str, str], *, run: bool) -> Plan:
    options = "FORMAT JSON, ANALYZE, BUFFERS" if run else "FORMAT JSON"
    with patience.at_most(SECONDS, settings), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")
        cursor.execute(f"EXPLAIN ({options}) {text}", parameters)
        answer = cursor.fetchone()[0]
        # Undone, so that whatever surrounds it may write again.
        transaction.set_rollback(True)
    (explained,) = json.loads(answer) if isinstance(answer, str) else answer
    root: dict[str, Any] = explained["Plan"]
    return Plan(_sentence(root, run=run), [*_lines(root), *_times(explained)])


def _lines(node: dict[str, Any], depth: int = 0) -> Iterator[str]:
    indent = "  " * depth
    if name := node.get("Subplan Name"):
        yield f"{indent}{name}"
    cost = f"cost={node['Startup Cost']:.2f}..{node['Total Cost']:.2f} rows={node['Plan Rows']}"
    actual = ""
    if "Actual Loops" in node:
        actual = f"  actual={node.get('Actual Total Time', 0):.3f} ms rows={node['Actual Rows']:g}"
        actual += f" loops={node['Actual Loops']}" if node["Actual Loops"] else " never"
    yield f"{indent}-> {_place(node)}  ({cost}){actual}"
    for kind in CONDITIONS:
        if kind in node:
            yield _cut(f"{indent}     {kind}: {node[kind]}")
    for part in node.get("Plans", ()):
        yield from _lines(part, depth + 1)


def _times(explained: dict[str, Any]) -> Iterator[str]:
    for kind in ("Planning Time", "Execution Time"):
        if kind in explained:
            yield f"{kind}: {explained[kind]:.1f} ms"


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 20]} … {line[-17:]}"


def _place(node: dict[str, Any]) -> str:
    place = str(node["Node Type"])
    if "Index Name" in node:
        place += f" using {node['Index Name']}"
    if "Relation Name" in node:
        place += f" on {node['Relation Name']}"
    return place


def _sentence(root: dict[str, Any], *, run: bool) -> str:
    shares = list(_shares(root, run=run))
    most = max(shares, key=lambda share: share.own)
    total = sum(share.own for share in shares) or 1
    part = f"{100 * most.own / total:.0f} %"
    much = "Most" if most.own > total / 2 else "The largest part"
    if run:
        return f"{much} of the time, {part} of {_total(root, run=True):.1f} ms, goes into {_doing(most.node)}."
    return f"{much} of the work, {part} as the database reckons it, goes into {_doing(most.node)}."


def _shares(node: dict[str, Any], *, run: bool) -> Iterator[Share]:
    """Yield what each node takes without those below it.

    Times are exact. A plan that was not run does not say how often what stands in a filter is asked: what is left of
    the outer node's cost is then that one's, as looking something up costs more than going on to the next row.
    """
    parts = node.get("Plans", ())
    own = max(0.0, _total(node, run=run) - sum(_total(part, run=run) for part in parts))
    asked = [part for part in parts if part.get("Parent Relationship") == "SubPlan"]
    if asked and not run:
        own = max(0.0, _total(node, run=False) - sum(_total(part, run=False) for part in parts if part not in asked))
        whole = sum(_total(part, run=False) for part in asked) or 1
        for part in asked:
            factor = own / whole
            yield from (Share(each.node, each.own * factor) for each in _shares(part, run=False))
        own = 0.0
    yield Share(node, own)
    for part in parts:
        if run or part not in asked:
            yield from _shares(part, run=run)


def _total(node: dict[str, Any], *, run: bool) -> float:
    if run:
        return float(node.get("Actual Total Time", 0)) * float(node.get("Actual Loops", 0))
    return float(node["Total Cost"])


# Tables as people call them.
TABLES = {
    "events_profile": "people",
    "events_segmentmember": "who is in which segment",
    "events_membership": "who belongs to which group",
    "events_group": "groups",
}


def _doing(node: dict[str, Any]) -> str:
    relation = str(node.get("Relation Name", ""))
    table = "events" if relation.startswith("events_event") else TABLES.get(relation, relation)
    kind = str(node["Node Type"])
    if not table:
        return WORK.get(kind, f"putting together what was found ({kind})")
    tested = " and testing each" if "Filter" in node else ""
    if "Index" in kind or "Bitmap" in kind:
        return f"looking up {table} by an index{tested}"
    return f"reading all {table} one after the other{tested}"


WORK = {
    "Sort": "sorting what was found",
    "Aggregate": "counting and reckoning what was found",
    "Bitmap Index Scan": "looking something up in an index",
}
