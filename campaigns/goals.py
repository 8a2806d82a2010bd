"""See who has reached a goal, from the log itself, and end those journeys.

Asked when a goal's event comes in, and again by the runner before a journey moves: a purchase that was stored a
moment ago stops the reminder even when its own evaluation still waits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import OuterRef, Q, QuerySet, Subquery

from campaigns import endings, ledger, news
from campaigns.endings import Ended
from campaigns.engine.steps import Goal, Workflow
from campaigns.models import Journey, Metric
from campaigns.news import News
from campaigns.reasons import Ending
from events.audience import EVENTS, compile_condition
from events.models import Event


@dataclass(frozen=True, slots=True)
class Conversion:
    """A journey that has reached its goal, and when the event happened."""

    journey: Journey
    at: datetime


def find(journeys: QuerySet[Journey], goals: Mapping[int, Goal]) -> dict[int, datetime]:
    """Return the instant of the goal event by journey id, of those among ``journeys`` that have one.

    ``goals`` is by version id: one statement for each goal, which most versions of a campaign share.
    """
    found: dict[int, datetime] = {}
    versions: dict[Goal, list[int]] = defaultdict(list)
    for version_id, goal in sorted(goals.items()):
        versions[goal].append(version_id)
    for goal, version_ids in versions.items():
        rows = (
            journeys.filter(version_id__in=version_ids, converted_at=None)
            .annotate(reached=Subquery(first_event(goal)))
            .exclude(reached=None)
            .values_list("id", "reached")
        )
        found.update(rows)
    return found


def convert(found: Mapping[int, datetime], now: datetime) -> set[int]:
    """Note conversions and end the journeys still under way. Returns the ids of those that had not converted before.

    Locks the journeys in id order; the caller holds their people. Seven statements at most.
    """
    if not found:
        return set()
    locked = Journey.objects.filter(pk__in=found, converted_at=None).order_by("pk").select_for_update()
    conversions = [Conversion(journey, found[journey.pk]) for journey in locked]
    for conversion in conversions:
        conversion.journey.converted_at = conversion.at
    Journey.objects.bulk_update([c.journey for c in conversions], ["converted_at"])
    under_way = [c.journey for c in conversions if c.journey.state != Journey.State.ENDED]
    ended = endings.end([Ended(journey, Ending.GOAL, Ending.GOAL.label) for journey in under_way], now)
    reached = [
        News(news.REACHED, c.journey.pk, c.journey.campaign_id, c.journey.profile_id)
        for c in conversions
        if c.journey.ending != Ending.HELD_OUT
    ]
    news.tell([*reached, *ended])
    ledger.count(
        ledger.Count(c.journey.campaign_id, c.journey.version_id, "", c.at.date(), metric)
        for c in conversions
        if not c.journey.is_test
        for metric in _counted_as(c.journey)
    )
    return {conversion.journey.pk for conversion in conversions}


def of_workflows(workflows: Mapping[int, Workflow]) -> dict[int, Goal]:
    """Return the goals by version id, of the versions that have one."""
    return {version_id: workflow.goal for version_id, workflow in workflows.items() if workflow.goal}


def listening(names: Collection[str], workflows: Mapping[int, Workflow]) -> dict[int, Goal]:
    """Return the goals, by version id, that wait for an event of one of these names."""
    return {version_id: goal for version_id, goal in of_workflows(workflows).items() if goal.event in names}


def _counted_as(journey: Journey) -> list[Metric]:
    """Return what a conversion counts as: who is held out only counts for their control group."""
    is_held_out = journey.ending == Ending.HELD_OUT
    own = [] if is_held_out else [Metric.CONVERTED]
    return [*own, Metric.HELD_OUT_GOAL if is_held_out else Metric.TREATED_GOAL] if journey.measured else own


def first_event(goal: Goal, field: str = "timestamp") -> QuerySet[Event, datetime]:
    """Return ``field`` of the first event that reaches the goal, after the trigger of the outer row's journey."""
    # Libraries report whole milliseconds: of two events at the same one, the later in the log came later.
    at_or_before = Q(timestamp=OuterRef("trigger_at"), pk__lte=OuterRef("trigger_event_id"))
    # The trigger itself may bear a time ahead of its arrival, which is when the journey begins.
    events = Event.objects.exclude(at_or_before | Q(pk=OuterRef("trigger_event_id"))).filter(
        profile_id=OuterRef("profile_id"),
        name=goal.event,
        type=Event.Type.TRACK,
        timestamp__gte=OuterRef("trigger_at"),
        timestamp__lte=OuterRef("trigger_at") + timedelta(hours=goal.hours),
    )
    if goal.where is not None:
        events = events.filter(compile_condition(goal.where, EVENTS))
    return events.order_by("timestamp").values_list(field, flat=True)[:1]
