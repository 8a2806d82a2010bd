"""Say what became of a message, in words, with its reason and the provider's own."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse

from messaging.models import DeliveryEvent, Message
from messaging.reasons import Reason
from messaging.states import LABELS, Status

TONES = {
    Status.DRAFT: "warn",
    Status.QUEUED: "info",
    Status.SENDING: "info",
    Status.SENT: "info",
    Status.DELIVERED: "ok",
    Status.OPENED: "ok",
    Status.CLICKED: "ok",
    Status.UNSUBSCRIBED: "warn",
    Status.SKIPPED: "warn",
    Status.UNKNOWN: "warn",
}
ARRIVED = (Status.DELIVERED, Status.OPENED, Status.CLICKED, Status.COMPLAINED, Status.UNSUBSCRIBED)
UNDER_WAY = (Status.DRAFT, Status.QUEUED, Status.SENDING, Status.SENT)


@dataclass(frozen=True, slots=True)
class Mail:
    """A message in words. ``why`` joins the recorded reason and what the provider or the renderer said."""

    message: Message
    status: Status
    label: str
    tone: str
    why: str
    url: str


def of(message: Message, report: DeliveryEvent | None = None) -> Mail:
    """Describe a message; ``report`` is the bounce or refusal to quote, if there was one."""
    status = Status(message.status)
    return Mail(
        message=message,
        status=status,
        label=LABELS[status],
        tone=TONES.get(status, "bad"),
        why=why(message, report),
        url=reverse("admin:messaging_message_change", args=[message.pk]),
    )


def why(message: Message, report: DeliveryEvent | None) -> str:
    """Say why a message was not sent, waits, or did not arrive."""
    reason = Reason(message.reason).label if message.reason in set(Reason) else ""
    said = (report.description or report.mta_response or report.reason) if report else ""
    aside = "Redirected to the test address" if message.redirected else ""
    parts = dict.fromkeys(part.strip() for part in (reason, message.detail, said, aside) if part.strip())
    return ": ".join(parts)


def last_reports(messages: list[Message]) -> dict[int, DeliveryEvent]:
    """Return the newest bounce, refusal or complaint of each message. One statement."""
    reports = DeliveryEvent.objects.filter(
        message__in=messages, type__in=("bounced", "rejected", "failed", "complained", "deferred")
    ).order_by("message_id", "timestamp")
    return {report.message_id: report for report in reports}
