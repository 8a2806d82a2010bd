"""Keep what did not keep to its schema, with a sample: bounded, so that a flood costs no more than a trickle."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from events import counts, suppression
from events.api.inbound import Sampler, clock
from events.models import Violation
from events.schemas import Flaw

if TYPE_CHECKING:
    from events.ingest import Item
    from events.models import Source

# So many events a second and process are noted; of a flood, the first are as good as all.
KEPT_PER_SECOND = 20
SAMPLE_BYTES = 8 * 1024

_sampler = Sampler(KEPT_PER_SECOND)


@dataclass(frozen=True, slots=True)
class Found:
    """An item with its flaws, and whether it was refused for them."""

    item: Item
    flaws: Sequence[Flaw]
    blocked: bool


def note(source: Source, found: Sequence[Found]) -> None:
    """Store as many as this second has room for, none of suppressed people. One statement or two."""
    now = clock()
    found = [one for one in found if _sampler.take(now)]
    if not found:
        return
    suppressed = suppression.among(_ids([one.item for one in found]))
    Violation.objects.bulk_create(
        row for one in found if suppressed.isdisjoint(_ids([one.item])) for row in _rows(source, one)
    )


def _ids(items: Sequence[Item]) -> set[str]:
    return {value for item in items for value in (item.user_id, item.anonymous_id, item.email) if value}


def _rows(source: Source, found: Found) -> list[Violation]:
    sample = _sample(found.item)
    name = counts.label(found.item.type, found.item.name)
    return [
        Violation(source=source, name=name, path=flaw.path, message=flaw.message, blocked=found.blocked, sample=sample)
        for flaw in found.flaws
    ]


def _sample(item: Item) -> dict[str, Any]:
    """Return who and what, as it came in; large properties are left out."""
    small = len(item.properties) <= SAMPLE_BYTES
    sample = {
        "user_id": item.user_id,
        "anonymous_id": item.anonymous_id,
        "message_id": item.message_id,
        "properties": json.loads(item.properties) if small else "too large to be kept here",
    }
    return {name: value for name, value in sample.items() if value is not None}
