"""Answer what decisions ask (``campaigns.engine.deciding.Answer``), all journeys at one step in one statement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import (
    BooleanField,
    Case,
    CharField,
    Count,
    Exists,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)

from campaigns.engine import steps
from campaigns.engine.deciding import Answer, Called, Met, Position
from campaigns.engine.steps import (
    Branch,
    DelayUntilDate,
    GoTo,
    Heard,
    HoldUntilQuiet,
    RateLimit,
    Step,
    WaitUntil,
)
from campaigns.models import Call, Journey
from campaigns.reasons import Outcome
from events.audience import Scope, compile_condition
from events.audience.history import HAPPENED
from events.audience.lapsing import next_change
from events.audience.later import Earlier, Later, events_after
from events.audience.values import Instant, JsonAt
from events.conditions import Node
from events.models import Event

# A turn that nobody took in its time, as the campaign was paused, is given anew.
TURN_KEEPS = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Asker:
    """Where a journey stands, and its timer as stored."""

    position: Position
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Question:
    """A step of a campaign and the journeys, by id, that ask about it at ``now``.

    ``now`` is an instant, or the field of ``rows`` that holds one for each: see ``campaigns.backtest``.
    """

    campaign_id: int
    step: Step
    askers: Mapping[int, Asker]
    now: datetime | str
    rows: QuerySet[Any] = field(default_factory=Journey.objects.all)

    @property
    def journeys(self) -> QuerySet[Any]:
        return self.rows.filter(pk__in=self.askers)

    @property
    def instant(self) -> datetime:
        assert isinstance(self.now, datetime), "such a step is answered for the present alone"
        return self.now

    @property
    def scope(self) -> Scope:
        """Return where journeys keep what conditions speak of."""
        return Scope(profile_id="profile_id", traits="profile__traits", properties="trigger", as_of=self.now)


def answer(question: Question) -> Mapping[int, Answer]:
    """Return the answers by journey."""
    return ANSWERERS[type(question.step)](question.step, question)


def _branch(step: Branch, question: Question) -> Mapping[int, Answer]:
    """Return the id of the path each journey takes, "" where no condition holds."""
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


def _wait(step: WaitUntil, question: Question) -> Mapping[int, Answer]:
    if step.heard is None:
        assert step.condition is not None
        return _holds(step.condition, question)
    found = _since(step.heard, question).annotate(holds=Exists(_heard(step.heard, question)))
    return {pk: Met(holds) for pk, holds in found.values_list("pk", "holds")}


def _holds(condition: Node, question: Question) -> Mapping[int, Answer]:
    holds = Case(
        When(compile_condition(condition, question.scope), then=Value(True)),
        default=Value(False),
        output_field=BooleanField(),
    )
    found = question.journeys.annotate(holds=holds, look_at=next_change(condition, question.scope))
    return {pk: Met(holds, look_at) for pk, holds, look_at in found.values_list("pk", "holds", "look_at")}


def _quiet(step: HoldUntilQuiet, question: Question) -> Mapping[int, Answer]:
    newest = _heard(step.heard, question).annotate(happened=HAPPENED).order_by("-happened").values("happened")[:1]
    return dict(_since(step.heard, question).annotate(last=Subquery(newest)).values_list("pk", "last"))


def _since(heard: Heard, question: Question) -> QuerySet[Any]:
    """Return the journeys with ``since``, from when on such events count."""
    if not heard.since_step:
        found: QuerySet[Any] = question.journeys.annotate(since=F("trigger_at"))
        return found
    fresh = [pk for pk, asker in question.askers.items() if asker.position.fresh]
    now = F(question.now) if isinstance(question.now, str) else Value(question.now)
    entered = Case(When(pk__in=fresh, then=now), default=F("step_entered_at"))
    rows: QuerySet[Any] = question.journeys.annotate(since=entered)
    return rows


def _heard(heard: Heard, question: Question) -> QuerySet[Event]:
    """Return the events of an outer journey's person that are meant and have come by now."""
    found = events_after(Later(heard.event, heard.where, heard.same), Earlier(at="since"))
    # What stands in the log has come, unless the moment asked about is over.
    return found.filter(received_at__lte=OuterRef(question.now)) if isinstance(question.now, str) else found


def _called(step: steps.Call, question: Question) -> Mapping[int, Answer]:
    """Return what has become of the calls, None of those that are not over."""
    visits = {pk: asker.position.visit for pk, asker in question.askers.items()}
    rows = Call.objects.filter(journey__in=visits, step_id=step.id).exclude(finished_at=None)
    over = {
        journey_id: Called(succeeded is True, detail)
        for journey_id, visit, succeeded, detail in rows.values_list("journey_id", "visit", "succeeded", "detail")
        if visits[journey_id] == visit
    }
    return {pk: over.get(pk) for pk in visits}


def _back(step: GoTo, question: Question) -> Mapping[int, Answer]:
    """Count how often each has gone back from here."""
    times = Count("visits", filter=Q(visits__step_id=step.id, visits__outcome=Outcome.WENT_BACK))
    return dict(question.journeys.annotate(times=times).values_list("pk", "times"))


def _turns(step: RateLimit, question: Question) -> Mapping[int, Answer]:
    """Return when each is let through; those who had their turn keep it."""
    turns = {pk: asker.due_at for pk, asker in question.askers.items() if _has_turn(asker, question.instant)}
    wanting = sorted(pk for pk in question.askers if pk not in turns)
    if wanting:
        spacing = timedelta(seconds=step.seconds) / step.number
        first = _take_turns(question, spacing, len(wanting))
        turns |= {pk: first + place * spacing for place, pk in enumerate(wanting)}
    return turns


def _has_turn(asker: Asker, now: datetime) -> bool:
    """Say whether the timer is a turn: who has just come from a step that did something is due as they came."""
    entered, due = asker.position.entered_at, asker.due_at
    is_new = asker.position.fresh or entered is None or due is None or due <= entered
    return not is_new and due is not None and due > now - TURN_KEEPS


# Another pace, by another version, is another row: turns given at the old one do not hold it up.
TAKE_TURNS = """
INSERT INTO campaigns_turnstile AS t (campaign_id, step_id, spacing, next_at)
VALUES (%(campaign)s, %(step)s, %(spacing)s, %(now)s + %(number)s * %(spacing)s)
ON CONFLICT (campaign_id, step_id, spacing)
DO UPDATE SET next_at = greatest(t.next_at, %(now)s) + %(number)s * %(spacing)s
RETURNING next_at
"""


def _take_turns(question: Question, spacing: timedelta, number: int) -> datetime:
    """Take so many turns at once and return the first."""
    parameters: dict[str, Any] = {
        "campaign": question.campaign_id,
        "step": question.step.id,
        "spacing": spacing,
        "now": question.instant,
        "number": number,
    }
    with connection.cursor() as cursor:
        cursor.execute(TAKE_TURNS, parameters)
        next_at: datetime = cursor.fetchone()[0]
    return next_at - number * spacing


ANSWERERS: Mapping[type[Step], Callable[[Any, Question], Mapping[int, Answer]]] = {
    Branch: _branch,
    DelayUntilDate: _date,
    WaitUntil: _wait,
    HoldUntilQuiet: _quiet,
    GoTo: _back,
    RateLimit: _turns,
    steps.Call: _called,
}
