"""Say where a journey stands and what it waits for, in words. Pure: ``now`` and the zone are arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from campaigns.admin import words
from campaigns.models import Journey
from campaigns.reasons import Ending

# The beat looks each second; a timer this late means that nobody works.
LATE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Standing:
    """``tone`` is a badge's. ``until`` is when the journey moves on by itself, None if it does not."""

    state: str
    text: str
    tone: str
    until: datetime | None = None


def standing(journey: Journey, step: Mapping[str, Any] | None, zone: ZoneInfo, now: datetime) -> Standing:
    """Return where ``journey`` stands; ``step`` is its present step's part of the definition, if it has one."""
    place = f"“{words.name(step)}”" if step else f"“{journey.step_id}”" if journey.step_id else "the start"
    if journey.state == Journey.State.ENDED:
        return _ended(journey)
    if journey.state == Journey.State.STUCK:
        return Standing("Stuck", f"Stuck at {place}: {journey.error or 'no reason was recorded'}", "bad")
    if journey.state == Journey.State.PAUSED:
        return Standing("Held", f"Held at {place}: the campaign is paused", "warn")
    return _under_way(journey, step, place, zone, now)


def _ended(journey: Journey) -> Standing:
    if journey.converted_at and journey.ending != Ending.GOAL:
        return Standing("Ended", f"{_label(journey)}, and later reached the goal", "ok")
    return Standing("Ended", _label(journey), "ok" if journey.ending == Ending.GOAL else "muted")


def _label(journey: Journey) -> str:
    return Ending(journey.ending).label if journey.ending in set(Ending) else "Over"


def _under_way(journey: Journey, step: Mapping[str, Any] | None, place: str, zone: ZoneInfo, now: datetime) -> Standing:
    due = journey.due_at
    if due is None or due <= now:
        late = due is not None and now - due > LATE
        text = f"At {place}: due {clock(due, now)}, but not moved yet. Does the worker run?" if late and due else ""
        return Standing("Under way", text or f"At {place}: moves on at any moment", "warn" if late else "info")
    if step and step.get("kind") == "window":
        return Standing("Under way", f"At {place}: outside these hours until {clock(due, now, zone)}", "info", due)
    latest = " at the latest" if step and step.get("kind") in ("wait", "quiet", "call") else ""
    return Standing("Under way", f"Waiting at {place} until {clock(due, now)}{latest}", "info", due)


def clock(when: datetime, now: datetime, zone: ZoneInfo | None = None) -> str:
    """Say an instant as a clock shows it in ``zone`` (None: UTC), with the day where it is not today."""
    shown, today = (moment.astimezone(zone or ZoneInfo("UTC")) for moment in (when, now))
    name = zone.key if zone else "UTC"
    if shown.date() == today.date():
        return f"{shown:%H:%M} {name}"
    if abs((shown.date() - today.date()).days) < 7:
        return f"{shown:%A %H:%M} {name}"
    return f"{shown:%Y-%m-%d %H:%M} {name}"
