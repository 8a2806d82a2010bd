"""Put together what happened to a message, in order: our own steps and the provider's reports."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from messaging import diagnosis, machines
from messaging.admin import whereabouts
from messaging.models import DeliveryEvent, Message
from messaging.reasons import Reason
from messaging.states import LABELS, Status

# More reports than this come from machines that load pictures again and again.
LIMIT = 200

# anymail's event types: (title, tone).
TYPES: dict[str, tuple[str, str]] = {
    "queued": ("Queued by the provider", "info"),
    "sent": ("Sent on by the provider", "info"),
    "rejected": ("Rejected by the provider", "bad"),
    "failed": ("The provider could not send it", "bad"),
    "bounced": ("Bounced", "bad"),
    "deferred": ("Delayed: the recipient's server asked for another try", "warn"),
    "delivered": ("Delivered to the recipient's mail server", "ok"),
    "autoresponded": ("Answered automatically", "info"),
    "opened": ("Opened", "ok"),
    "clicked": ("Clicked", "ok"),
    "dismissed": ("Dismissed", "info"),
    "complained": ("Reported as spam", "bad"),
    "unsubscribed": ("Unsubscribed", "warn"),
    "subscribed": ("Subscribed again", "info"),
}

# anymail's reject reasons.
BOUNCES: dict[str, str] = {
    "invalid": "The address is not valid",
    "bounced": "The mailbox does not exist, or does not take mail",
    "timed_out": "The recipient's server did not take it in time",
    "blocked": "The recipient's server blocked it",
    "spam": "Taken for spam",
    "unsubscribed": "The recipient had unsubscribed at the provider",
    "other": "Another reason",
}


# Why none but a draft is not sent.
DRAFTS_ONLY = frozenset({Reason.REFUSED, Reason.NOT_APPROVED})


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the history. ``facts`` are pairs of label and text."""

    at: datetime
    title: str
    tone: str = "muted"
    facts: tuple[tuple[str, str], ...] = ()
    url: str = ""


def history(message: Message) -> list[Entry]:
    """Return what happened to ``message``, oldest first. One statement; reads provider and template version."""
    reports = DeliveryEvent.objects.filter(message=message).defer("raw").order_by("timestamp", "id")[:LIMIT]
    entries = [*_own(message), *(_report(report) for report in reports)]
    return sorted(entries, key=lambda entry: entry.at)


def verdict(entries: list[Entry]) -> Entry | None:
    """Return the last bad news among ``entries``: why a message came back."""
    return next((entry for entry in reversed(entries) if entry.tone == "bad"), None)


def _own(message: Message) -> list[Entry]:
    status = Status(message.status)
    was_draft = bool(message.approved_at or status == Status.DRAFT or message.reason in DRAFTS_ONLY)
    made = "Written as a draft" if was_draft else "Put into the outbox"
    entries = [Entry(message.created_at, made, facts=_queue_facts(message))]
    if message.approved_at:
        entries.append(Entry(message.approved_at, f"Approved by {message.approved_by}", "ok"))
    if message.sent_at:
        entries.append(
            Entry(message.sent_at, f"Handed to {message.provider or 'the provider'}", "info", _sent(message))
        )
    elif message.called_at:
        entries.append(Entry(message.called_at, f"{message.provider or 'The provider'} was called", "info"))
    if status in (Status.SENDING, Status.SKIPPED, Status.FAILED, Status.UNKNOWN):
        entries.append(Entry(message.updated_at, LABELS[status], whereabouts.TONES[status], _why(message)))
    elif status == Status.QUEUED and message.reason:
        entries.append(Entry(message.updated_at, "Put off", "info", _why(message)))
    elif status == Status.QUEUED and message.detail:
        entries.append(Entry(message.updated_at, "Tried, and put back into the outbox", "warn", _why(message)))
    return entries


def _queue_facts(message: Message) -> tuple[tuple[str, str], ...]:
    return (("Template", str(message.template_version)),)


def _sent(message: Message) -> tuple[tuple[str, str], ...]:
    pairs = [("To", message.address)]
    if message.attempts > 1:
        pairs.append(("Tries", str(message.attempts)))
    return _filled(pairs)


def _why(message: Message) -> tuple[tuple[str, str], ...]:
    reason = Reason(message.reason).label if message.reason else ""
    return _filled([("Why", reason), ("In detail", message.detail)])


def _report(report: DeliveryEvent) -> Entry:
    title, tone = TYPES.get(report.type, (f"Reported: {report.type}", "muted"))
    if report.machine:
        title, tone = f"{title} by a program, not by the person", "muted"
    what = diagnosis.of(f"{report.mta_response} {report.description}", report.reason) if tone == "bad" else None
    facts = _filled(
        [
            ("Counted apart", machines.WORDS.get(report.machine, report.machine)),
            ("What that means", f"{what.words} {what.advice}" if what else ""),
            ("Code", what.code if what else ""),
            ("Reason", BOUNCES.get(report.reason, report.reason)),
            ("Description", report.description),
            ("The mail server said", report.mta_response),
            ("Program", report.user_agent),
        ]
    )
    return Entry(report.timestamp, title, tone, facts, report.url)


def _filled(pairs: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((label, text) for label, text in pairs if text)
