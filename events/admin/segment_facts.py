"""What a segment's page tells: who is in it, how it grew, what asking costs, where it is used. Nothing here asks it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db.models import Sum
from django.urls import reverse
from django.utils import timezone

from events.conditions import ConditionError
from events.models import Profile, Segment, SegmentHour, SegmentMember
from events.patience import TooLong
from events.segments import plans, usage
from events.segments.building import percent
from events.telling import tell

SHOWN = 10
DAYS = 30
CHART_OPTIONS = json.dumps(
    {
        "animation": False,
        "maintainAspectRatio": False,
        "elements": {"point": {"radius": 0, "hitRadius": 12}, "line": {"borderWidth": 2}},
        "interaction": {"intersect": False, "mode": "index"},
        "plugins": {"legend": {"display": False}},
        "scales": {
            "x": {"grid": {"display": False}, "ticks": {"maxTicksLimit": 8, "maxRotation": 0}},
            "y": {"beginAtZero": True, "ticks": {"precision": 0, "maxTicksLimit": 5}, "grid": {}},
        },
    }
)


def facts_context(segment: Segment) -> dict[str, Any]:
    """Return what the page tells about a segment. Nothing here asks its condition."""
    members = SegmentMember.objects.filter(segment=segment).select_related("profile").order_by("-profile_id")
    everybody = reverse("admin:events_profile_changelist")
    return {
        "segment": segment,
        "percent": percent(segment),
        "words": _words_of(segment),
        "members": list(members[:SHOWN]),
        "all_members": f"{everybody}?segment_memberships__segment__id__exact={segment.pk}",
        "used_by": usage.used_by(segment),
        "needs": usage.needs(segment),
        "chart": json.dumps(grown) if (grown := growth(segment)) else "",
        "chart_options": CHART_OPTIONS,
        "day": last_day(segment),
        "asked_of": Profile.objects.filter(pk=segment.asked_of).first() if segment.asked_of else None,
    }


def plans_context(segment: Segment, *, run: bool) -> dict[str, Any]:
    """Return both plans, each with what it is for; a text in place of one that took too long or is not to be had."""
    asked = (
        (f"Following a batch of {plans.BATCH} people, as events come in", plans.of_batch),
        ("Asking everybody, as when they are counted", plans.of_everyone),
    )
    return {"segment": segment, "run": run, "plans": [(words, *_plan(of, segment, run=run)) for words, of in asked]}


def _plan(of: Callable[..., plans.Plan | None], segment: Segment, *, run: bool) -> tuple[plans.Plan | None, str]:
    try:
        found = of(segment, run=run)
    except TooLong:
        return None, f"It was given up after {plans.SECONDS} seconds."
    return found, "" if found else "The condition cannot be read, so nobody can be asked."


def growth(segment: Segment) -> dict[str, Any]:
    """Return the data of Unfold's line chart: the size at the end of each of the last days; none without a past."""
    today = timezone.now().date()
    since = today - timedelta(days=DAYS - 1)
    rows = SegmentHour.objects.filter(segment=segment).order_by("-hour")
    sizes = {
        hour.date(): size for hour, size in reversed(rows.filter(hour__date__gte=since).values_list("hour", "size"))
    }
    size = rows.filter(hour__date__lt=since).values_list("size", flat=True).first() or 0
    if not sizes and not size:
        return {}
    days = [since + timedelta(days=number) for number in range(DAYS)]
    points = [size := sizes.get(day, size) for day in days]
    return {
        "labels": [f"{day:%-d %b}" for day in days],
        "datasets": [{"label": "People", "data": points, "borderColor": "var(--cb-chart-1)"}],
    }


def last_day(segment: Segment) -> dict[str, float]:
    """Return how many came and went in the last day, and what asking cost.

    How often anybody was asked, about how many people, milliseconds each time and seconds in all.
    """
    since = timezone.now() - timedelta(days=1)
    hours = SegmentHour.objects.filter(segment=segment, hour__gte=since)
    names = ("entered", "gone", "asks", "asked", "seconds")
    sums: dict[str, float] = hours.aggregate(**{name: Sum(name, default=0) for name in names})
    return {**sums, "each": 1000 * sums["seconds"] / (sums["asks"] or 1)}


def _words_of(segment: Segment) -> str:
    try:
        return tell(segment.condition) if segment.condition is not None else ""
    except ConditionError as error:
        return f"Nobody can be asked about this: {error}"
