"""Take random workflows through random lives and hold what must be true of a journey whatever happens.

The machine's decisions are applied to a row as the runner applies them, or thrown away as a crash would; clocks jump,
forwards and back; events wake the journey at any time, waits are skipped, people change zone. ``ENGINE_EXAMPLES`` says
how many lives (40).
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from campaigns.engine.deciding import Answer, Called, Facts, Met, Position
from campaigns.engine.definition import parse
from campaigns.engine.machine import Act, Decision, Effect, Entered, Left, Message, advance
from campaigns.engine.steps import (
    Branch,
    Call,
    DelayUntilDate,
    GoTo,
    HoldUntilQuiet,
    RateLimit,
    Send,
    StartCampaign,
    Subscribe,
    TrackEvent,
    UpdateProfile,
    WaitUntil,
    Workflow,
)
from campaigns.reasons import Ending, Outcome
from tests.campaigns.definitions import definitions

EXAMPLES = int(os.environ.get("ENGINE_EXAMPLES", "40"))
ZONES = ["UTC", "America/New_York", "Europe/Vienna", "Africa/Cairo", "Australia/Lord_Howe", "Asia/Kolkata"]
ACTS = (UpdateProfile, TrackEvent, Subscribe, StartCampaign, Call)


@dataclass
class Row:
    """A journey as it is stored, with its visits and what they made."""

    due_at: datetime | None
    position: Position = field(default=Position("", 0, None))
    ending: Ending | None = None
    entered: list[Entered] = field(default_factory=list)
    left: dict[int, Left] = field(default_factory=dict)
    messages: Counter[int] = field(default_factory=Counter)
    acts: Counter[int] = field(default_factory=Counter)


class Lives(RuleBasedStateMachine):
    @initialize(definition=definitions(), now=st.datetimes(datetime(2026, 3, 1), datetime(2026, 11, 1)), data=st.data())
    def begin(self, definition: dict[str, Any], now: datetime, data: st.DataObject) -> None:
        self.workflow: Workflow = parse(definition)
        self.now = now.replace(tzinfo=UTC)
        self.zone = ZoneInfo("UTC")
        self.row = Row(self.now)
        self.over: Row | None = None

    # What may happen

    @rule(data=st.data())
    def a_worker_moves_it_if_it_is_due(self, data: st.DataObject) -> None:
        if self.is_due():
            self.apply(*self.decide(lambda step: self.some_answer(data, step)))

    @precondition(lambda self: self.is_due())
    @rule(data=st.data())
    def a_worker_dies_with_its_decision(self, data: st.DataObject) -> None:
        self.decide(lambda step: self.some_answer(data, step))

    @precondition(lambda self: self.row.ending is None and self.row.position.step_id)
    @rule(data=st.data())
    def somebody_skips_its_wait(self, data: st.DataObject) -> None:
        self.apply(*self.decide(lambda step: self.some_answer(data, step), skipped_by="ada"))

    @precondition(lambda self: self.row.ending is None)
    @rule()
    def an_event_wakes_it(self) -> None:
        self.row.due_at = self.now

    @rule(seconds=st.sampled_from([0, 1, 59, 3_600, 90_000, 40 * 24 * 3_600]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(seconds=st.integers(1, 7_200))
    def the_clock_is_put_back(self, seconds: int) -> None:
        self.now -= timedelta(seconds=seconds)

    @precondition(lambda self: self.row.due_at is not None)
    @rule()
    def its_time_comes(self) -> None:
        assert self.row.due_at is not None
        self.now = max(self.now, self.row.due_at)

    @rule(zone=st.sampled_from(ZONES))
    def its_person_changes_zone(self, zone: str) -> None:
        self.zone = ZoneInfo(zone)

    # What is always true

    @invariant()
    def it_waits_for_a_time_or_is_over(self) -> None:
        if hasattr(self, "row"):
            assert (self.row.due_at is None) == (self.row.ending is not None)

    @invariant()
    def visits_are_numbered_without_gaps_and_only_the_last_may_be_open(self) -> None:
        if not hasattr(self, "row"):
            return
        numbers = [entered.visit for entered in self.row.entered]
        assert numbers == list(range(1, len(numbers) + 1))
        open_ = [number for number in numbers if number not in self.row.left]
        assert open_ == ([] if self.row.ending or not numbers else numbers[-1:])
        assert self.row.position.visit == len(numbers)

    @invariant()
    def a_visit_to_a_mail_makes_one_message_and_no_other_makes_any(self) -> None:
        if hasattr(self, "row"):
            sends = {e.visit for e in self.row.entered if isinstance(self.workflow.by_id[e.step_id], Send)}
            assert self.row.messages == Counter(visit for visit in sends if visit in self.row.left)

    @invariant()
    def what_a_step_does_is_done_once_a_visit(self) -> None:
        if hasattr(self, "row"):
            doing = {e.visit: self.workflow.by_id[e.step_id] for e in self.row.entered}
            done = {
                v
                for v, step in doing.items()
                if isinstance(step, ACTS) and (isinstance(step, Call) or v in self.row.left)
            }
            assert self.row.acts == Counter(done)

    @invariant()
    def rounds_are_bounded(self) -> None:
        if hasattr(self, "row"):
            assert len(self.row.entered) <= self.most_visits()

    @invariant()
    def what_is_over_stays_as_it_was(self) -> None:
        if hasattr(self, "row") and self.row.ending:
            self.over = self.over or Row(**vars(self.row))
            assert vars(self.over) == vars(self.row)

    def teardown(self) -> None:
        """With nothing in the way it ends by time alone, in as many looks as its visits need."""
        if not hasattr(self, "row"):
            return
        looks = 0
        while self.row.ending is None:
            assert self.row.due_at is not None
            self.now = max(self.now, self.row.due_at)
            self.apply(*self.decide(self.plain_answer))
            looks += 1
            # A wait is looked at on entering, once more right after, when its time comes, and where a skip or a
            # clock that went back made it early.
            assert looks <= 4 * (self.most_visits() + 1)

    # How it is done

    def is_due(self) -> bool:
        return self.row.due_at is not None and self.row.due_at <= self.now

    def decide(self, answer: Any, skipped_by: str = "") -> tuple[Decision, list[Effect]]:
        """Ask the engine until it wants to know nothing more, as the runner does. It has to stop."""
        position, effects, answers = self.row.position, [], dict[str, Answer]()
        for _ in range(2 * len(self.workflow.by_id) + 2):
            facts = Facts(self.now, self.zone, answers, 1, 2, 3)
            decision = advance(self.workflow, position, facts, skipped_by)
            assert decision == advance(self.workflow, position, facts, skipped_by), "the same facts decide the same"
            assert [decision.due_at, decision.asks, decision.ending].count(None) == 2
            position = decision.position
            effects += decision.effects
            if any(isinstance(one, Left) and one.outcome is Outcome.SKIPPED_BY_HAND for one in effects):
                skipped_by = ""
            if decision.asks is None:
                return decision, effects
            answers[decision.asks] = answer(self.workflow.by_id[decision.asks])
        raise AssertionError("it asks without end")

    def apply(self, decision: Decision, effects: list[Effect]) -> None:
        row = self.row
        assert row.ending is None
        entered = [effect for effect in effects if isinstance(effect, Entered)]
        assert len(entered) <= 2 * len(self.workflow.by_id) + 1, "it walks in a circle within one move"
        for effect in effects:
            match effect:
                case Entered():
                    row.entered.append(effect)
                case Left(visit=visit):
                    assert visit not in row.left
                    row.left[visit] = effect
                case Message(visit=visit):
                    row.messages[visit] += 1
                case Act(visit=visit):
                    row.acts[visit] += 1
        position = decision.position
        row.position = Position(position.step_id, position.visit, position.entered_at)
        row.due_at, row.ending = decision.due_at, decision.ending
        if row.due_at is not None and not effects:
            assert row.due_at > self.now, "it would be looked at again and again"

    def went_back(self, step: GoTo) -> int:
        rounds = [e.visit for e in self.row.entered if e.step_id == step.id]
        return sum(1 for v in rounds if v in self.row.left and self.row.left[v].outcome is Outcome.WENT_BACK)

    def most_visits(self) -> int:
        rounds = sum(step.times for step in self.workflow.by_id.values() if isinstance(step, GoTo))
        return len(self.workflow.by_id) * (rounds + 1)

    def some_answer(self, data: st.DataObject, step: Any) -> Answer:
        soon = st.integers(-100_000, 100_000).map(lambda seconds: self.now + timedelta(seconds=seconds))
        later = st.integers(1, 100_000).map(lambda seconds: self.now + timedelta(seconds=seconds))
        possible: dict[type, st.SearchStrategy[Any]] = {
            Branch: st.sampled_from([*(path.id for path in getattr(step, "paths", ())), ""]),
            DelayUntilDate: st.none() | soon,
            WaitUntil: st.builds(Met, st.booleans(), st.none() | later),
            HoldUntilQuiet: st.none() | soon.map(lambda at: min(at, self.now)),
            RateLimit: st.just(self.now) | later,
            Call: st.none() | st.builds(Called, st.booleans(), st.just("200")),
            GoTo: st.just(self.went_back(step) if isinstance(step, GoTo) else 0),
        }
        found: Answer = data.draw(possible[type(step)])
        return found

    def plain_answer(self, step: Any) -> Answer:
        plain: dict[type, Answer] = {WaitUntil: Met(False), RateLimit: self.now, Branch: ""}
        return self.went_back(step) if isinstance(step, GoTo) else plain.get(type(step))


TestLives = Lives.TestCase
TestLives.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
