"""The channels by name, and what the event log calls what happens on each. Pure."""

from __future__ import annotations

from enum import StrEnum


class ChannelName(StrEnum):
    """A way to reach somebody; ``label`` is what people read."""

    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"
    IN_APP = "in_app"
    WEBHOOK = "webhook"
    CHAT = "chat"

    @property
    def label(self) -> str:
        return LABELS[self]

    @classmethod
    def choices(cls) -> list[tuple[str, str]]:
        return [(channel.value, LABELS[channel]) for channel in cls]


LABELS: dict[ChannelName, str] = {
    ChannelName.EMAIL: "Email",
    ChannelName.SMS: "SMS",
    ChannelName.PUSH: "Push",
    ChannelName.IN_APP: "In-app",
    ChannelName.WEBHOOK: "Webhook",
    ChannelName.CHAT: "Chat",
}
# These tell a program or a team something: no person is written to, so consent and quiet hours do not matter.
TO_NO_PERSON = frozenset({ChannelName.WEBHOOK, ChannelName.CHAT})

# How an event's name begins, and how it goes on.
WORDS: dict[str, str] = {**dict(ChannelName.choices()), ChannelName.IN_APP: "In-App"}
DEEDS: dict[str, str] = {
    "sent": "Sent",
    "delivered": "Delivered",
    "opened": "Opened",
    "clicked": "Clicked",
    "bounced": "Bounced",
    "rejected": "Rejected",
    "failed": "Failed",
    "complained": "Complained",
    "unsubscribed": "Unsubscribed",
    "dismissed": "Dismissed",
    "skipped": "Skipped",
    # By programs and not by people: see messaging.machines.
    "machine_opened": "Machine Opened",
    "machine_clicked": "Machine Clicked",
}


def event(channel: str, deed: str) -> str:
    """Return what the log calls ``deed`` (a key of DEEDS) on ``channel``: ``SMS Sent``."""
    return f"{WORDS[channel]} {DEEDS[deed]}"


def events(deed: str) -> list[str]:
    """Return the names of ``deed`` on every channel."""
    return [event(channel, deed) for channel in ChannelName]
