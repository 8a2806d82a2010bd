"""Do what the calls of a request ask for, in their order.

Events that follow each other are stored together, and so is what is said of objects between two acts, by a number of
SQL statements that does not depend on how many they are; an act comes by itself. When the database fails between two,
the client hears of it and sends all of it again: acts do no harm twice, and events count once when they have an id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

from events import grouping
from events.api.authentication import Caller
from events.api.customerio import consent, identifiers, objects
from events.api.customerio.acts import Act, nobody
from events.api.customerio.consent import Consent
from events.api.customerio.items import Call
from events.api.customerio.objects import Told
from events.api.refusal import Refusal
from events.ingest import Parcel, parcel
from events.models import InboundRequest, Source

# What needs no order among others of its kind, and is done for all of them at once.
Set = Call | Told | Consent
Operation = Set | Act


@dataclass(frozen=True, slots=True)
class Step:
    """What one item of a request asks for, in the place ``index``; several may come of one item."""

    index: int
    operation: Operation


Rejected = list[tuple[int, Refusal]]


@dataclass(frozen=True, slots=True)
class Together:
    """Events, and what is said of objects and of consent, that are stored at once."""

    parcel: Parcel
    told: Sequence[Told]
    consents: Sequence[Consent]

    @property
    def is_events_alone(self) -> bool:
        return not (self.told or self.consents)


@dataclass(frozen=True, slots=True)
class Arranged:
    """What a request asks for, ready to be done, and what of it cannot be."""

    received_at: datetime
    parts: Sequence[Together | Step]
    rejected: Rejected
    items: int

    @property
    def events(self) -> Parcel | None:
        """The request's only parcel when it brings events and nothing else."""
        first = self.parts[0] if len(self.parts) == 1 else None
        return first.parcel if isinstance(first, Together) and first.is_events_alone else None


def arrange(source: Source, steps: Sequence[Step], received_at: datetime, address: str = "") -> Arranged:
    """Put together what is stored together; what nobody is known for, or the tracking plan refuses, is rejected.

    Of an item that is rejected nothing is done. They were sent from ``address``.
    """
    settled, rejected = _settle(steps, source)
    parts: list[Together | Step] = []
    for is_act, run in groupby(settled, key=lambda step: not isinstance(step.operation, Set)):
        if is_act:
            parts.extend(run)
        else:
            parts.append(_together(source, list(run), received_at, address, rejected))
    out = {index for index, _ in rejected}
    return Arranged(received_at, parts, rejected, len({step.index for step in settled} - out))


def perform(caller: Caller, arranged: Arranged, kept: InboundRequest | None = None) -> Rejected:
    """Do all of it; return what was rejected by that. ``kept`` is stored with the events if there is nothing else."""
    rejected: Rejected = []
    if arranged.events is not None:
        arranged.events.request = kept
    for part in arranged.parts:
        if isinstance(part, Together):
            grouping.store(part.parcel)
            if part.told:
                objects.save(caller.source, part.told, arranged.received_at)
            if part.consents:
                consent.save(caller.source, part.consents, arranged.received_at)
            continue
        try:
            assert not isinstance(part.operation, Set)
            part.operation.perform(caller, arranged.received_at)
        except Refusal as refusal:
            rejected.append((part.index, refusal))
    return rejected


def _settle(steps: Sequence[Step], source: Source) -> tuple[list[Step], Rejected]:
    """Name people by ids that the log knows, and leave out calls that are only for known people.

    What is about an id of ours that nobody has is rejected. Two statements for all ids of ours, if there are any.
    """
    owns = {who.own_id for step in steps for who in _people(step.operation) if who.own_id}
    names = identifiers.by_other_names(owns, source) if owns else {}
    settled: list[Step] = []
    rejected: Rejected = []
    out: set[int] = set()
    for step in steps:
        operation = step.operation
        if step.index in out or not isinstance(operation, Set):
            settled.append(step)
            continue
        unknown = next((who.own_id for who in operation.people if who.own_id and who.own_id not in names), None)
        only_known = isinstance(operation, Call) and operation.only_known
        if only_known and (unknown or operation.people[0].find(source) is None):
            out.add(step.index)
        elif unknown:
            out.add(step.index)
            rejected.append((step.index, nobody(unknown)))
        else:
            settled.append(replace(step, operation=operation.named(names)))
    return [step for step in settled if step.index not in out], rejected


def _people(operation: Operation) -> Sequence[identifiers.Who]:
    return operation.people if isinstance(operation, Set) else ()


def _together(source: Source, run: Sequence[Step], received_at: datetime, address: str, rejected: Rejected) -> Together:
    """Make a parcel of the events; tells ``rejected`` which of them the tracking plan refuses."""
    calls = {step.index: step.operation for step in run if isinstance(step.operation, Call)}
    items = [replace(step.operation.item, index=step.index) for step in run if isinstance(step.operation, Call)]
    brought = parcel(source, items, received_at, address=address)
    refused = {index: calls[index].refused(refusal) for index, refusal in brought.refused}
    rejected += refused.items()
    others = [step.operation for step in run if step.index not in refused]
    told = [operation for operation in others if isinstance(operation, Told)]
    return Together(brought, told, [operation for operation in others if isinstance(operation, Consent)])
