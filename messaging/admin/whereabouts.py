"""Say in words where a message is now, why, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from messaging import approval
from messaging.limits import banner
from messaging.models import Message, Provider, SendingLimits
from messaging.names import ChannelName
from messaging.reasons import Reason
from messaging.states import LABELS, Status

# A due message is picked up within a second or two: later than this, nobody is picking up.
LATE = timedelta(seconds=60)

TONES: dict[Status, str] = {
    Status.DRAFT: "warn",
    Status.QUEUED: "info",
    Status.SENDING: "info",
    Status.SENT: "info",
    Status.DELIVERED: "ok",
    Status.OPENED: "ok",
    Status.CLICKED: "ok",
    Status.BOUNCED: "bad",
    Status.REJECTED: "bad",
    Status.COMPLAINED: "bad",
    Status.UNSUBSCRIBED: "warn",
    Status.SKIPPED: "muted",
    Status.FAILED: "bad",
    Status.UNKNOWN: "warn",
}

# Where the status alone says it all: (headline, explanation).
PLAIN: dict[Status, tuple[str, str]] = {
    Status.DELIVERED: ("The recipient's mail server has taken it", "It has not been opened, as far as can be told."),
    Status.OPENED: ("The recipient has opened it", "Some mail programs load pictures in advance: that counts as well."),
    Status.CLICKED: ("The recipient has followed a link in it", ""),
    Status.BOUNCED: ("It came back", "The recipient's mail server did not take it."),
    Status.REJECTED: ("The provider refused to deliver it", "It did not even try."),
    Status.COMPLAINED: (
        "The recipient reported it as spam",
        "The address is on the suppression list now: nothing more is sent to it.",
    ),
    Status.UNSUBSCRIBED: (
        "The recipient unsubscribed with this message",
        "This person gets no more marketing messages. Transactional ones still go out.",
    ),
}


# What no mail server had to do with.
OTHERS: dict[Status, tuple[str, str]] = {
    Status.DELIVERED: ("It has arrived", "Nothing more has been told of it so far."),
    Status.OPENED: ("The person has seen it", ""),
    Status.BOUNCED: ("It could not be delivered", "The number, or the device, did not take it."),
}


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """``moment`` is the instant that matters most, ``moment_label`` says of what."""

    tone: str
    headline: str
    explanation: str
    moment_label: str
    moment: datetime


def tone(status: str) -> str:
    """Return the badge's tone for ``status``: ok, warn, bad, info or muted."""
    return TONES[Status(status)]


def describe(message: Message, now: datetime, limits: SendingLimits | None = None) -> Whereabouts:
    """Tell where ``message`` is at ``now``. Reads its provider, which should be loaded."""
    status = Status(message.status)
    if status == Status.QUEUED and limits and limits.holds(now):
        text = "It goes out by itself when sending is set back to normal, unless something else speaks against it then."
        return Whereabouts("warn", banner(limits, now), text, "Due", message.due_at)
    special = SPECIAL.get(status)
    if special:
        return special(message, now)
    headline, explanation = PLAIN[status]
    if message.channel != ChannelName.EMAIL:
        headline, explanation = OTHERS.get(status, (headline, explanation))
    return Whereabouts(TONES[status], headline, explanation, "Since", message.updated_at)


# Reasons whose particulars are words for everybody, and belong beside the label.
PARTICULAR = frozenset(
    {
        Reason.QUIET_HOURS,
        Reason.CAPPED,
        Reason.CAP_FULL,
        Reason.CAP_WAITED,
        Reason.REFUSED,
        Reason.NOT_APPROVED,
        Reason.PACED,
        Reason.PROVIDER_RESTS,
        Reason.WARMING_UP,
    }
)


def why(message: Message) -> str:
    """Return the recorded reason in words, "" without one; of some with the particulars."""
    if not message.reason:
        return ""
    reason = Reason(message.reason)
    return f"{reason.label}: {message.detail}" if reason in PARTICULAR and message.detail else reason.label


def _draft(message: Message, now: datetime) -> Whereabouts:
    last = message.created_at + approval.KEEP
    text = f"It goes out once somebody has approved it. On {last:%-d %B %Y} it is refused by itself."
    return Whereabouts("warn", "A draft that waits for approval", text, "Since", message.created_at)


def _queued(message: Message, now: datetime) -> Whereabouts:
    tries = f"Tried {message.attempts} time{'s' if message.attempts > 1 else ''} so far. " if message.attempts else ""
    if message.reason and message.due_at > now:
        text = f"{tries}It goes out by itself then, unless something else speaks against it."
        return Whereabouts("info", why(message), text, "Until", message.due_at)
    if message.due_at > now:
        headline = "Will be tried again" if tries else "Queued until its time has come"
        return Whereabouts("info", headline, f"{tries}It goes out by itself.", "Next", message.due_at)
    if now - message.due_at > LATE:
        text = f"{tries}It should have gone out already. Is a worker running, and the beat? The home page tells."
        return Whereabouts("warn", "Queued, and late", text, "Due", message.due_at)
    return Whereabouts("info", "Queued", f"{tries}It goes out within seconds.", "Due", message.due_at)


def _sending(message: Message, now: datetime) -> Whereabouts:
    headline = f"Being handed to {_provider(message)}"
    if message.lease_until and message.lease_until < now:
        text = "The worker that had it was interrupted. What became of it is settled within seconds."
        return Whereabouts("warn", headline, text, "Since", message.updated_at)
    return Whereabouts("info", headline, "The provider has not answered yet.", "Since", message.updated_at)


def _sent(message: Message, now: datetime) -> Whereabouts:
    quiet = message.provider is not None and message.provider.kind == Provider.Kind.SMTP
    text = (
        "Mail servers do not report deliveries: no news is good news. Opens and clicks are still counted."
        if quiet
        else "No report has come back yet."
    )
    headline = f"Handed to {_provider(message)}"
    return Whereabouts("info", headline, text, "Since", message.sent_at or message.updated_at)


def _not_sent(message: Message, now: datetime) -> Whereabouts:
    reason = Reason(message.reason) if message.reason else None
    status = Status(message.status)
    headline, advice = (why(message), reason.advice) if reason else (LABELS[status], "")
    return Whereabouts(TONES[status], headline, advice, "Since", message.updated_at)


def _unknown(message: Message, now: datetime) -> Whereabouts:
    text = (
        f"It happened while {_provider(message)} had it. A report of the provider settles it by itself. "
        "Sent again, the person may get it twice; left, the person may get nothing."
    )
    return Whereabouts("warn", "Sending was cut off", text, "Since", message.updated_at)


SPECIAL: dict[Status, Callable[[Message, datetime], Whereabouts]] = {
    Status.DRAFT: _draft,
    Status.QUEUED: _queued,
    Status.SENDING: _sending,
    Status.SENT: _sent,
    Status.SKIPPED: _not_sent,
    Status.FAILED: _not_sent,
    Status.UNKNOWN: _unknown,
}


def _provider(message: Message) -> str:
    return message.provider.name if message.provider else "the default provider"
