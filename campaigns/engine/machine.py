"""Decide what a journey does now. Pure: a position, facts and ``now`` in; a Decision out.

One function per step kind says what becomes of a journey that stands at the step: it *stays* until an instant, it
*asks* which path of a branch holds (a question only the database can answer), it *leaves*, or it *ends*. ``advance``
walks on until the journey stays, asks or ends, and gathers what happened on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from campaigns.engine.steps import Branch, Delay, Exit, Send, Step, Window, Workflow
from campaigns.engine.timing import next_open
from campaigns.reasons import Ending, Outcome


@dataclass(frozen=True, slots=True)
class Position:
    """Where a journey stands. ``step_id`` "" is before the first step; ``visit`` counts the steps entered."""

    step_id: str
    visit: int
    entered_at: datetime | None


@dataclass(frozen=True, slots=True)
class Entered:
    visit: int
    step_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Left:
    visit: int
    step_id: str
    at: datetime
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """A message is to be made for this visit."""

    visit: int
    step_id: str
    template_version: int


Effect = Entered | Left | Message


@dataclass(frozen=True, slots=True)
class Decision:
    """The new position and what happened on the way to it.

    Exactly one of these holds: ``due_at`` (waits until then), ``asks`` (the branch whose path is wanted), ``ending``.
    """

    position: Position
    effects: tuple[Effect, ...]
    due_at: datetime | None = None
    asks: str | None = None
    ending: Ending | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What a decision may know. ``paths`` answers asked branches: step id → path id, "" where none holds."""

    now: datetime
    zone: ZoneInfo
    paths: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Stay:
    until: datetime


@dataclass(frozen=True, slots=True)
class Ask:
    pass


@dataclass(frozen=True, slots=True)
class Leave:
    outcome: Outcome
    detail: str = ""
    into: str | None = None
    template_version: int | None = None


@dataclass(frozen=True, slots=True)
class End:
    ending: Ending


Verdict = Stay | Ask | Leave | End


def advance(workflow: Workflow, position: Position, facts: Facts, skipped_by: str = "") -> Decision:
    """Return what the journey does at ``facts.now``. ``skipped_by`` names who ends the wait it is in by hand."""
    effects: list[Effect] = []
    position = position if position.step_id else _enter(workflow.first, position, facts, effects)
    while position.step_id:
        step = workflow.by_id[position.step_id]
        verdict = DECIDERS[type(step)](step, position, workflow, facts)
        if isinstance(verdict, Stay) and skipped_by:
            verdict = Leave(Outcome.SKIPPED_BY_HAND, f"by {skipped_by}")
            skipped_by = ""
        match verdict:
            case Stay(until):
                return Decision(position, tuple(effects), due_at=until)
            case Ask():
                return Decision(position, tuple(effects), asks=step.id)
            case End(ending):
                effects.append(Left(position.visit, step.id, facts.now, Outcome.DONE))
                return Decision(position, tuple(effects), ending=ending)
            case Leave():
                effects.extend(_leaving(verdict, position, facts))
                target = verdict.into or workflow.following[step.id]
                position = _enter(target, position, facts, effects)
    return Decision(position, tuple(effects), ending=Ending.COMPLETED)


def _enter(step_id: str | None, position: Position, facts: Facts, effects: list[Effect]) -> Position:
    if step_id is None:
        return replace(position, step_id="")
    position = Position(step_id, position.visit + 1, facts.now)
    effects.append(Entered(position.visit, step_id, facts.now))
    return position


def _leaving(verdict: Leave, position: Position, facts: Facts) -> list[Effect]:
    left = Left(position.visit, position.step_id, facts.now, verdict.outcome, verdict.detail)
    if verdict.template_version is None:
        return [left]
    return [Message(position.visit, position.step_id, verdict.template_version), left]


def _delay(step: Delay, position: Position, workflow: Workflow, facts: Facts) -> Verdict:
    entered = position.entered_at or facts.now
    until = entered + timedelta(seconds=step.seconds) / workflow.speed
    return Leave(Outcome.WAITED) if facts.now >= until else Stay(until)


def _window(step: Window, position: Position, workflow: Workflow, facts: Facts) -> Verdict:
    opening = next_open(step, facts.now, facts.zone)
    if opening > facts.now:
        return Stay(opening)
    waited = position.entered_at is not None and position.entered_at < facts.now
    return Leave(Outcome.WAITED if waited else Outcome.DONE)


def _send(step: Send, position: Position, workflow: Workflow, facts: Facts) -> Verdict:
    return Leave(Outcome.SENT, template_version=step.template_version)


def _branch(step: Branch, position: Position, workflow: Workflow, facts: Facts) -> Verdict:
    if step.id not in facts.paths:
        return Ask()
    chosen = next((path for path in step.paths if path.id == facts.paths[step.id]), None)
    if chosen is None:
        return Leave(Outcome.PATH, "No path's condition held")
    return Leave(Outcome.PATH, chosen.name, into=chosen.steps[0].id if chosen.steps else None)


def _exit(step: Exit, position: Position, workflow: Workflow, facts: Facts) -> Verdict:
    return End(Ending.EXIT_STEP)


DECIDERS: Mapping[type[Step], Callable[..., Verdict]] = {
    Delay: _delay,
    Window: _window,
    Send: _send,
    Branch: _branch,
    Exit: _exit,
}
