"""Answer what decisions ask (``campaigns.engine.deciding.Answer``), all journeys at one step in one statement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Case, CharField, QuerySet, Value, When

from campaigns.engine.deciding import Answer, Position
from campaigns.engine.steps import Branch, DelayUntilDate, Step
from campaigns.models import Journey
from events.audience import Scope, compile_condition
from events.audience.values import Instant, JsonAt


@dataclass(frozen=True, slots=True)
class Question:
    """A step of a version and where the journeys stand, by id, that ask about it at ``now``."""

    step: Step
    askers: Mapping[int, Position]
    now: datetime

    @property
    def journeys(self) -> QuerySet[Journey]:
        return Journey.objects.filter(pk__in=self.askers)

    @property
    def scope(self) -> Scope:
        """Return where journeys keep what conditions speak of."""
        return Scope(profile_id="profile_id", traits="profile__traits", properties="trigger", as_of=self.now)


def answer(question: Question) -> Mapping[int, Answer]:
    """Return the answers by journey."""
    return ANSWERERS[type(question.step)](question.step, question)


def _branch(step: Branch, question: Question) -> Mapping[int, Answer]:
    return dict(choose_paths(step, question))


def choose_paths(step: Branch, question: Question) -> dict[int, str]:
    """Return the id of the path each journey takes, "" where no condition holds. One statement."""
    whens = [
        When(compile_condition(path.condition, question.scope), then=Value(path.id))
        for path in step.paths
        if path.condition
    ]
    otherwise = next((path.id for path in step.paths if path.condition is None), "")
    path = Case(*whens, default=Value(otherwise), output_field=CharField())
    return dict(question.journeys.annotate(path=path).values_list("pk", "path"))


def _date(step: DelayUntilDate, question: Question) -> Mapping[int, Answer]:
    """Read the trait as conditions do: a date without an offset is meant in the person's zone."""
    date = Instant(JsonAt(question.scope.traits, step.trait), question.scope.zone_name)
    return dict(question.journeys.annotate(date=date).values_list("pk", "date"))


ANSWERERS: Mapping[type[Step], Callable[[Any, Question], Mapping[int, Answer]]] = {
    Branch: _branch,
    DelayUntilDate: _date,
}
