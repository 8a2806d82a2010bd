"""Look at a condition while it is being built: what it says, what is odd about it, who meets it."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

from django.urls import reverse

from events import unknown
from events.conditions import ConditionError, parse
from events.conditions.nodes import What
from events.conditions.words import say
from events.models import Event, Profile
from events.segments import counting

ABOUT = ("person", "event", "where")
TYPES = (Event.Type.TRACK.value, Event.Type.PAGE.value, Event.Type.SCREEN.value)


@dataclass(frozen=True, slots=True)
class Question:
    """``about`` is one of ABOUT; ``event`` (of ``type``) is the one at hand, or whose properties are spoken of."""

    condition: Any
    about: str
    event: str
    type: str
    profile: int | None
    count: bool

    @property
    def at_hand(self) -> What | None:
        return What(self.event, type=self.type) if self.event and self.about != "person" else None


def look(question: Question) -> dict[str, Any]:
    """Answer as the builder wants it; a tree that cannot be read has ``errors`` and nothing else."""
    try:
        node = parse(question.condition)
    except ConditionError as error:
        return {"errors": [{"path": error.path, "message": error.message}]}
    answer: dict[str, Any] = {
        "errors": [],
        "sentence": say(node),
        "warnings": [asdict(each) for each in unknown.warnings(question.condition, question.at_hand)],
        "count": None,
    }
    if question.count and question.about == "person":
        began = time.monotonic()
        try:
            people = counting.count(node)
            of = Profile.objects.filter(is_test=False).count()
            took = round((time.monotonic() - began) * 1000)
            answer["count"] = {"people": people, "of": of, "exact": True, "took_ms": took}
        except counting.TooLong:
            answer["count"] = {"too_slow": True, "message": "Counting takes too long."}
    return answer


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
