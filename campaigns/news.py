"""Tell the log when journeys start and end and reach their goal, so that segments and other campaigns hear of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from campaigns.models import Campaign
from campaigns.reasons import Ending
from events import log, present

STARTED, ENDED, REACHED = "Journey Started", "Journey Ended", "Goal Reached"
NAMES = frozenset({STARTED, ENDED, REACHED})


@dataclass(frozen=True, slots=True)
class News:
    """What became of one journey: one of ``NAMES``, and how it ended where it has."""

    name: str
    journey_id: int
    campaign_id: int
    profile_id: int
    ending: Ending | None = None


def tell(news: Sequence[News]) -> None:
    """Append what is new in the caller's transaction, which holds the people. Two statements."""
    if not news:
        return
    slugs = dict(Campaign.objects.filter(pk__in={one.campaign_id for one in news}).values_list("pk", "slug"))
    now = present.now()
    log.append(
        [
            log.Entry(
                one.profile_id,
                one.name,
                {"campaign": slugs[one.campaign_id], "journey_id": one.journey_id}
                | ({"ending": one.ending} if one.ending else {}),
                now,
            )
            for one in news
        ]
    )
