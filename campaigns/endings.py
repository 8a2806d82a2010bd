"""End journeys before their time: by a goal, or by a rule of who leaves early."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from campaigns import ledger, news
from campaigns.models import Journey, Metric
from campaigns.news import News
from campaigns.reasons import Ending, Outcome


@dataclass(frozen=True, slots=True)
class Ended:
    """A journey that is to end, why, and what its last visit says of it."""

    journey: Journey
    ending: Ending
    detail: str


def end(ended: Collection[Ended], now: datetime) -> list[News]:
    """End journeys, which the caller has locked, and return what is to be told. Three statements."""
    ledger.move_journeys(
        [
            ledger.JourneyState(
                journey_id=one.journey.pk,
                state=Journey.State.ENDED,
                step_id=one.journey.step_id,
                visit_number=one.journey.visit_number,
                step_entered_at=one.journey.step_entered_at,
                due_at=None,
                ended_at=now,
                ending=one.ending,
            )
            for one in ended
        ]
    )
    ledger.leave_visits(
        [
            ledger.VisitExit(one.journey.pk, one.journey.visit_number, now, Outcome.INTERRUPTED, one.detail, None)
            for one in ended
            if one.journey.visit_number
        ]
    )
    ledger.count(
        ledger.Count(one.journey.campaign_id, one.journey.version_id, "", now.date(), metric)
        for one in ended
        if not one.journey.is_test
        for metric in (Metric.ENDED, *([] if one.ending is Ending.GOAL else [Metric.LEFT]))
    )
    return [
        News(news.ENDED, one.journey.pk, one.journey.campaign_id, one.journey.profile_id, one.ending) for one in ended
    ]
