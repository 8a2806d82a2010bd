"""The figures of campaigns: rolled up per step and day, exact at any moment, test people excluded.

Workers only ever append changes (``ledger.count``); ``fold`` adds them to the rolled-up rows, and readers add what is
not folded yet. No page counts journeys or messages.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Q, QuerySet, Sum

from campaigns import ledger
from campaigns.models import Campaign, CampaignVersion, Metric, RecentCount, StepCount, StepCountChange, Visit
from events.log import ClaimedEvent
from messaging import names

# What messaging reports in the log, and what it counts as.
DEEDS = {
    "sent": Metric.SENT,
    "delivered": Metric.DELIVERED,
    "opened": Metric.OPENED,
    "clicked": Metric.CLICKED,
    "machine_opened": Metric.MACHINE_OPENED,
    "machine_clicked": Metric.MACHINE_CLICKED,
    "bounced": Metric.BOUNCED,
    "complained": Metric.COMPLAINED,
    "unsubscribed": Metric.UNSUBSCRIBED,
    "skipped": Metric.SKIPPED,
    "failed": Metric.FAILED,
    "rejected": Metric.REJECTED,
}
MESSAGE_METRICS = {name: metric for deed, metric in DEEDS.items() for name in names.events(deed)}

# What the circuit breaker goes by.
WATCHED = (Metric.SENT, Metric.FAILED, Metric.REJECTED, Metric.BOUNCED, Metric.COMPLAINED, Metric.UNSUBSCRIBED)
# Silence is seen by comparing with a week.
KEEP_RECENT = timedelta(days=9)

FOLD = """
WITH changes AS (
    DELETE FROM campaigns_stepcountchange WHERE id IN (
        SELECT id FROM campaigns_stepcountchange ORDER BY id LIMIT 20000 FOR UPDATE SKIP LOCKED
    ) RETURNING campaign_id, version_id, step_id, day, metric, at, count
), recent AS (
    INSERT INTO campaigns_recentcount AS total (campaign_id, at, metric, count)
    SELECT campaign_id, at, metric, sum(count) FROM changes WHERE at IS NOT NULL
    GROUP BY campaign_id, at, metric ORDER BY campaign_id, at, metric
    ON CONFLICT (campaign_id, at, metric) DO UPDATE SET count = total.count + excluded.count
)
INSERT INTO campaigns_stepcount AS total (campaign_id, version_id, step_id, day, metric, count)
SELECT campaign_id, version_id, step_id, day, metric, sum(count) FROM changes
GROUP BY campaign_id, version_id, step_id, day, metric
ORDER BY campaign_id, version_id, step_id, day, metric
ON CONFLICT (campaign_id, version_id, step_id, day, metric) DO UPDATE SET count = total.count + excluded.count
"""


def record_messages(events: Sequence[ClaimedEvent]) -> None:
    """Count what messaging reported of campaigns' messages. One statement to find the visits, one to count."""
    reports = {
        (event.properties["message_id"], MESSAGE_METRICS[event.name]): event
        for event in events
        # Who unsubscribes in an application, or by hand, does so by no message.
        if event.source_id is None and event.name in MESSAGE_METRICS and "message_id" in event.properties
        if event.properties.get("first", True)
    }
    if not reports:
        return
    visits = Visit.objects.filter(message__public_id__in={message_id for message_id, _ in reports}).values_list(
        "message__public_id",
        "journey__campaign_id",
        "journey__version_id",
        "step_id",
        "journey__is_test",
        "message__sent_at",
    )
    places: dict[str, list[Any]] = {str(public_id): place for public_id, *place in visits}
    ledger.count(
        ledger.Count(
            places[message_id][0],
            places[message_id][1],
            places[message_id][2],
            event.timestamp.date(),
            metric,
            minute(places[message_id][4] or event.timestamp) if metric in WATCHED else None,
        )
        for (message_id, metric), event in reports.items()
        if message_id in places and not places[message_id][3]
    )


def minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def fold() -> None:
    """Add waiting changes to the rolled-up figures, in one statement and so exactly once."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(FOLD)


def forget_recent(now: datetime) -> None:
    """Forget recent figures that nothing is compared with any more. One statement."""
    RecentCount.objects.filter(at__lt=now - KEEP_RECENT).delete()


def totals(campaign: Campaign, version: CampaignVersion | None = None) -> dict[str, dict[str, int]]:
    """Return step id ("" for the campaign as a whole) → metric → count, of all versions or one."""
    return _by("step_id", Q(campaign=campaign) & (Q(version=version) if version else Q()))


def of_versions(campaign: Campaign) -> dict[int, dict[str, int]]:
    """Return version id → metric → count, over all steps of a campaign. Two statements."""
    return _by("version_id", Q(campaign=campaign))


def by_day(campaign: Campaign, since: date, version: CampaignVersion | None = None) -> list[tuple[date, str, str, int]]:
    """Return (day, step id, metric, count) from ``since`` on, by day."""
    result: dict[tuple[date, str, str], int] = defaultdict(int)
    wanted = Q(campaign=campaign, day__gte=since) & (Q(version=version) if version else Q())
    for day, step_id, metric, number in _summed(wanted, "day", "step_id", "metric"):
        result[day, step_id, metric] += number
    return [(day, step_id, metric, number) for (day, step_id, metric), number in sorted(result.items())]


def of_campaigns(since: date) -> dict[int, dict[str, int]]:
    """Return campaign id → metric → count from ``since`` on, over all steps. Two statements for all campaigns."""
    return _by("campaign_id", Q(day__gte=since))


def _by(key: str, wanted: Q) -> dict[Any, dict[str, int]]:
    """Return what ``key`` holds → metric → count. Two statements."""
    result: dict[Any, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for value, metric, number in _summed(wanted, key, "metric"):
        result[value][metric] += number
    return {value: dict(figures) for value, figures in result.items()}


def _summed(wanted: Q, *keys: str) -> list[tuple[Any, ...]]:
    tables: list[QuerySet[StepCount] | QuerySet[StepCountChange]] = [
        StepCount.objects.filter(wanted),
        StepCountChange.objects.filter(wanted),
    ]
    return [row for table in tables for row in table.values(*keys).annotate(n=Sum("count")).values_list(*keys, "n")]
