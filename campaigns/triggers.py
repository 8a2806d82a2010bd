"""Does an event start a journey? Its age and the trigger's conditions, asked of the database per version."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from campaigns.engine.steps import Workflow
from campaigns.reasons import Entry
from events.audience import EVENTS, Reading, compile_condition
from events.conditions import Belongs, Compare, Node, walk
from events.log import ClaimedEvent
from events.models import Event


@dataclass(frozen=True, slots=True)
class Candidate:
    """One event before one version that listens for its name, and what comes of it.

    ``waiting_id`` is that of the row by which it has waited for traits; ``last`` says that it waits no longer.
    """

    event: ClaimedEvent
    campaign_id: int
    version_id: int
    workflow: Workflow
    entry: Entry = Entry.ENTERED
    journey_id: int | None = None
    waiting_id: int | None = None
    last: bool = False

    @property
    def entry_key(self) -> str:
        return "once" if self.workflow.reentry.rule == "once" else f"event:{self.event.id}"

    @property
    def until(self) -> datetime:
        """Return how long it may wait for traits."""
        return self.event.received_at + timedelta(minutes=self.workflow.trigger.grace_minutes)


def judge_age(candidate: Candidate) -> Candidate:
    """Turn away what is too old to answer. Counted from its arrival: how long it waits here changes nothing."""
    event, hours = candidate.event, candidate.workflow.trigger.max_age_hours
    old = event.timestamp < event.received_at - timedelta(hours=hours)
    return replace(candidate, entry=Entry.TOO_OLD) if old else candidate


def judge_conditions(candidates: Sequence[Candidate], now: datetime) -> list[Candidate]:
    """Ask which events meet their trigger's conditions: one statement a version that has any.

    Where some do not and the version waits for traits, one more asks which could if the missing traits were there.
    """
    asked: dict[int, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        if candidate.entry is Entry.ENTERED and candidate.workflow.trigger.where is not None:
            asked[candidate.version_id].append(candidate)
    entries: dict[tuple[int, int], Entry] = {}
    for version_id, group in asked.items():
        meets = _matching(group, Reading.PLAIN)
        failed = [candidate for candidate in group if candidate.event.id not in meets]
        waits = _matching([candidate for candidate in failed if _may_wait(candidate, now)], Reading.POSSIBLE)
        for candidate in failed:
            entry = Entry.WAITING if candidate.event.id in waits else Entry.FILTERED
            entries[version_id, candidate.event.id] = entry
    return [replace(c, entry=entries.get((c.version_id, c.event.id), c.entry)) for c in candidates]


def _may_wait(candidate: Candidate, now: datetime) -> bool:
    where = candidate.workflow.trigger.where
    return where is not None and not candidate.last and candidate.until > now and _asks_for_traits(where)


def _asks_for_traits(where: Node) -> bool:
    return any(
        isinstance(node, Belongs) or (isinstance(node, Compare) and node.subject == "trait") for node in walk(where)
    )


def _matching(group: Sequence[Candidate], reading: Reading) -> set[int]:
    """Return the ids of the events, all of one version, that meet its conditions so read. One statement at most."""
    if not group:
        return set()
    where = group[0].workflow.trigger.where
    assert where is not None
    times = [candidate.event.timestamp for candidate in group]
    events = Event.objects.filter(
        pk__in=[candidate.event.id for candidate in group],
        timestamp__gte=min(times),
        timestamp__lte=max(times),
    )
    return set(events.filter(compile_condition(where, EVENTS, reading)).values_list("pk", flat=True))
