"""What becomes of a journey at each kind of step: one function a kind. Pure.

A journey *stays* until an instant, it *asks* something that only the database can answer, it *leaves*, or it *ends*.
What a kind is answered stands beside it in ``Answer``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from campaigns.engine.chance import draw, pick
from campaigns.engine.steps import (
    Branch,
    Call,
    Delay,
    DelayUntilDate,
    DelayUntilDay,
    Exit,
    GoTo,
    HoldUntilQuiet,
    Path,
    RateLimit,
    Send,
    Split,
    StartCampaign,
    Step,
    Subscribe,
    TrackEvent,
    UpdateProfile,
    WaitUntil,
    Window,
    Workflow,
)
from campaigns.engine.timing import next_clock, next_open, shifted
from campaigns.reasons import Ending, Outcome


@dataclass(frozen=True, slots=True)
class Position:
    """Where a journey stands. ``step_id`` "" is before the first step; ``visit`` counts the steps entered.

    ``fresh``: it has come here in this very move, which nobody else can see yet.
    """

    step_id: str
    visit: int
    entered_at: datetime | None
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Met:
    """Whether a wait is over; if not, when time alone may change that."""

    holds: bool
    look_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Called:
    """What has become of a call; ``detail`` is what it answered, in words."""

    succeeded: bool
    detail: str


# Branch: the id of the path, "" where none holds. DelayUntilDate: the date. WaitUntil: Met. HoldUntilQuiet: when such
# an event came last. RateLimit: when its turn is. Call: Called once it is over. GoTo: how often it went back before.
Answer = str | int | datetime | Met | Called | None


@dataclass(frozen=True, slots=True)
class Facts:
    """What a decision may know. ``answers`` are those to what was asked, by step id.

    ``campaign_id`` and ``profile_id`` make chance the same whenever the person comes; ``journey_id`` once a journey.
    """

    now: datetime
    zone: ZoneInfo
    answers: Mapping[str, Answer]
    campaign_id: int = 0
    profile_id: int = 0
    journey_id: int = 0


@dataclass(frozen=True, slots=True)
class Stay:
    until: datetime


@dataclass(frozen=True, slots=True)
class Ask:
    pass


@dataclass(frozen=True, slots=True)
class Leave:
    """Go on: into the step ``into``, behind this one where that is None. ``back`` is a step to be entered again."""

    outcome: Outcome
    detail: str = ""
    into: str | None = None
    template_version: int | None = None
    acts: bool = False
    back: str | None = None


@dataclass(frozen=True, slots=True)
class End:
    ending: Ending


Verdict = Stay | Ask | Leave | End


def _entered(position: Position, facts: Facts) -> datetime:
    return position.entered_at or facts.now


def _take(path: Path) -> Leave:
    return Leave(Outcome.PATH, path.name, into=path.steps[0].id if path.steps else None)


def after_time(step: Step) -> str | None:
    """Return the step that a wait leads to when its time is over, None where that is simply the next."""
    if isinstance(step, WaitUntil) and step.paths[1].steps:
        return step.paths[1].steps[0].id
    return None


def _wait(until: datetime, facts: Facts) -> Verdict:
    return Leave(Outcome.WAITED) if facts.now >= until else Stay(until)


def _delay(step: Delay, position: Position, workflow: Workflow, facts: Facts) -> Verdict:
    seconds: float = step.seconds
    if step.most is not None:
        seconds += (step.most - step.seconds) * draw("delay", facts.journey_id, step.id, position.visit)
    return _wait(_entered(position, facts) + timedelta(seconds=seconds) / workflow.speed, facts)


def _until_day(step: DelayUntilDay, position: Position, workflow: Workflow, facts: Facts) -> Verdict:
    return _wait(next_clock(step.days, step.clock, _entered(position, facts), facts.zone), facts)


def _until_date(step: DelayUntilDate, position: Position, workflow: Workflow, facts: Facts) -> Verdict:
    if step.id not in facts.answers:
        return Ask()
    date = facts.answers[step.id]
    if not isinstance(date, datetime):
        return Leave(Outcome.WAITED, "No such date is known of the person")
    return _wait(shifted(date, step.days, step.clock, facts.zone), facts)


def _window(step: Window, position: Position, workflow: Workflow, facts: Facts) -> Verdict:
    opening = next_open(step, facts.now, facts.zone)
    if opening > facts.now:
        return Stay(opening)
    waited = _entered(position, facts) < facts.now
    return Leave(Outcome.WAITED if waited else Outcome.DONE)


def _send(step: Send, position: Position, workflow: Workflow, facts: Facts) -> Verdict:
    return Leave(Outcome.SENT, template_version=step.template_version)


def _branch(step: Branch, position: Position, workflow: Workflow, facts: Facts) -> Verdict:
    if step.id not in facts.answers:
        return Ask()
    chosen = next((path for path in step.paths if path.id == facts.answers[step.id]), None)
    return _take(chosen) if chosen else Leave(Outcome.PATH, "No path's condition held")


def _split(step: Split, position: Position, workflow: Workflow, facts: Facts) -> Verdict:
    weights = [path.weight for path in step.paths]
    return _take(step.paths[pick(weights, "split", facts.campaign_id, step.id, facts.profile_id)])


def _wait_until(step: WaitUntil, position: Position, workflow: Workflow, facts: Facts) -> Verdict:
    """Who has just come is looked at once more as soon as others can see that they wait.

    What happened between the look and then has woken nobody.
    """
    answer = facts.answers.get(step.id)
    if not isinstance(answer, Met):
        return Ask()
    met, late = step.paths
    limit = _entered(position, facts) + timedelta(seconds=step.seconds) / workflow.speed
    if answer.holds:
        return _take(met)
    if facts.now >= limit:
        return _take(late)
    if position.fresh:
        return Stay(facts.now)
    return Stay(min(limit, answer.look_at) if answer.look_at else limit)


def _hold(step: HoldUntilQuiet, position: Position, workflow: Workflow, facts: Facts) -> Verdict:
    if step.id not in facts.answers:
        return Ask()
    entered, last = _entered(position, facts), facts.answers[step.id]
    since = max(entered, last) if isinstance(last, datetime) else entered
    quiet = since + timedelta(seconds=step.seconds) / workflow.speed
    until = min(quiet, entered + timedelta(seconds=step.most) / workflow.speed)
    if facts.now >= until:
        return Leave(Outcome.WAITED)
    return Stay(facts.now if position.fresh else until)


def _limit(step: RateLimit, position: Position, workflow: Workflow, facts: Facts) -> Verdict:
    if step.id not in facts.answers:
        return Ask()
    turn = facts.answers[step.id]
    return _wait(turn if isinstance(turn, datetime) else facts.now, facts)


def _act(step: Step, position: Position, workflow: Workflow, facts: Facts) -> Verdict:
    return Leave(Outcome.DONE, acts=True)


def _call(step: Call, position: Position, workflow: Workflow, facts: Facts) -> Verdict:
    """The call is made once the journey stands here, as ``advance`` notes on entering; its end wakes the journey."""
    limit = _entered(position, facts) + timedelta(seconds=step.seconds)
    if position.fresh:
        return Stay(limit)
    if step.id not in facts.answers:
        return Ask()
    match facts.answers[step.id]:
        case Called(succeeded, detail):
            return Leave(Outcome.ANSWERED if succeeded else Outcome.CALL_FAILED, detail)
    return Leave(Outcome.CALL_FAILED, "No answer in time") if facts.now >= limit else Stay(limit)


def _go_to(step: GoTo, position: Position, workflow: Workflow, facts: Facts) -> Verdict:
    if step.id not in facts.answers:
        return Ask()
    before = facts.answers[step.id]
    if isinstance(before, int) and before >= step.times:
        return Leave(Outcome.DONE, f"Had gone back {step.times} times")
    return Leave(Outcome.WENT_BACK, back=step.to)


def _exit(step: Exit, position: Position, workflow: Workflow, facts: Facts) -> Verdict:
    return End(Ending.EXIT_STEP)


DECIDERS: Mapping[type[Step], Callable[..., Verdict]] = {
    Delay: _delay,
    DelayUntilDay: _until_day,
    DelayUntilDate: _until_date,
    Window: _window,
    Send: _send,
    Branch: _branch,
    Split: _split,
    WaitUntil: _wait_until,
    HoldUntilQuiet: _hold,
    RateLimit: _limit,
    UpdateProfile: _act,
    TrackEvent: _act,
    Subscribe: _act,
    StartCampaign: _act,
    Call: _call,
    GoTo: _go_to,
    Exit: _exit,
}
