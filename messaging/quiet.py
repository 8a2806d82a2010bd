"""Quiet hours: until when a message waits, on the person's own clock. Pure: the moment is an argument."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo

from events import clock
from messaging.policy import MARKETING


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From when until when nothing is sent, each day; over midnight where ``end`` is the earlier time of day.

    ``spares_urgent``: urgent marketing goes out all the same. ``spares_transactional``: so does what is transactional.
    """

    start: time
    end: time
    spares_urgent: bool = False
    spares_transactional: bool = True

    def until(self, *, purpose: str, urgent: bool, now: datetime, zone: ZoneInfo) -> datetime | None:
        """Return the instant (UTC) until which such a message waits, None where it may go at once."""
        if self.spares_urgent and urgent if purpose == MARKETING else self.spares_transactional:
            return None
        return clock.end_of(self.start, self.end, now, zone)
