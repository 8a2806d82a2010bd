"""Take the journeys of an old version to another: where each goes on, and that it is done, a portion at a time.

Nobody is moved unless somebody asks for it. A killed worker loses nothing: each portion is a transaction of its own,
and what is left goes on with the next beat.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import Count, F

from campaigns import places, runner
from campaigns.engine.definition import parse
from campaigns.models import CampaignVersion, Journey, VersionMove
from events import nudges, present


def standing(version: CampaignVersion) -> dict[str, int]:
    """Return how many journeys of a version are under way at which step, "" before the first. One statement."""
    going = Journey.objects.filter(version=version).exclude(state=Journey.State.ENDED)
    return dict(going.values_list("step_id").annotate(number=Count("*")).order_by())


def under_way(campaign_id: int) -> dict[int, int]:
    """Return how many journeys of each version of a campaign are under way. One statement."""
    going = Journey.objects.filter(campaign=campaign_id).exclude(state=Journey.State.ENDED)
    return dict(going.values_list("version_id").annotate(number=Count("*")).order_by())


def suggest(source: Mapping[str, Any], target: Mapping[str, Any]) -> dict[str, str | None]:
    """Return for each step of ``source`` where to go on in ``target``: at the same step, or the next that is in both.

    None where there is none: then they stay.
    """
    following = parse(source).following
    known = places.by_id(target)
    found: dict[str, str | None] = {"": ""}
    for step_id in following:
        at: str | None = step_id
        while at is not None and at not in known:
            at = following[at]
        found[step_id] = at
    return found


@transaction.atomic
def ask(source: CampaignVersion, target: CampaignVersion, chosen: Mapping[str, str], by: str) -> VersionMove | None:
    """Have the journeys that stand at the steps ``chosen`` names go on in ``target``. None where a move is under way.

    Raises ValueError for a step that is not there.
    """
    known = {"", *places.by_id(target.definition)}
    if source.campaign_id != target.campaign_id or source == target or not known.issuperset(chosen.values()):
        raise ValueError("journeys go on at steps of another version of their campaign")
    CampaignVersion.objects.select_for_update(no_key=True).get(pk=source.pk)
    if VersionMove.objects.filter(source=source, ended_at=None).exists():
        return None
    move = VersionMove(source=source, target=target, places=dict(chosen), total=0, asked_by=by)
    move.total = runner.moving(move).count()
    move.save()
    nudges.nudge("moves")
    return move


def run_due(deadline: float) -> int:
    """Move portions until nothing is left or ``time.monotonic()`` passes ``deadline``. Returns how many moved."""
    done = 0
    while time.monotonic() < deadline:
        moved = _portion()
        if not moved:
            break
        done += moved
    return done


@transaction.atomic
def _portion() -> int:
    """Move a portion of what was asked for first; return how many journeys that were."""
    move = (
        VersionMove.objects.select_for_update(skip_locked=True, of=("self",), no_key=True)
        .select_related("target")
        .filter(ended_at=None)
        .order_by("pk")
        .first()
    )
    if move is None:
        return 0
    found, moved = runner.change_version(move)
    ended = None if found else present.now()
    VersionMove.objects.filter(pk=move.pk).update(moved=F("moved") + moved, ended_at=ended)
    return moved
