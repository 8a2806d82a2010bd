"""Roll a campaign out in stages: to one per cent of all people, to ten, and at last to everybody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.utils import timezone

from campaigns.models import Admission, Campaign

USUAL_STAGES = (1, 10, 50, 100)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to hold for a campaign; without ``stages`` there is no roll-out. See ``Admission``."""

    holdout: int
    in_global: bool
    stages: list[int]
    hours: int | None


@transaction.atomic
def set_up(campaign: Campaign, wanted: Wanted) -> Admission:
    """Let this hold from now on. A roll-out that is under way keeps its share where the new stages have it."""
    Campaign.objects.select_for_update().get(pk=campaign.pk)
    admission = Admission.objects.filter(campaign=campaign).first() or Admission(campaign=campaign)
    if wanted.stages != admission.stages:
        reached = admission.share if admission.stages else None
        admission.stages = wanted.stages
        admission.stage = wanted.stages.index(reached) if reached in wanted.stages else 0
        admission.stage_since = timezone.now()
    admission.holdout, admission.in_global, admission.hours = wanted.holdout, wanted.in_global, wanted.hours
    admission.save()
    return admission


def next_stage(campaign: Campaign, reached: int) -> bool:
    """Begin the stage behind ``reached``, unless somebody else has done so. Returns whether it has begun."""
    held = Admission.objects.filter(campaign=campaign, stage=reached, stages__len__gt=reached + 1)
    return bool(held.update(stage=reached + 1, stage_since=timezone.now()))


# A campaign that is paused, by whomever, does not go on.
ADVANCE = """
UPDATE campaigns_admission a SET stage = a.stage + 1, stage_since = %(now)s FROM campaigns_campaign c
WHERE c.id = a.campaign_id AND c.status = 'live' AND a.stage + 1 < cardinality(a.stages)
  AND a.stage_since + a.hours * interval '1 hour' <= %(now)s
"""


def advance_due(now: datetime) -> int:
    """Begin the next stage of those whose time at the present one is over. Returns how many. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(ADVANCE, {"now": now})
        count: int = cursor.rowcount
    return count
