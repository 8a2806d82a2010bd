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
    NO_CONSENT = "no_consent"
    CONSENT_ENDED = "consent_ended"
    SUPPRESSED = "suppressed"
    NO_POSTAL_ADDRESS = "no_postal_address"
    NO_UNSUBSCRIBE_LINK = "no_unsubscribe_link"
    DOMAIN_FAILS = "domain_fails"
    HELD = "held"
    TEMPLATE_ERROR = "template_error"
    NO_PROVIDER = "no_provider"
    NO_MAILBOX = "no_mailbox"
    PROVIDER_DISABLED = "provider_disabled"
    PROVIDER_REFUSED = "provider_refused"
    PROVIDER_UNREACHABLE = "provider_unreachable"
    OUTCOME_UNKNOWN = "outcome_unknown"
    FEED_UNREACHABLE = "feed_unreachable"
    PROVIDER_RESTS = "provider_rests"
    PACED = "paced"
    WARMING_UP = "warming_up"
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

    @property
    def advice(self) -> str:
        """Say what to do about it."""
        return ADVICE[self]

    @classmethod
    def choices(cls) -> list[tuple[str, str]]:
        return [(reason.value, LABELS[reason]) for reason in cls]


LABELS: dict[Reason, str] = {
    Reason.NO_ADDRESS: "The profile has no address to send it to",
    Reason.BAD_ADDRESS: "The profile's address is not valid",
    Reason.UNSUBSCRIBED: "The person has unsubscribed",
    Reason.TOPIC_LEFT: "The person has unsubscribed from the message's topic",
    Reason.TOPIC_NOT_JOINED: "The message's topic is for subscribers only, and the person has not subscribed",
    Reason.NO_CONSENT: "No consent of the person is on record",
    Reason.CONSENT_ENDED: "The person's consent has ended",
    Reason.SUPPRESSED: "The address is on the suppression list",
    Reason.NO_POSTAL_ADDRESS: "The sender's postal address is missing, which the law asks of marketing",
    Reason.NO_UNSUBSCRIBE_LINK: "The mail shows no link to unsubscribe",
    Reason.DOMAIN_FAILS: "Waits: the domain it is sent from fails its checks",
    Reason.HELD: "Waits: too much went wrong with messages like it",
    Reason.TEMPLATE_ERROR: "The template could not be rendered",
    Reason.NO_PROVIDER: "No provider is set up: choose a default provider",
    Reason.NO_MAILBOX: "A sandbox person gets mail in the built-in mailbox only: add a provider of that kind",
    Reason.PROVIDER_DISABLED: "The provider is switched off",
    Reason.PROVIDER_REFUSED: "The provider refused the message",
    Reason.PROVIDER_UNREACHABLE: "The provider could not be reached, also after several tries",
    Reason.OUTCOME_UNKNOWN: "Sending was cut off: it may or may not have gone out",
    Reason.FEED_UNREACHABLE: "A feed that the template reads did not answer, also after several tries",
    Reason.PROVIDER_RESTS: "Its provider is out of order, and is tried again",
    Reason.PACED: "Waits for its turn: the provider sends only so many at a time",
    Reason.WARMING_UP: "Waits for tomorrow: the provider is warming up and has sent what it may today",
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

ADVICE: dict[Reason, str] = {
    Reason.NO_ADDRESS: "Let your application send an “email” trait for this person, a “phone” trait for text messages, "
    "or, for push, let the person allow it in a browser.",
    Reason.BAD_ADDRESS: "Correct the “email” trait of this person, or “phone”: +, the country's number, then the rest.",
    Reason.FEED_UNREACHABLE: "Look at the feed's page, give it a fall-back, then send this message again.",
    Reason.PROVIDER_RESTS: "Nothing to do: it goes out by itself. The provider's page says what was wrong.",
    Reason.PACED: "Nothing to do: it goes out by itself. The pace is set on the provider's page.",
    Reason.WARMING_UP: "Nothing to do: it goes out by itself. With a stand-in, on the provider's page, it would now.",
    Reason.TOPIC_LEFT: "Nothing to do: other mails still go out. What was said when is on the person's page.",
    Reason.TOPIC_NOT_JOINED: "Nothing to do: mails about this topic are for subscribers only, as Topics has it.",
    Reason.UNSUBSCRIBED: "Nothing to do: marketing messages leave this person alone. Transactional ones still go out.",
    Reason.NO_CONSENT: "Ask for it by a double opt-in, or note on the person's page what it rests on.",
    Reason.CONSENT_ENDED: "Ask the person anew, by a message they need anyway or in your application.",
    Reason.NO_POSTAL_ADDRESS: "Write it under Sending limits: what is sent from then on goes out.",
    Reason.NO_UNSUBSCRIBE_LINK: "Take the link out of comments in the template, or leave it out: then it is added.",
    Reason.DOMAIN_FAILS: "Deliverability says what to change in your DNS. It goes out by itself after that, "
    "within three days.",
    Reason.HELD: "Deliverability says what went wrong. It goes out once somebody lifts the hold there, within three "
    "days.",
    Reason.SUPPRESSED: "If the mailbox works again, take the address off the suppression list.",
    Reason.TEMPLATE_ERROR: "Correct the template and publish the campaign again; the error stands below.",
    Reason.STOPPED: "Nothing to do: who stopped the journey stands in its history.",
    Reason.NO_LONGER_WANTED: "Nothing to do: what made it unwanted stands below.",
    Reason.QUIET_HOURS: "Nothing to do: it goes out by itself.",
    Reason.CAPPED: "Nothing to do: it goes out by itself as soon as the cap has room.",
    Reason.CAP_FULL: "Nothing to do: the cap has it so. Frequency caps can be changed under Messages.",
    Reason.CAP_WAITED: "If this happens often, loosen the cap, or let fewer campaigns write to the same people.",
    Reason.NO_PROVIDER: "Set up a provider and make it the default one: what is sent from then on goes out.",
    Reason.NO_MAILBOX: "Add a provider of the kind “Built-in mailbox”, or switch on the one there is.",
    Reason.MERGED: "Look at the other message of this step in the person's history: that is the one that goes out.",
    Reason.PROVIDER_DISABLED: "Switch the provider on: what is sent from then on goes out.",
    Reason.PROVIDER_REFUSED: "The provider's own words stand below: correct what it complains about.",
    Reason.PROVIDER_UNREACHABLE: "Check the connection on the provider's page, then send this message again.",
    Reason.REFUSED: "Nothing to do: it stays unsent, and the journey has gone on.",
    Reason.NOT_APPROVED: "Look at the drafts more often, or let the step send by itself.",
    Reason.SENDS_NOTHING: "Set the step to send by itself and publish the campaign, when its mails are to go out.",
    Reason.OUTCOME_UNKNOWN: "Look in the provider's own log, or ask the person; then decide.",
}
