"""Which campaigns want which events: the versions that were live, for an event's name, when it arrived.

Asked of the database for each batch, by an index from names to live periods, so that a worker never acts on what was
published or paused elsewhere a moment ago. One look for the whole batch, however many campaigns there are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from campaigns import workflows
from campaigns.engine.steps import Workflow
from campaigns.models import LivePeriod
from events.log import ClaimedEvent
from events.models import Event

# What a campaign appends to have another one, which its properties name, let the person in.
REQUESTED = "Campaign Start Requested"


@dataclass(frozen=True, slots=True)
class Hearing:
    """A version and the events of a batch that are before it.

    ``strain`` is in how many batches in a row its condition took too long.
    """

    campaign_id: int
    version_id: int
    workflow: Workflow
    events: Sequence[ClaimedEvent]
    strain: int = 0


def hearings(events: Sequence[ClaimedEvent]) -> list[Hearing]:
    """Return what the events of a batch mean to whom. One statement, one more for versions not seen before."""
    named: dict[str, list[ClaimedEvent]] = defaultdict(list)
    requested: dict[str, list[ClaimedEvent]] = defaultdict(list)
    for event in events:
        if event.type == Event.Type.TRACK:
            named[event.name].append(event)
            if event.name == REQUESTED and event.is_made:
                requested[str(event.properties.get("campaign"))].append(event)
    if not named:
        return []
    earliest = min(event.received_at for heard in named.values() for event in heard)
    periods = list(
        LivePeriod.objects.filter(
            Q(ended_at=None) | Q(ended_at__gt=earliest), Q(event__in=named) | Q(campaign__slug__in=requested)
        )
        .order_by("version_id", "started_at")
        .values_list(
            "campaign_id",
            "version_id",
            "event",
            "campaign__slug",
            "started_at",
            "ended_at",
            "version__strain__in_a_row",
        )
    )
    parsed = workflows.of_versions({version_id for _, version_id, *_ in periods})
    return [
        Hearing(campaign_id, version_id, parsed[version_id], heard, strain or 0)
        for campaign_id, version_id, name, slug, started_at, ended_at, strain in periods
        for wanted in (named.get(name), requested.get(slug) if name != REQUESTED else None)
        if wanted and (heard := _arrived(wanted, earliest, started_at, ended_at))
    ]


def _arrived(
    events: list[ClaimedEvent], earliest: datetime, started_at: datetime, ended_at: datetime | None
) -> list[ClaimedEvent]:
    if started_at <= earliest and ended_at is None:
        return events
    return [e for e in events if started_at <= e.received_at and (ended_at is None or e.received_at < ended_at)]
