"""Take in what was refused of a call after all, once what was wrong has been mended: its kept body is read anew.

Only of a source that was known and let in, and whose body was kept whole: a call of which nothing was stored, or the
refused items of a batch. Each gets a message id of its own where the sender gave none, so that a second click stores
nothing twice. What only a secret key may ask for is not done this way, as nobody can tell which key it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from django.utils import timezone

from events.admin import exchange, reading
from events.api import authentication
from events.api.authentication import Caller
from events.api.customerio.items import Call
from events.api.customerio.performing import Arranged, Step, Together, arrange, perform
from events.api.refusal import Refusal
from events.ingest import Item, ingest_many, parcel
from events.models import AcceptedMessage, InboundRequest, Source, SourceKey

REFUSED, IN_PART = 400, (200, 207)

Rejected = Sequence[tuple[int, Refusal]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many items were taken, how many had been before, and why others could not be."""

    accepted: int = 0
    repeated: int = 0
    reasons: tuple[str, ...] = ()


def can_be(call: InboundRequest) -> bool:
    """Say whether there is something in a call that may be taken in again."""
    if call.source is None or not call.source.enabled or not call.body or not reading.is_readable(call):
        return False
    if call.status == REFUSED:
        return not call.accepted and _is_read(call)
    # Where errors are answered with 200, a call by itself may have been refused, too.
    was_refused = bool(exchange.dropped(call))
    return call.status in IN_PART and was_refused and (reading.is_batch(call) or not call.accepted)


def send(call: InboundRequest) -> Outcome:
    """Read the call's body anew and do what is good now of what was refused; times count as when it came in."""
    source = call.source
    assert source is not None, "ask can_be() first"
    try:
        found = reading.read(call)
    except Refusal as refusal:
        return Outcome(reasons=(refusal.message,))
    if call.status in IN_PART:
        found = _only(found, {one.number - 1 for one in exchange.dropped(call)})
    done = _perform(call, source, found) if found.steps else _store(call, source, found)
    if done.accepted:
        authentication.note_source(source)
    return done


def _is_read(call: InboundRequest) -> bool:
    try:
        reading.read(call)
    except Refusal as refusal:
        return refusal.status != 404
    return True


def _only(found: reading.Reading, indexes: set[int]) -> reading.Reading:
    return reading.Reading(
        [item for item in found.items if item.index in indexes],
        [step for step in found.steps if step.index in indexes],
        [(index, refusal) for index, refusal in found.rejected if index in indexes],
    )


def _store(call: InboundRequest, source: Source, found: reading.Reading) -> Outcome:
    again = parcel(source, list(_own(call, found.items)), timezone.now())
    result = ingest_many([again])[0]
    return Outcome(result.accepted, result.repeated, _reasons(found.rejected, again.refused))


def _perform(call: InboundRequest, source: Source, found: reading.Reading) -> Outcome:
    items = [replace(step.operation.item, index=step.index) for step in found.steps if isinstance(step.operation, Call)]
    named = _own(call, items)
    steps = [_with_item(step, next(named)) if isinstance(step.operation, Call) else step for step in found.steps]
    arranged = arrange(source, steps, call.received_at)
    repeated = _stored_before(source, arranged)
    rejected = perform(Caller(source, 0, SourceKey.Kind.PUBLIC), arranged)
    reasons = _reasons(found.rejected, arranged.rejected, rejected)
    return Outcome(max(0, arranged.items - len(rejected) - repeated), repeated, reasons)


def _with_item(step: Step, item: Item) -> Step:
    assert isinstance(step.operation, Call)
    return Step(step.index, replace(step.operation, item=item))


def _stored_before(source: Source, arranged: Arranged) -> int:
    """Return how many items of the call the log has already."""
    parcels = [part.parcel for part in arranged.parts if isinstance(part, Together)]
    ids = {item.message_id: item.index for one in parcels for item in one.items}
    known = AcceptedMessage.objects.filter(source=source, message_id__in=ids).values_list("message_id", flat=True)
    return len({ids[message_id] for message_id in known})


def _own(call: InboundRequest, items: Iterable[Item]) -> Iterator[Item]:
    """Give items ids that stay theirs whatever becomes of the others: by their place in the call."""
    seen: Counter[int] = Counter()
    for item in items:
        seen[item.index] += 1
        if item.repeatable:
            yield item
            continue
        message_id = f"again:{call.pk}:{item.index}:{seen[item.index]}"
        yield replace(item, message_id=message_id, repeatable=True)


def _reasons(*rejected: Rejected) -> tuple[str, ...]:
    return tuple(refusal.message for one in rejected for _, refusal in one)
