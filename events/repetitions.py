"""Recognise repeated calls by what they say, for libraries that send no message id and try again after a lost answer.

Only of sources that want it: doing the very same thing twice on one day then counts once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from events.models import Event

if TYPE_CHECKING:
    from events.ingest import Item
    from events.models import Source

# Who says the same about a person twice may have said something else in between, and the last word counts.
TYPES = (Event.Type.TRACK, Event.Type.PAGE, Event.Type.SCREEN)


def recognisable(source: Source, items: Sequence[Item], received_at: datetime) -> Sequence[Item]:
    """Return the items, those without an id of their sender's with one that the same call would have again."""
    if not source.dedupe_content:
        return items
    return [item if item.repeatable or item.type not in TYPES else _named(item, received_at) for item in items]


def _named(item: Item, received_at: datetime) -> Item:
    """The day stands for a time that nobody gave: that is the request's moment, which no repetition shares."""
    at = f"{received_at.astimezone(UTC):%Y-%m-%d}" if item.timestamp == received_at else item.timestamp.isoformat()
    said = (item.type, item.user_id, item.anonymous_id, item.email, item.name, item.properties, at)
    return replace(item, message_id=f"content:{hashlib.sha256(repr(said).encode()).hexdigest()}", repeatable=True)
