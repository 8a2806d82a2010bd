"""Which values a trait or property has, and where to cut its numbers: what the builder shows beside a field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from events import patience, spreads
from events.vocabulary import About

MAX_VALUES = 50


@dataclass(frozen=True, slots=True)
class Question:
    """``kind`` is trait, property or group_trait; ``cut`` is asked about as well where there is one."""

    kind: str
    name: str
    about: About
    days: int
    operator: str
    cut: float | None

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(self.name.split("."))


def values(question: Question, query: str) -> dict[str, Any]:
    """Return the frequent values that have ``query`` in them; none where looking takes too long."""
    try:
        found = spreads.common(_sample(question), question.path)
    except patience.TooLong:
        return {"values": []}
    wanted = query.strip().casefold()
    fitting = [each for each in found if wanted in str(each.value).casefold()]
    return {"values": [{"value": each.value, "share": round(each.share, 4)} for each in fitting[:MAX_VALUES]]}


def spread(question: Question) -> dict[str, Any]:
    """Return how the numbers are spread. Raises TooLong."""
    of = _sample(question)
    ordered = spreads.numbers(of)
    answer: dict[str, Any] = {
        "n": len(ordered),
        "unit": {"trait": "people", "property": "events"}.get(question.kind, "groups"),
        "bins": [
            {"from": each.low, "to": each.high, "n": each.number, "open": each.open} for each in spreads.bins(ordered)
        ],
        "quantiles": [{"q": q, "value": spreads.quantile(ordered, q)} for q in spreads.QUANTILES if ordered],
        "advice": [{"share": round(part, 4), "at": cut} for part, cut in spreads.advice(ordered, question.operator)],
        "sampled": of.cut_off,
    }
    if question.cut is not None:
        answer["share"] = round(spreads.share(ordered, question.operator, question.cut), 4)
    return answer


def _sample(question: Question) -> spreads.Sample:
    return spreads.sample(question.kind, question.path, question.about, timezone.now(), question.days)
