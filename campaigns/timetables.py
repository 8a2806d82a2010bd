"""Timetables of campaigns: when the next occurrence comes, and opening it once it has come.

A timetable is a row of its own. Publishing, pausing and resuming never move it back: days up to ``done_to`` are over,
whatever is published. To open an occurrence means to write down who is to be asked (``Intake``): everybody at once, or
where it goes by each person's clock, those of each instant at which it is that time somewhere.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from django.db import transaction

from campaigns import workflows
from campaigns.engine.rhythms import ONCE, openings
from campaigns.engine.starts import OnDate, OnSchedule
from campaigns.engine.steps import Workflow
from campaigns.models import Campaign, CampaignVersion, Intake, Timetable
from campaigns.requests import Reason
from events.clock import DAY

NO_TIMETABLE = "The version that was published has no timetable any more: nobody else was asked."
# What the timetable goes by: other parts of a trigger may change without its being another one.
RULE = ("kind", "repeat", "on", "at", "days", "day", "cron", "whose", "yearly")


def follow(campaign: Campaign, version: CampaignVersion, now: datetime) -> None:
    """Reckon by a version that goes live from now on, in that transaction. Five statements at most.

    Where its times are others than before, only those that are still to come count. Where it has none any more, an
    occurrence at which people are being asked ends.
    """
    workflow = workflows.of_versions([version.pk])[version.pk]
    table = Timetable.objects.select_for_update().filter(campaign=campaign).first()
    start = workflow.trigger.start
    if table and not isinstance(start, OnSchedule):
        open_ones = Intake.objects.filter(campaign=campaign, reason=Reason.SCHEDULE, ended_at=None)
        open_ones.update(state=Intake.State.CANCELLED, ended_at=now, error=NO_TIMETABLE)
    if not isinstance(start, OnSchedule | OnDate):
        if table:
            table.rule, table.next_day, table.next_at, table.built_to = {}, None, None, None
            table.save(update_fields=["rule", "next_day", "next_at", "built_to"])
        return
    rule = _rule(workflow, version.definition["trigger"])
    if table is None:
        table = Timetable(campaign=campaign, since=now, rule=rule)
    elif table.rule != rule:
        table.since, table.rule = now, rule
    # What became of traits while nobody watched is not known: a date is reckoned for everybody, whenever it goes live.
    table.built_to = 0 if isinstance(start, OnDate) else None
    _look_ahead(table, workflow)
    table.save()


def open_due(now: datetime) -> int:
    """Open the occurrences whose time has come, of campaigns that are live; return how many."""
    opened = 0
    while _open_next(now):
        opened += 1
    return opened


@transaction.atomic
def _open_next(now: datetime) -> bool:
    table = (
        Timetable.objects.select_for_update(of=("self", "campaign"), skip_locked=True, no_key=True)
        .select_related("campaign")
        .filter(next_at__lte=now, campaign__status=Campaign.Status.LIVE)
        .order_by("next_at")
        .first()
    )
    if table is None:
        return False
    version_id = table.campaign.live_version_id
    assert version_id and table.next_day, "it is live and has a next day"
    workflow = workflows.of_versions([version_id])[version_id]
    Intake.objects.bulk_create(_intakes(table, workflow), ignore_conflicts=True)
    table.done_to = table.next_day
    _look_ahead(table, workflow)
    table.save(update_fields=["done_to", "next_day", "next_at"])
    return True


def _intakes(table: Timetable, workflow: Workflow) -> list[Intake]:
    """Return who is to be asked when. The last are all who were not asked yet, such as who has moved meanwhile."""
    start, day = workflow.trigger.start, table.next_day
    assert isinstance(start, OnSchedule) and day
    instants = list(_openings(workflow, start, day).items())
    shared = {"campaign": table.campaign, "reason": Reason.SCHEDULE, "occurrence": day.isoformat()}
    return [
        Intake(**shared, segment=start.segment, zones=zones if at < instants[-1][0] else [], due_at=at, next_at=at)
        for at, zones in instants
    ]


def _look_ahead(table: Timetable, workflow: Workflow) -> None:
    """Find the next day: behind those that are done, and begun after these times began to hold.

    A single day counts as long as it is not over everywhere: nothing comes after it.
    """
    start = workflow.trigger.start
    table.next_day, table.next_at = None, None
    if not isinstance(start, OnSchedule):
        return
    # On the other side of the earth it is another day.
    after = table.done_to or (table.since - 2 * DAY).date()
    for day in start.rhythm.days_after(after):
        instants = list(_openings(workflow, start, day))
        counts = instants[-1] if start.rhythm.repeat == ONCE else instants[0]
        if counts > table.since:
            table.next_day, table.next_at = day, instants[0]
            return


def _openings(workflow: Workflow, start: OnSchedule, day: Any) -> dict[datetime, list[str]]:
    zones = _zones() if start.by_person else frozenset()
    return openings(day, start.rhythm.clock, zones, workflows.zone_for("", workflow.time_zone))


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _rule(workflow: Workflow, trigger: dict[str, Any]) -> dict[str, Any]:
    start, times = workflow.trigger.start, {key: trigger[key] for key in RULE if key in trigger}
    trait = {"trait": ".".join(start.path)} if isinstance(start, OnDate) else {}
    return {**times, **trait, "time_zone": workflow.time_zone}
