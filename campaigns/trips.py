"""A journey while it is being moved: where it stands, what happened on the way, and what is still to be done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from campaigns import acting, calling, waking, workflows
from campaigns.engine.deciding import Answer, Facts, Position
from campaigns.engine.machine import Act, Decision, Effect, Left, Message
from campaigns.engine.steps import Call, Step, Workflow
from campaigns.models import Journey
from campaigns.reasons import Outcome


@dataclass(slots=True)
class Trip:
    """A claimed journey while it is being moved. ``answers`` holds those to what it has asked, by step.

    ``called`` is what its calls were answered, by step, once it is known.
    """

    journey: Journey
    workflow: Workflow
    position: Position
    effects: list[Effect] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)
    called: Mapping[str, Any] = field(default_factory=dict)
    decision: Decision | None = None

    @classmethod
    def of(cls, journey: Journey, workflow: Workflow) -> Trip:
        """Return the trip of a journey from where it stands."""
        return cls(journey, workflow, Position(journey.step_id, journey.visit_number, journey.step_entered_at))

    def take(self, decision: Decision) -> None:
        """Go where ``decision`` says, and keep what happened on the way."""
        self.decision, self.position = decision, decision.position
        self.effects.extend(decision.effects)

    @property
    def own_zone(self) -> str:
        """Return the name of the person's zone, "" where none is known."""
        own: str = self.journey.own_time_zone  # type: ignore[attr-defined]  # annotated by _claim
        return own

    @property
    def zone(self) -> ZoneInfo:
        return workflows.zone_for(self.own_zone, self.workflow.time_zone)

    @property
    def has_skipped(self) -> bool:
        return any(isinstance(effect, Left) and effect.outcome is Outcome.SKIPPED_BY_HAND for effect in self.effects)

    @property
    def acts(self) -> list[acting.Act]:
        """Return what is to be done to the person."""
        return [
            acting.Act(self.journey, visit, step, self.called)
            for visit, step in self._to_do
            if isinstance(step, acting.ON_PEOPLE)
        ]

    @property
    def calls(self) -> list[calling.Wanted]:
        """Return the calls that are to be made."""
        return [
            calling.Wanted(self.journey, visit, step, self.called)
            for visit, step in self._to_do
            if isinstance(step, Call)
        ]

    @property
    def _to_do(self) -> list[tuple[int, Step]]:
        steps = self.workflow.by_id
        return [(effect.visit, steps[effect.step_id]) for effect in self.effects if isinstance(effect, Act)]

    @property
    def speaks_of_answers(self) -> bool:
        """Say whether texts are to be filled in, in which the answer to a call may stand."""
        has_texts = any(isinstance(effect, Act | Message) for effect in self.effects)
        return has_texts and any(isinstance(step, Call) for step in self.workflow.by_id.values())

    @property
    def wakes(self) -> list[str] | None:
        """Return what may end the wait it is in now."""
        step_id = self.position.step_id
        return waking.wakes(self.workflow.by_id[step_id], self.own_zone) if step_id else None

    def facts(self, now: datetime) -> Facts:
        journey = self.journey
        return Facts(now, self.zone, self.answers, journey.campaign_id, journey.profile_id, journey.pk)
