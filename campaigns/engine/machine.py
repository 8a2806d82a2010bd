"""Decide what a journey does now. Pure: a position, facts and ``now`` in; a Decision out.

``campaigns.engine.deciding`` says what becomes of a journey at a step. ``advance`` walks on until the journey stays,
asks or ends, and gathers what happened on the way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from campaigns.engine.deciding import DECIDERS, Ask, End, Facts, Leave, Position, Stay, after_time
from campaigns.engine.steps import Call, Workflow
from campaigns.reasons import Ending, Outcome


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


@dataclass(frozen=True, slots=True)
class Act:
    """What the step is there for is to be done for this visit: a trait set, an event tracked, a URL called …"""

    visit: int
    step_id: str


Effect = Entered | Left | Message | Act


@dataclass(frozen=True, slots=True)
class Decision:
    """The new position and what happened on the way to it.

    Exactly one of these holds: ``due_at`` (waits until then), ``asks`` (the step that wants an answer), ``ending``.
    """

    position: Position
    effects: tuple[Effect, ...]
    due_at: datetime | None = None
    asks: str | None = None
    ending: Ending | None = None


def advance(workflow: Workflow, position: Position, facts: Facts, skipped_by: str = "") -> Decision:
    """Return what the journey does at ``facts.now``. ``skipped_by`` names who ends the wait it is in by hand."""
    effects: list[Effect] = []
    position = position if position.step_id else _enter(workflow, workflow.first, position, facts, effects)
    while position.step_id:
        step = workflow.by_id[position.step_id]
        verdict = DECIDERS[type(step)](step, position, workflow, facts)
        if isinstance(verdict, Stay) and skipped_by:
            verdict = Leave(Outcome.SKIPPED_BY_HAND, f"by {skipped_by}", into=after_time(step))
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
                target = verdict.back or verdict.into or workflow.following[step.id]
                position = _enter(workflow, target, position, facts, effects)
                if position.step_id and (verdict.back or verdict.acts):
                    # A round is written before the next, so that a circle can be counted; and what was done is, so
                    # that whatever is asked next sees it.
                    return Decision(position, tuple(effects), due_at=facts.now)
    return Decision(position, tuple(effects), ending=Ending.COMPLETED)


def skip_step(workflow: Workflow, position: Position, facts: Facts, by: str) -> Decision:
    """Return how a journey that cannot get over a step goes on behind it, or behind the first one.

    It comes to the next step, and what happens there is decided later: so it is seen where it gets stuck again.
    """
    effects: list[Effect] = []
    skipped = position.step_id or workflow.first
    if position.step_id:
        effects.append(Left(position.visit, position.step_id, facts.now, Outcome.SKIPPED_BY_HAND, f"by {by}"))
    target = workflow.following[skipped] if skipped else None
    position = _enter(workflow, target, position, facts, effects)
    if position.step_id:
        return Decision(position, tuple(effects), due_at=facts.now)
    return Decision(position, tuple(effects), ending=Ending.COMPLETED)


def go_on_at(step_id: str, position: Position, facts: Facts, workflow: Workflow, detail: str) -> Decision:
    """Return how a journey goes on at a step of another workflow; what happens there is decided later."""
    effects: list[Effect] = []
    if position.step_id:
        effects.append(Left(position.visit, position.step_id, facts.now, Outcome.MOVED, detail))
    position = _enter(workflow, step_id, position, facts, effects)
    return Decision(position, tuple(effects), due_at=facts.now)


def _enter(
    workflow: Workflow, step_id: str | None, position: Position, facts: Facts, effects: list[Effect]
) -> Position:
    if step_id is None:
        return replace(position, step_id="", fresh=False)
    position = Position(step_id, position.visit + 1, facts.now, fresh=True)
    effects.append(Entered(position.visit, step_id, facts.now))
    if isinstance(workflow.by_id[step_id], Call):
        effects.append(Act(position.visit, step_id))
    return position


def _leaving(verdict: Leave, position: Position, facts: Facts) -> list[Effect]:
    left = Left(position.visit, position.step_id, facts.now, verdict.outcome, verdict.detail)
    if verdict.template_version is not None:
        return [Message(position.visit, position.step_id, verdict.template_version), left]
    return [Act(position.visit, position.step_id), left] if verdict.acts else [left]
