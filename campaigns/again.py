"""Read events again that have waited in rows of their own: for traits, for quiet, or parked."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeVar

from campaigns import workflows
from campaigns.engine.steps import Workflow
from campaigns.models import Parked, PutOff, Waiting
from events import log
from events.log import ClaimedEvent

Row = TypeVar("Row", Waiting, PutOff, Parked)


def read(model: type[Row], rows: Collection[Row]) -> list[tuple[Row, ClaimedEvent, Workflow]]:
    """Return each of ``rows`` with its event and the workflow of its version; the people are held.

    Rows whose event is gone from the log go as well. Three statements at most.
    """
    events = {event.id: event for event in log.read({row.event_id: row.event_timestamp for row in rows})}
    gone = [row.pk for row in rows if row.event_id not in events]
    if gone:
        model._default_manager.filter(pk__in=gone).delete()
    parsed = workflows.of_versions({row.version_id for row in rows})
    return [(row, events[row.event_id], parsed[row.version_id]) for row in rows if row.event_id in events]
