"""The life of a message as a table. Pure: no Django, no clock.

A status moves only along ``MOVES``. Reports of a provider come twice, late and in any order; one that would lead
backwards is kept as a delivery event and leaves the status alone (``after_report``).
"""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """Where a message is; the words for delivered mail are anymail's."""

    DRAFT = "draft"
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    OPENED = "opened"
    CLICKED = "clicked"
    BOUNCED = "bounced"
    REJECTED = "rejected"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    SKIPPED = "skipped"
    FAILED = "failed"
    UNKNOWN = "unknown"

    @classmethod
    def choices(cls) -> list[tuple[str, str]]:
        return [(status.value, LABELS[status]) for status in cls]


LABELS: dict[Status, str] = {
    Status.DRAFT: "Draft: waits for approval",
    Status.QUEUED: "Waiting to be sent",
    Status.SENDING: "Being handed to the provider",
    Status.SENT: "Handed to the provider",
    Status.DELIVERED: "Delivered",
    Status.OPENED: "Opened",
    Status.CLICKED: "Clicked",
    Status.BOUNCED: "Bounced",
    Status.REJECTED: "Rejected by the provider",
    Status.COMPLAINED: "Reported as spam",
    Status.UNSUBSCRIBED: "Unsubscribed",
    Status.SKIPPED: "Not sent",
    Status.FAILED: "Failed",
    Status.UNKNOWN: "Unknown: may have been sent",
}

# What providers report, from weak to strong evidence. A later entry wins over an earlier one and never the other way
# round, so the outcome is the same in whatever order reports come in. A bounce after an opening is real (machines open
# mail before they refuse it), a click after a bounce shows that the mail arrived after all.
REPORTED = (
    Status.SENT,
    Status.REJECTED,
    Status.DELIVERED,
    Status.OPENED,
    Status.BOUNCED,
    Status.CLICKED,
    Status.UNSUBSCRIBED,
    Status.COMPLAINED,
)


def _stronger(status: Status) -> frozenset[Status]:
    return frozenset(REPORTED[REPORTED.index(status) + 1 :])


MOVES: dict[Status, frozenset[Status]] = {
    # Nobody but a person sends it, so a report about it can only be a mistake.
    Status.DRAFT: frozenset({Status.QUEUED, Status.SKIPPED}),
    # A message that is tried again may turn out to have been accepted the first time: evidence wins.
    Status.QUEUED: frozenset({Status.SENDING, Status.SKIPPED, Status.FAILED, *REPORTED}),
    Status.SENDING: frozenset({Status.QUEUED, Status.SKIPPED, Status.FAILED, Status.UNKNOWN, *REPORTED}),
    Status.UNKNOWN: frozenset({Status.QUEUED, Status.FAILED, *REPORTED}),
    # So may one that was given up after several tries.
    Status.FAILED: frozenset({Status.QUEUED, *REPORTED}),
    Status.SKIPPED: frozenset(),
    **{status: _stronger(status) for status in REPORTED},
}


class Sending(StrEnum):
    """How its sender wants a message to go out: by itself, once somebody has approved it, or not at all."""

    AUTOMATIC = "automatic"
    DRAFT = "draft"
    NEVER = "never"


BEGINS: dict[Sending, Status] = {
    Sending.AUTOMATIC: Status.QUEUED,
    Sending.DRAFT: Status.DRAFT,
    Sending.NEVER: Status.SKIPPED,
}


class IllegalMove(ValueError):
    """Raised when a status would leave the table; nothing has changed then."""


def move(current: Status, wanted: Status) -> Status:
    """Return ``wanted`` if it may follow ``current``. Raises IllegalMove otherwise."""
    if wanted not in MOVES[current]:
        raise IllegalMove(f"a message that is {current} cannot become {wanted}")
    return wanted


def after_report(current: Status, reported: Status) -> Status:
    """Return the status after a provider's report: the reported one where the table allows it, else ``current``."""
    return reported if reported in MOVES[current] else current
