"""Why a message was not sent, or not yet: every reason in words a marketer understands. Pure."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """A recorded reason; ``label`` is what people read."""

    NO_ADDRESS = "no_address"
    BAD_ADDRESS = "bad_address"
    UNSUBSCRIBED = "unsubscribed"
    TOPIC_LEFT = "topic_left"
    TOPIC_NOT_JOINED = "topic_not_joined"
    SUPPRESSED = "suppressed"
    TEMPLATE_ERROR = "template_error"
    NO_PROVIDER = "no_provider"
    NO_MAILBOX = "no_mailbox"
    PROVIDER_DISABLED = "provider_disabled"
    PROVIDER_REFUSED = "provider_refused"
    PROVIDER_UNREACHABLE = "provider_unreachable"
    OUTCOME_UNKNOWN = "outcome_unknown"
    MERGED = "merged"
    NO_LONGER_WANTED = "no_longer_wanted"
    STOPPED = "stopped"
    QUIET_HOURS = "quiet_hours"
    REFUSED = "refused"
    NOT_APPROVED = "not_approved"
    SENDS_NOTHING = "sends_nothing"
    CAPPED = "capped"
    CAP_FULL = "cap_full"
    CAP_WAITED = "cap_waited"

    @property
    def label(self) -> str:
        return LABELS[self]

    @classmethod
    def choices(cls) -> list[tuple[str, str]]:
        return [(reason.value, LABELS[reason]) for reason in cls]


LABELS: dict[Reason, str] = {
    Reason.NO_ADDRESS: "The profile has no email address",
    Reason.BAD_ADDRESS: "The profile's email address is not valid",
    Reason.UNSUBSCRIBED: "The person has unsubscribed",
    Reason.TOPIC_LEFT: "The person has unsubscribed from the message's topic",
    Reason.TOPIC_NOT_JOINED: "The message's topic is for subscribers only, and the person has not subscribed",
    Reason.SUPPRESSED: "The address is on the suppression list",
    Reason.TEMPLATE_ERROR: "The template could not be rendered",
    Reason.NO_PROVIDER: "No provider is set up: choose a default provider",
    Reason.NO_MAILBOX: "A sandbox person gets mail in the built-in mailbox only: add a provider of that kind",
    Reason.PROVIDER_DISABLED: "The provider is switched off",
    Reason.PROVIDER_REFUSED: "The provider refused the message",
    Reason.PROVIDER_UNREACHABLE: "The provider could not be reached, also after several tries",
    Reason.OUTCOME_UNKNOWN: "Sending was cut off: it may or may not have gone out",
    Reason.NO_LONGER_WANTED: "Cancelled just before sending",
    Reason.STOPPED: "Its journey was stopped by hand before it was sent",
    Reason.MERGED: "Two profiles turned out to be one person, who gets the same message once",
    Reason.QUIET_HOURS: "Waits for the end of the quiet hours",
    Reason.REFUSED: "Refused by somebody who looked at the draft",
    Reason.NOT_APPROVED: "Nobody approved the draft in time",
    Reason.SENDS_NOTHING: "Only tried out: its step is set to send nothing",
    Reason.CAPPED: "Held by a frequency cap",
    Reason.CAP_FULL: "Dropped by a frequency cap",
    Reason.CAP_WAITED: "Given up: a frequency cap left no room in time",
}
