"""Read what an application reports about messages: opened, clicked, bounced …"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from events import deliveries
from events.api.authentication import Caller
from events.api.customerio.items import unix_time
from events.api.fields import Fields, id_of, text_of, text_or_nothing
from events.api.refusal import Refusal
from events.deliveries import Report

METRICS = ("bounced", "clicked", "converted", "deferred", "delivered", "dropped", "opened", "spammed", "unsubscribed")
MAX_TEXT = 2000


@dataclass(frozen=True, slots=True)
class ReportDelivery:
    """Count what became of a message."""

    report: Report

    def perform(self, caller: Caller, received_at: datetime) -> None:
        if not deliveries.report(self.report):
            message = f"No message of ours has the delivery id {self.report.delivery_id}."
            raise Refusal("not_found", message, "delivery_id")


def read(fields: Fields, metric_field: str, received_at: datetime, id_field: str = "delivery_id") -> Report:
    """Read a report. Raises Refusal."""
    delivery_id = id_of(fields, id_field)
    if not delivery_id:
        raise Refusal("missing_field", f"A report needs the {id_field} of its message.", id_field)
    metric = text_of(fields, metric_field) or ""
    if metric not in METRICS:
        raise Refusal("invalid_value", f"The {metric_field} has to be one of {', '.join(METRICS)}.", metric_field)
    given = unix_time(fields, "timestamp")
    url = text_or_nothing(fields, "href")[:MAX_TEXT]
    # Without a time the same word about the same link is the same report.
    said = f"{delivery_id}:{metric}:{url}:{given.timestamp() if given else ''}"
    return Report(
        delivery_id=delivery_id,
        metric=metric,
        timestamp=given or received_at,
        event_key=f"cio:{hashlib.sha256(said.encode()).hexdigest()}",
        url=url,
        reason=text_or_nothing(fields, "reason")[:MAX_TEXT],
    )
