"""Stop whose messages bounce, fail, are reported as spam or drive people away: the circuit breaker.

A campaign is paused; for a provider, a sending domain, or the mailboxes that one provider keeps, marketing is held
(``messaging.holds``).

Rates are those of the messages that were *sent* in the last hour and in the last day, whenever the reports came in: so
the bounces of a large mailing never count against the few messages of the hour after it. They are read from figures by
the minute (``RecentCount``) that folding keeps anyway. After a resume only what is sent from then on counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from campaigns import metrics, publishing
from campaigns.engine.guarding import Limits, Rate, Sample, breach
from campaigns.models import Safeguards
from messaging import carrier_counts, holds, mailboxes
from messaging.carrier_counts import Subject
from messaging.models import Provider

SPANS = {"hour": timedelta(hours=1), "day": timedelta(days=1)}

FIGURES = """
SELECT c.id, c.guarded_since, r.metric, coalesce(sum(r.count) FILTER (WHERE r.at >= %(hour)s), 0), sum(r.count)
FROM campaigns_campaign c JOIN campaigns_recentcount r ON r.campaign_id = c.id
WHERE CASE WHEN %(campaign)s::bigint IS NULL THEN c.status = 'live' ELSE c.id = %(campaign)s END
  AND r.at >= greatest(%(day)s, c.guarded_since) AND r.metric = ANY(%(watched)s)
GROUP BY c.id, r.metric ORDER BY c.id
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """The samples of a campaign by span, of what was sent since ``guarded_since``."""

    campaign_id: int
    guarded_since: datetime | None
    samples: Mapping[str, Sample]


def read(now: datetime, campaign_id: int | None = None) -> list[Reading]:
    """Return what became of the messages of live campaigns, or of the named one. One statement."""
    counts: dict[tuple[int, datetime | None], dict[str, dict[str, int]]] = defaultdict(
        lambda: {span: {} for span in SPANS}
    )
    asked: dict[str, Any] = {
        "hour": now - SPANS["hour"],
        "day": now - SPANS["day"],
        "watched": [str(metric) for metric in metrics.WATCHED],
        "campaign": campaign_id,
    }
    with connection.cursor() as cursor:
        cursor.execute(FIGURES, asked)
        for found, since, metric, hour, day in cursor.fetchall():
            counts[found, since]["hour"][metric], counts[found, since]["day"][metric] = int(hour), int(day)
    return [
        Reading(found, since, {span: Sample(**figures) for span, figures in spans.items()})
        for (found, since), spans in counts.items()
    ]


def limits() -> Limits:
    """Return the limits that the workspace has set, or the usual ones. One statement."""
    row = Safeguards.objects.first() or Safeguards()

    def percent(value: float | None) -> float | None:
        return None if value is None else float(value)

    return Limits(
        percent(row.bounce_limit),
        percent(row.complaint_limit),
        percent(row.failure_limit),
        percent(row.unsubscribe_limit),
        row.sample,
    )


def check(now: datetime) -> list[int]:
    """Pause every live campaign that is over a limit, with the reason. Returns their ids. Two statements when none."""
    held = limits()
    halted = []
    for reading in read(now):
        for span, sample in reading.samples.items():
            over = breach(sample, held)
            if over and publishing.halt(reading.campaign_id, words(over, span), reading.guarded_since):
                halted.append(reading.campaign_id)
                break
    return halted


def check_carriers(now: datetime) -> list[Subject]:
    """Hold marketing for every provider, sending domain and mailbox provider that is over a limit. Returns which.

    Four statements when all is well. Who keeps the other mailboxes is not one, so those are not held together.
    """
    held, lifted = limits(), holds.lifted_since(now)
    names = {str(pk): name for pk, name in Provider.objects.values_list("pk", "name")}
    new = []
    for span, length in SPANS.items():
        for (kind, name), figures in carrier_counts.by_subject(now - length, lifted).items():
            if not name or name == mailboxes.OTHERS:
                continue
            over = breach(Sample(**figures), held)
            if over and holds.hold(kind, name, names.get(name, name), words(over, span)):
                new.append((kind, name))
    return new


def words(over: Rate, span: str) -> str:
    """Say why a campaign was stopped."""
    return (
        f"{over.percent:.3g} % of the {over.messages:,} messages of the last {span} {over.verb}, more than "
        f"{over.limit:g} %"
    )
