"""Say in plain words why a mail came back, and what to do, from what the recipient's server said. Pure.

The codes are those of RFC 3463 and RFC 7372; where a server gives none, its words are looked at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

CODE = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
BASIC = re.compile(r"(?:^|\s)([45]\d\d)(?=[ \-#])")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """``code`` as the server gave it, "" without one."""

    words: str
    advice: str
    code: str = ""


NOBODY = ("There is no such mailbox.", "Ask the person for another address; nothing more is sent to this one.")
FULL = ("The mailbox is full.", "Nothing to do: later messages may arrive.")
OFF = ("The mailbox is switched off, or takes no mail.", "Ask the person for another address.")
SPAM = (
    "It was taken for spam.",
    "Look at what the mail says and whom it goes to; see whether your domain or its server stands on a block list.",
)
POLICY = ("The recipient's rules forbid it.", "If it happens to many, ask their postmaster what is wrong.")
UNPROVEN = (
    "The recipient's server does not believe that it comes from your domain.",
    "Set up SPF, DKIM and DMARC for your domain at its DNS, as your provider says.",
)
SLOWLY = ("You send more than the recipient's server takes.", "Set a limit for this domain on the provider's page.")
AWAY = ("The recipient's server could not be reached, or did not answer.", "Nothing to do: it was tried for a while.")
BIG = ("The mail is too big for the recipient's server.", "Leave pictures out of the mail itself, and shorten it.")
NO_DOMAIN = ("The domain after the @ does not exist, or takes no mail.", "Correct the address; it may be misspelled.")
BAD = ("The address is not valid.", "Correct the address.")

# Subject and detail of the enhanced code, the class left out.
CODES: dict[tuple[int, int], tuple[str, str]] = {
    (1, 0): NOBODY,
    (1, 1): NOBODY,
    (1, 2): NO_DOMAIN,
    (1, 3): BAD,
    (1, 6): ("The person has moved to another address.", "Ask for the new one."),
    (1, 10): NO_DOMAIN,
    (2, 1): OFF,
    (2, 2): FULL,
    (2, 3): BIG,
    (3, 4): BIG,
    (4, 1): AWAY,
    (4, 2): AWAY,
    (4, 4): NO_DOMAIN,
    (4, 7): AWAY,
    (5, 3): ("Too many recipients at once.", "Set a limit for this domain on the provider's page."),
    (7, 1): POLICY,
    (7, 20): UNPROVEN,
    (7, 21): UNPROVEN,
    (7, 22): UNPROVEN,
    (7, 23): UNPROVEN,
    (7, 24): UNPROVEN,
    (7, 25): ("The sending server has no name of its own in DNS.", "Ask your provider to put that right."),
    (7, 26): UNPROVEN,
    (7, 27): UNPROVEN,
    (7, 28): SLOWLY,
}
# What servers say in words, the surest first: their codes are often the plain 5.7.1 or 5.0.0.
PHRASES: tuple[tuple[str, tuple[str, str]], ...] = (
    (r"dmarc|dkim|\bspf\b|unauthenticated|authentication[- ](?:check|results?|failed)", UNPROVEN),
    (r"spam|junk|block ?list|blacklist|spamhaus|barracuda|reputation|abus", SPAM),
    (r"rate[- ]limit|too many|throttl|try again later|temporarily deferred|unusual rate", SLOWLY),
    (r"over ?quota|quota exceeded|mailbox (?:is )?full|insufficient storage", FULL),
    (r"(?:no such|unknown|invalid) (?:user|mailbox|recipient)|does not exist|user unknown|recipient rejected", NOBODY),
    (r"disabled|inactive|suspended|deactivated", OFF),
    (r"host (?:or domain name )?not found|domain not found|no mx|nxdomain", NO_DOMAIN),
    (r"too (?:large|big)|size (?:limit|exceeds)", BIG),
    (r"timed? ?out|connection (?:refused|lost)|unreachable", AWAY),
)
# anymail's words, where the server has said nothing.
REASONS: dict[str, tuple[str, str]] = {
    "invalid": BAD,
    "bounced": NOBODY,
    "timed_out": AWAY,
    "blocked": POLICY,
    "spam": SPAM,
    "unsubscribed": (
        "The recipient had unsubscribed at the provider.",
        "Nothing to do; the provider's own list can be cleared there.",
    ),
}


def of(response: str, reason: str = "") -> Diagnosis | None:
    """Return what ``response`` (the server's words) and ``reason`` (anymail's) mean; None when they say nothing."""
    code = CODE.search(response)
    shown = code[0] if code else ""
    if not shown and (basic := BASIC.search(response)):
        shown = basic[1]
    found = CODES.get((int(code[2]), int(code[3]))) if code else None
    if found is None or found is POLICY:
        found = next((words for pattern, words in PHRASES if re.search(pattern, response, re.IGNORECASE)), found)
    found = found or REASONS.get(reason)
    return Diagnosis(*found, code=shown) if found else None
