"""Look at a condition while it is being built: what it says, what is odd about it, who meets it."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

from django.urls import reverse
from django.utils import timezone

from events import patience, stopping, telling, unknown
from events.audience import explaining
from events.conditions import ConditionError, Node, parse, reading, seen
from events.conditions.nodes import What
from events.conditions.outline import outline
from events.conditions.words import say
from events.models import Event, Profile
from events.segments import counting

ABOUT = ("person", "event", "where")
EXPLAIN_SECONDS = 3
TOO_SLOW = (
    "Counting takes too long. Ask about a shorter time or fewer kinds of events; "
    "or save it as a segment, which looks through everybody in the background."
)
TYPES = tuple(reading.TYPES.values())


@dataclass(frozen=True, slots=True)
class Question:
    """``about`` is one of ABOUT; ``event`` (of ``type``) is the one at hand, or whose properties are spoken of.

    With a ``key`` counting can be stopped by it (``events.stopping``).
    """

    condition: Any
    about: str
    event: str
    type: str
    profile: int | None
    count: bool
    key: int | None = None

    @property
    def at_hand(self) -> What | None:
        return What(self.event, type=self.type) if self.event and self.about != "person" else None


def look(question: Question) -> dict[str, Any]:
    """Answer as the builder wants it; a tree that cannot be read has ``errors`` and nothing else."""
    try:
        node = parse(question.condition)
    except ConditionError as error:
        return {"errors": [{"path": error.path, "message": error.message}]}
    shown = telling.shown(question.condition)
    answer: dict[str, Any] = {
        "errors": [],
        "sentence": say(shown),
        "outline": outline(shown),
        "warnings": [asdict(each) for each in unknown.warnings(question.condition, question.at_hand)],
        "count": None,
        "sample": [],
    }
    if question.profile is not None:
        answer["person"] = _person(question, question.profile)
    if question.count:
        answer |= _count(node, question)
    return answer


def _count(node: Node, question: Question) -> dict[str, Any]:
    """Return ``count`` and ``sample``: who meets the condition, or whose last event does."""
    began = time.monotonic()
    if question.about != "person" and question.at_hand is None:
        return {"count": {"too_slow": True, "message": "Choose the event first: its people are counted."}}
    try:
        with stopping.stoppable(question.key):
            found = counting.find(node, question.at_hand)
    except patience.TooLong:
        return {"count": {"too_slow": True, "message": TOO_SLOW}}
    people = Profile.objects.in_bulk(list(found.some))
    count: dict[str, Any] = {
        "people": found.people,
        "of": found.of,
        "exact": found.exact,
        "took_ms": round((time.monotonic() - began) * 1000),
    }
    if question.at_hand is not None:
        count["about"] = f"those whose last “{question.event}” within {counting.LATELY.days} days meets it"
    return {"count": count, "sample": [person(people[pk]) for pk in found.some if pk in people]}


def _person(question: Question, pk: int) -> dict[str, Any] | None:
    """Explain the condition about one person, or their last event of those it is asked about; None for nobody."""
    profile = Profile.objects.filter(pk=pk).first()
    if profile is None:
        return None
    shown: dict[str, Any] = {**person(profile), "matches": None, "parts": [], "note": ""}
    try:
        with patience.at_most(EXPLAIN_SECONDS):
            found = _explained(question, profile, shown)
    except patience.TooLong:
        return shown | {"note": "Looking at this person takes too long: ask about a shorter time."}
    if found is not None:
        parts = [asdict(part) for part in found.parts]
        shown |= {"matches": found.matches, "parts": parts}
    return shown


def _explained(question: Question, profile: Profile, shown: dict[str, Any]) -> explaining.Explanation | None:
    what = question.at_hand
    if what is None:
        return explaining.of_person(question.condition, profile.pk, timezone.now())
    event = Event.objects.filter(profile=profile, type=what.type, name=what.event).order_by("-timestamp", "-pk").first()
    if event is None:
        shown["note"] = f"This person has no “{what.event}” yet."
        return None
    shown["note"] = f"Asked about this person’s last “{what.event}”, {seen.distance(event.timestamp, timezone.now())}."
    return explaining.of_event(question.condition, event)


def person(profile: Profile) -> dict[str, Any]:
    """Return how a person is shown in lists."""
    name = profile.traits.get("name") if isinstance(profile.traits, dict) else None
    return {
        "id": profile.pk,
        "name": name if isinstance(name, str) and name else str(profile),
        "email": profile.email,
        "is_test": profile.is_test,
        "url": reverse("admin:events_profile_change", args=[profile.pk]),
    }
