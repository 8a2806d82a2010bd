"""The life of a message as a table. Pure: no Django, no clock.

A status moves only along ``MOVES``. Reports of a provider come twice, late and in any order; one that would lead
backwards is kept as a delivery event and leaves the status alone (``after_report``).
"""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """Where a message is; the words for delivered mail are anymail's."""

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

_REPORTED = (
    Status.SENT,
    Status.DELIVERED,
    Status.OPENED,
    Status.CLICKED,
    Status.BOUNCED,
    Status.REJECTED,
    Status.COMPLAINED,
    Status.UNSUBSCRIBED,
)

MOVES: dict[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset({Status.SENDING, Status.SKIPPED, Status.FAILED}),
    Status.SENDING: frozenset({Status.QUEUED, Status.SKIPPED, Status.FAILED, Status.UNKNOWN, *_REPORTED}),
    Status.UNKNOWN: frozenset({Status.QUEUED, Status.FAILED, *_REPORTED}),
    Status.SENT: frozenset(_REPORTED[1:]),
    Status.DELIVERED: frozenset(
        {Status.OPENED, Status.CLICKED, Status.BOUNCED, Status.COMPLAINED, Status.UNSUBSCRIBED}
    ),
    Status.OPENED: frozenset({Status.CLICKED, Status.BOUNCED, Status.COMPLAINED, Status.UNSUBSCRIBED}),
    Status.CLICKED: frozenset({Status.COMPLAINED, Status.UNSUBSCRIBED}),
    Status.UNSUBSCRIBED: frozenset({Status.COMPLAINED}),
    Status.BOUNCED: frozenset({Status.COMPLAINED}),
    Status.REJECTED: frozenset(),
    Status.COMPLAINED: frozenset(),
    Status.SKIPPED: frozenset(),
    # A message given up after several tries may turn out to have been accepted: evidence wins.
    Status.FAILED: frozenset({Status.QUEUED, *_REPORTED}),
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
