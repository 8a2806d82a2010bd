"""Say when a campaign that time starts lets people in next, and about how many."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from campaigns import workflows
from campaigns.engine.definition import problems, start_of
from campaigns.engine.rhythms import upcoming
from campaigns.engine.starts import OnDate, OnSchedule
from campaigns.models import Campaign, DateTurn, Timetable
from events.models import Segment

SHOWN = 3
# People are counted so far and no farther.
MOST = 10_000


def say(campaign: Campaign, definition: Mapping[str, Any], now: datetime) -> str:
    """Return the next times in words, "" for what time does not start. Two statements at most, by an index."""
    start = start_of(definition)
    if any(each.path.startswith("trigger.") for each in problems(definition)):
        return ""
    if isinstance(start, OnDate):
        return _dates(campaign, now) if Timetable.objects.filter(campaign=campaign, rule__kind="date").exists() else ""
    return _times(start, str(definition.get("time_zone") or ""), now) if isinstance(start, OnSchedule) else ""


def _times(start: OnSchedule, name: str, now: datetime) -> str:
    zone = workflows.zone_for("", name)
    found = upcoming(start.rhythm, now, zone, SHOWN)
    if not found:
        return "No time of it is still to come."
    whose = "by each person’s clock" if start.by_person else zone.key
    return f"Next: {', '.join(f'{at:%a %-d %b %H:%M}' for at in found)}, {whose}{_size(start.segment)}"


def _size(slug: str) -> str:
    size = Segment.objects.filter(slug=slug).values_list("size", flat=True).first() if slug else None
    return "" if size is None else f"; about {_people(size)} now"


def _dates(campaign: Campaign, now: datetime) -> str:
    turns = DateTurn.objects.filter(campaign=campaign, look_at__isnull=False)
    first = turns.order_by("look_at").values_list("look_at", flat=True).first()
    if first is None:
        return "Nobody’s date is still to come."
    week = len(turns.filter(look_at__lt=now + timedelta(days=7)).values_list("profile_id")[:MOST])
    more = " or more" if week == MOST else ""
    return f"Next: {first:%a %-d %b %Y %H:%M} UTC; {_people(week)}{more} within a week"


def _people(number: int) -> str:
    return f"{number:,} {'person' if number == 1 else 'people'}"
