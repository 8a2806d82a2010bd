"""Whether a message may be sent, decided from facts alone. Pure: no Django, no clock."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from messaging.reasons import Reason

MARKETING = "marketing"
EMAIL = "email"
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


class ConsentState(Enum):
    """What is on record of the person's consent to marketing on a channel."""

    NOT_SAID = auto()
    GIVEN = auto()
    ENDED = auto()


@dataclass(frozen=True, slots=True)
class Facts:
    """What is true right now. ``suppressed`` is about the address, ``unsubscribed``, ``topic`` and ``consent`` about
    the person.

    ``needs_consent``: marketing is for those only whose consent is on record. ``has_postal_address``: the sender's is
    known. ``domain_fails``: the domain it would be sent from fails its checks. ``is_held``: marketing by this provider,
    from this domain or to these mailboxes waits, as too much of it went wrong.
    """

    address: str
    suppressed: bool
    unsubscribed: bool
    purpose: str
    provider: ProviderState
    topic: TopicState = TopicState.NONE
    channel: str = EMAIL
    consent: ConsentState = ConsentState.NOT_SAID
    needs_consent: bool = False
    has_postal_address: bool = True
    domain_fails: bool = False
    is_held: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """What a finished mail shows its reader."""

    purpose: str
    channel: str
    has_unsubscribe_link: bool
    has_postal_address: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """Send, or not for ``reason``. ``waits``: it can be sent as soon as somebody has put that right."""

    reason: Reason | None = None
    waits: bool = False

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
    if facts.purpose == MARKETING and (refusal := _refusal(facts)):
        return skip(refusal)
    if facts.provider is ProviderState.MISSING:
        return skip(Reason.NO_PROVIDER)
    if facts.provider is ProviderState.NO_MAILBOX:
        return skip(Reason.NO_MAILBOX)
    if facts.provider is ProviderState.DISABLED:
        return skip(Reason.PROVIDER_DISABLED)
    return _ask_sender(facts) if facts.purpose == MARKETING else SEND


def _refusal(facts: Facts) -> Reason | None:
    """Return why the person gets no marketing like this, None when they may."""
    if facts.unsubscribed:
        return Reason.UNSUBSCRIBED
    if facts.topic in REFUSING:
        return REFUSING[facts.topic]
    if facts.consent is ConsentState.ENDED:
        return Reason.CONSENT_ENDED
    if facts.needs_consent and facts.consent is ConsentState.NOT_SAID:
        return Reason.NO_CONSENT
    return None


def _ask_sender(facts: Facts) -> Verdict:
    """Say whether the sender may send marketing at all, as things are."""
    if facts.channel == EMAIL and not facts.has_postal_address:
        return skip(Reason.NO_POSTAL_ADDRESS)
    if facts.channel == EMAIL and facts.domain_fails:
        return Verdict(Reason.DOMAIN_FAILS, waits=True)
    return Verdict(Reason.HELD, waits=True) if facts.is_held else SEND


def look_over(written: Written) -> Verdict:
    """Say whether a finished mail may go: what is marketing shows how to leave, and who sends it."""
    if written.purpose != MARKETING or written.channel != EMAIL:
        return SEND
    if not written.has_unsubscribe_link:
        return skip(Reason.NO_UNSUBSCRIBE_LINK)
    return SEND if written.has_postal_address else skip(Reason.NO_POSTAL_ADDRESS)


def is_reachable(channel: str, address: str) -> bool:
    """Return whether ``address`` has the form that its channel needs."""
    if channel == EMAIL:
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
