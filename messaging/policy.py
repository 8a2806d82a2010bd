"""Whether a message may be sent, decided from facts alone. Pure: no Django, no clock."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from messaging.reasons import Reason

MARKETING = "marketing"
# RFC 5321: 64 characters before the @, 255 after it, and 254 altogether.
MAX_ADDRESS = 254
# What can be handed to a provider at all; whether the mailbox exists is the recipient's server's to say.
ADDRESS = re.compile(r"[^\s@<>(),;:\\\"\[\]\x00-\x1f\x7f]{1,64}@[^\s@<>(),;:\\\"\[\]\x00-\x1f\x7f]{1,253}")
# E.164: the country first, 15 digits at most.
NUMBER = re.compile(r"\+[1-9]\d{6,14}")


class ProviderState(Enum):
    """What is known about the account that would carry the message."""

    READY = auto()
    MISSING = auto()
    DISABLED = auto()
    NO_MAILBOX = auto()


class TopicState(Enum):
    """What the person has said of the message's topic on its channel. A message may be about none."""

    NONE = auto()
    OPEN = auto()
    LEFT = auto()
    NOT_JOINED = auto()


@dataclass(frozen=True, slots=True)
class Facts:
    """What is true right now. ``suppressed`` is about the address, ``unsubscribed`` and ``topic`` about the person."""

    address: str
    suppressed: bool
    unsubscribed: bool
    purpose: str
    provider: ProviderState
    topic: TopicState = TopicState.NONE
    channel: str = "email"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Send, or skip for ``reason``."""

    reason: Reason | None = None

    @property
    def send(self) -> bool:
        return self.reason is None


SEND = Verdict()
REFUSING = {TopicState.LEFT: Reason.TOPIC_LEFT, TopicState.NOT_JOINED: Reason.TOPIC_NOT_JOINED}


def skip(reason: Reason) -> Verdict:
    return Verdict(reason)


def decide(facts: Facts) -> Verdict:
    """Say whether to send. What the person wants comes before what the installation lacks."""
    if not facts.address:
        return skip(Reason.NO_ADDRESS)
    if not is_reachable(facts.channel, facts.address):
        return skip(Reason.BAD_ADDRESS)
    if facts.suppressed:
        return skip(Reason.SUPPRESSED)
    if facts.unsubscribed and facts.purpose == MARKETING:
        return skip(Reason.UNSUBSCRIBED)
    if facts.purpose == MARKETING and facts.topic in REFUSING:
        return skip(REFUSING[facts.topic])
    if facts.provider is ProviderState.MISSING:
        return skip(Reason.NO_PROVIDER)
    if facts.provider is ProviderState.NO_MAILBOX:
        return skip(Reason.NO_MAILBOX)
    if facts.provider is ProviderState.DISABLED:
        return skip(Reason.PROVIDER_DISABLED)
    return SEND


def is_reachable(channel: str, address: str) -> bool:
    """Return whether ``address`` has the form that its channel needs."""
    if channel == "email":
        return is_address(address)
    return channel != "sms" or NUMBER.fullmatch(address) is not None


def plain_number(phone: str) -> str:
    """Return a telephone number as it is dialled: without blanks, brackets and dashes, 00 in front as +."""
    number = re.sub(r"[\s().\-/]", "", phone)
    return f"+{number[2:]}" if number.startswith("00") else number


def is_address(address: str) -> bool:
    """Return whether ``address`` has the form of one address that mail can be sent to."""
    if len(address) > MAX_ADDRESS or not ADDRESS.fullmatch(address):
        return False
    local, _, domain = address.rpartition("@")
    return not (local.startswith(".") or local.endswith(".") or ".." in address or domain.startswith((".", "-")))
