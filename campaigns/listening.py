"""Which campaigns want which events: the versions that were live, for an event's name, when it arrived.

Asked of the database for each batch, by an index from names to live periods, so that a worker never acts on what was
published or paused elsewhere a moment ago. One look for the whole batch, however many campaigns there are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from campaigns import workflows
from campaigns.engine.definition import start_of
from campaigns.engine.starts import Start
from campaigns.engine.steps import Definition, Workflow
from campaigns.models import LivePeriod
from events.conditions import Node
from events.log import ClaimedEvent
from events.models import Event

# What we append to have the campaign that its properties name let a person in, whatever that campaign starts with.
REQUESTED = "Campaign Start Requested"


@dataclass(frozen=True, slots=True)
class Hearing:
    """A version and the events of a batch that are before it, all of one name.

    ``strain`` is in how many batches in a row its condition took too long.
    """

    campaign_id: int
    version_id: int
    workflow: Workflow
    events: Sequence[ClaimedEvent]
    strain: int = 0

    @property
    def where(self) -> Node | None:
        """Return what is asked of the events."""
        return self.workflow.trigger.condition(self.events[0].name)


def could_start(definition: Definition, slug: str) -> QuerySet[Event]:
    """Return everybody's events that may start the campaign ``slug``: those it listens for, and requests for it."""
    start = start_of(definition)
    heard = Q(name=start.event, properties__contains=dict(start.about))
    requested = Q(name=REQUESTED, properties__campaign=slug, source=None)
    return Event.objects.filter(requested | heard if start.event else requested, type=Event.Type.TRACK)


def hearings(events: Sequence[ClaimedEvent]) -> list[Hearing]:
    """Return what the events of a batch mean to whom. One statement, one more for versions not seen before."""
    named: dict[str, list[ClaimedEvent]] = defaultdict(list)
    requested: dict[str, list[ClaimedEvent]] = defaultdict(list)
    for event in events:
        if event.type == Event.Type.TRACK:
            named[event.name].append(event)
            if event.name == REQUESTED and event.is_own:
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
        for wanted in (
            _meant(named.get(name, []), parsed[version_id].trigger.start),
            requested.get(slug) if name != REQUESTED else None,
        )
        if wanted and (heard := _arrived(wanted, earliest, started_at, ended_at))
    ]


def _meant(events: list[ClaimedEvent], start: Start) -> list[ClaimedEvent]:
    """Return those of the events of its name that a start is about."""
    about = start.about.items()
    if not about and not start.is_own:
        return events
    return [
        e
        for e in events
        if (e.is_own or not start.is_own) and all(e.properties.get(name) == value for name, value in about)
    ]


def _arrived(
    events: list[ClaimedEvent], earliest: datetime, started_at: datetime, ended_at: datetime | None
) -> list[ClaimedEvent]:
    if started_at <= earliest and ended_at is None:
        return events
    return [e for e in events if started_at <= e.received_at and (ended_at is None or e.received_at < ended_at)]
