"""Do what the calls of a request ask for, in their order.

Events that follow each other are stored together, by a number of SQL statements that does not depend on how many they
are; an act comes in between by itself. When the database fails between two, the client hears of it and sends all of
it again: acts do no harm twice, and events count once when they have an id.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from events.api.authentication import Caller
from events.api.customerio import identifiers
from events.api.customerio.acts import Act, nobody
from events.api.customerio.items import Call
from events.api.refusal import Refusal
from events.ingest import Item, ingest
from events.models import InboundRequest, Source

Operation = Call | Act


@dataclass(frozen=True, slots=True)
class Step:
    """What one item of a request asks for, in the place ``index``; several may come of one item."""

    index: int
    operation: Operation


Rejected = list[tuple[int, Refusal]]


def settle(steps: Sequence[Step], source: Source) -> tuple[list[Step], Rejected]:
    """Name the people of calls by ids that the log knows, and leave out calls that are only for known people.

    A call about an id of ours that nobody has is rejected. Two statements for all ids of ours, if there are any.
    """
    own_ids = {step.operation.who.own_id for step in steps if isinstance(step.operation, Call)} - {None}
    named = identifiers.by_other_names([own for own in own_ids if own], source) if own_ids else {}
    settled: list[Step] = []
    rejected: Rejected = []
    for step in steps:
        call = step.operation
        if isinstance(call, Call):
            if call.who.own_id:
                if call.who.own_id not in named:
                    if not call.only_known:
                        rejected.append((step.index, nobody(call.who.own_id)))
                    continue
                step = Step(step.index, call.about(named[call.who.own_id]))
            elif call.only_known and call.who.find(source) is None:
                continue
        settled.append(step)
    return settled, rejected


def perform(
    caller: Caller, steps: Sequence[Step], received_at: datetime, kept: InboundRequest | None = None
) -> Rejected:
    """Do all steps and return what was rejected. ``kept`` is only given with events alone, and stored with them."""
    rejected: Rejected = []
    for is_call, run in groupby(steps, key=lambda step: isinstance(step.operation, Call)):
        if is_call:
            ingest(caller.source, list(_items(run)), received_at, kept)
            continue
        for step in run:
            try:
                assert not isinstance(step.operation, Call)
                step.operation.perform(caller, received_at)
            except Refusal as refusal:
                rejected.append((step.index, refusal))
    return rejected


def is_events_alone(steps: Iterable[Step]) -> bool:
    return all(isinstance(step.operation, Call) for step in steps)


def _items(run: Iterable[Step]) -> Iterator[Item]:
    for step in run:
        if isinstance(step.operation, Call):
            yield step.operation.item
