"""The convention for event names, ``Object Action``: a thing and what happened to it, as in ``Cart Added``. Pure.

Source: https://segment.com/academy/collecting-data/naming-conventions-for-clean-data/
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# Verbs of usual events whose past does not follow from rules.
IRREGULAR = {
    "begin": "began",
    "buy": "bought",
    "choose": "chosen",
    "find": "found",
    "get": "got",
    "give": "given",
    "leave": "left",
    "lose": "lost",
    "make": "made",
    "pay": "paid",
    "quit": "quit",
    "read": "read",
    "see": "seen",
    "sell": "sold",
    "send": "sent",
    "set": "set",
    "spend": "spent",
    "take": "taken",
    "win": "won",
    "write": "written",
}
# fmt: off
REGULAR = (
    "abandon", "accept", "activate", "add", "apply", "approve", "archive", "assign", "book", "cancel", "change",
    "check", "click", "close", "comment", "complete", "confirm", "connect", "copy", "create", "deactivate",
    "decline", "delete", "deliver", "disable", "dismiss", "download", "edit", "enable", "enter", "exit", "expire",
    "fail", "filter", "finish", "follow", "hide", "identify", "import", "install", "invite", "join", "launch",
    "like", "log", "move", "open", "order", "pause", "play", "purchase", "rate", "receive", "refund", "register",
    "reject", "remove", "rename", "renew", "reply", "request", "resume", "return", "review", "save", "schedule",
    "scroll", "search", "select", "share", "show", "sign", "skip", "sort", "start", "stop", "submit", "subscribe",
    "tap", "toggle", "uninstall", "unsubscribe", "update", "upgrade", "upload", "use", "verify", "view", "visit",
    "vote", "watch",
)
# fmt: on
# Verbs that are things more often: an Order Summary is no summary that was ordered.
THINGS = frozenset(
    (
        "book",
        "check",
        "comment",
        "filter",
        "like",
        "log",
        "order",
        "purchase",
        "rate",
        "refund",
        "request",
        "review",
        "schedule",
    )
)
# Small words that belong to their verb (Signed Up), and those that only lead from the verb to its object.
PARTICLES = frozenset(("up", "in", "out", "off", "on"))
LINKS = frozenset(("to", "from", "into", "the", "a", "an", "of", "for", "with", "at"))
CLOSED = re.compile(r"[^aeiou][aeiou][bgmnpt]$")

# Letters and digits of any script, with what stands between them in a word such as user's.
_PART = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


@dataclass(frozen=True, slots=True)
class Advice:
    """What is odd about a name, in words, and a better one; "" where no better one can be told."""

    message: str
    suggestion: str = ""


def past(verb: str) -> str:
    """Return the past of a verb, as an event says it."""
    if verb in IRREGULAR:
        return IRREGULAR[verb]
    if verb.endswith("e"):
        return verb + "d"
    if re.search(r"[^aeiou]y$", verb):
        return verb[:-1] + "ied"
    if CLOSED.search(verb) and len(verb) <= 4:
        return verb + verb[-1] + "ed"
    return verb + "ed"


PAST = {past(verb): verb for verb in (*REGULAR, *IRREGULAR)}
VERBS = frozenset(PAST.values())


def words(name: str) -> list[str]:
    """Return the words of a name, however it joins them, in small letters."""
    return [word.lower() for word in _written(name)]


def _written(name: str) -> list[str]:
    """Return the words of a name as they are written; humps part words only where no blank does."""
    parts = _PART.findall(name)
    return parts if len(name.split()) > 1 else [word for part in parts for word in _humps(part)]


def _humps(part: str) -> list[str]:
    """Cut ``orderCompleted`` and ``APIKey`` where a word begins with a capital letter."""
    begins = [
        place
        for place in range(1, len(part))
        if part[place].isupper() and (not part[place - 1].isupper() or part[place + 1 : place + 2].islower())
    ]
    return [part[begin:end] for begin, end in zip([0, *begins], [*begins, len(part)], strict=True)]


def _own(name: str) -> dict[str, str]:
    """Return words with capital letters of their own, such as API and iOS, which stay as they are written."""
    if name.isupper():
        return {}
    written = {word.lower(): word for word in _written(name) if word[1:] != word[1:].lower()}
    return {word: own for word, own in written.items() if word not in PAST and word not in VERBS}


def advice(name: str) -> Advice | None:
    """Say what is odd about a name; None for one that keeps to the convention, or of which nothing can be said."""
    if name.startswith("["):
        return None
    said, own = words(name), _own(name)
    as_said, better = _title(said, own), _title(_object_first(said), own)
    if better == name or not said:
        return None
    if re.search(r"[_./:-]", name):
        return Advice("Its words are joined by signs instead of spaces.", better)
    if not any(word in PAST or word.endswith("ed") for word in said) and better != as_said:
        return Advice("It does not say in the past what happened.", better)
    if better != as_said:
        return Advice("It says what happened before it says to what.", better)
    return Advice("Its words do not all begin with a capital letter and stand apart by one space.", better)


def twins(names: Iterable[str]) -> dict[str, list[str]]:
    """Return names that mean the same by their words, each with the others: ``Sign Up`` and ``Signed Up``."""
    alike: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for name in names:
        if key := _meaning(name):
            alike[key].append(name)
    return {
        name: [other for other in group if other != name] for group in alike.values() for name in group if group[1:]
    }


def _meaning(name: str) -> tuple[str, ...]:
    if name.startswith("["):
        return ()
    return tuple(sorted(PAST.get(word, word) for word in words(name) if word not in LINKS))


def _object_first(said: list[str]) -> list[str]:
    """Return the words with the verb in the past and behind its object: ``add to cart`` becomes ``cart added``."""
    if not said:
        return said
    place = _verb_at(said)
    if place is None:
        return said
    verb = said[place] if said[place] in PAST else past(said[place])
    end = place + 1
    particle = said[end : end + 1] if said[end : end + 1] and said[end] in PARTICLES else []
    rest = said[end + len(particle) :]
    if place == 0 and rest:
        while rest and rest[0] in LINKS:
            rest = rest[1:]
        return [*rest, verb, *particle]
    return [*said[:place], verb, *particle, *rest]


def _verb_at(said: list[str]) -> int | None:
    """Return where the verb stands: one in the past, else the last or the first word when it is a verb."""
    for place in range(len(said) - 1, -1, -1):
        if said[place] in PAST and said[place] not in VERBS:
            return place
    for place in (len(said) - 1, len(said) - 2, 0):
        # The last but one counts only before a particle: Sign Up.
        particle = said[-1] in PARTICLES
        fits = place == 0 or particle or place == len(said) - 1
        if place >= 0 and fits and said[place] in VERBS and (particle or said[place] not in THINGS):
            return place
    return None


def _title(said: list[str], own: Mapping[str, str]) -> str:
    return " ".join(own.get(word) or word[:1].upper() + word[1:] for word in said)
