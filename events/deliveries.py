"""Hand on what an application says about a message that was sent. Messages are kept further left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from events import signals


@dataclass(frozen=True, slots=True)
class Report:
    """What became of one message, in Customer.io's words: ``metric`` is opened, clicked, bounced …

    ``event_key`` is the same when the same thing is said again.
    """

    delivery_id: str
    metric: str
    timestamp: datetime
    event_key: str
    url: str = ""
    reason: str = ""


def report(one: Report) -> bool:
    """Let whoever keeps messages count it; return whether anybody knows the message."""
    return any(known for _, known in signals.delivery_reported.send(sender=report, report=one))
