"""Take journeys that never were through the steps, each by a clock of its own, all of them in one go.

The rows that conditions are asked about are in a temporary table; ``due_at`` is what each journey's clock shows. What
steps do to people or to the outside is not done, so nothing later sees it; a call counts as answered at once.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Min, OuterRef, Q, QuerySet, Subquery

from campaigns import answers, exits, goals, waking, workflows
from campaigns.answers import Asker, Question
from campaigns.engine.deciding import Answer, Called, Facts, Position
from campaigns.engine.machine import Entered, Left, Message, advance
from campaigns.engine.steps import Call, GoTo, RateLimit, Step, Workflow
from campaigns.models import Rehearsal
from campaigns.reasons import Ending, Outcome
from events.audience.later import Earlier, events_after
from events.models import Event

BATCH = 5_000
# A journey that moves more often than this goes in a circle.
MOST_MOVES = 2_000


@dataclass(frozen=True, slots=True)
class Stay:
    """A stay at a step; ``left_at`` None: still there at the end."""

    step: str
    entered_at: datetime
    left_at: datetime | None = None
    outcome: Outcome | None = None
    detail: str = ""


@dataclass(slots=True)
class Walk:
    """A journey. ``now`` is its clock; ``ended_at`` is None until it is over, or where it is still under way."""

    id: int
    profile_id: int
    event_id: int
    event_timestamp: datetime
    trigger_at: datetime
    entered_at: datetime
    lane: str
    now: datetime
    zone: str = ""
    position: Position = field(default_factory=lambda: Position("", 0, None))
    stays: list[Stay] = field(default_factory=list)
    mails: list[tuple[str, int, datetime]] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)
    ended_at: datetime | None = None
    ending: Ending | None = None
    converted_at: datetime | None = None
    goal_known_at: datetime | None = None
    left_by: tuple[datetime, Ending] | None = None
    is_over: bool = False

    def end(self, ending: Ending, at: datetime) -> None:
        self.ending, self.ended_at, self.is_over = ending, at, True
        if self.stays and self.stays[-1].left_at is None:
            self.stays[-1] = replace(self.stays[-1], left_at=at, outcome=Outcome.INTERRUPTED, detail=ending.label)


def walk(campaign_id: int, workflow: Workflow, batch: Sequence[Walk], until: datetime) -> Iterator[int]:
    """Take journeys as far as they come by ``until``; yield after each move how many are over."""
    for start in range(0, len(batch), BATCH):
        some = batch[start : start + BATCH]
        journeys = {each.id: each for each in some}
        _store(some)
        _look_ahead(workflow, journeys)
        for _ in range(MOST_MOVES):
            going = [each for each in some if not each.is_over]
            if not going:
                break
            _move(campaign_id, workflow, going, until)
            yield start + len(some) - len(going)
    yield len(batch)


INSERT = """
INSERT INTO campaigns_rehearsal (id, profile_id, trigger, trigger_at, trigger_event_id, step_entered_at, due_at)
SELECT r.id, r.profile_id, e.properties, r.trigger_at, r.event_id, NULL, r.now
FROM jsonb_to_recordset(%s) AS r(id bigint, profile_id bigint, event_id bigint, event_timestamp timestamptz,
    trigger_at timestamptz, now timestamptz)
JOIN events_event e ON e.id = r.event_id AND e.timestamp = r.event_timestamp
"""
ZONES = "SELECT r.id, p.time_zone FROM campaigns_rehearsal r JOIN events_profile p ON p.id = r.profile_id"
CLOCKS = """
UPDATE campaigns_rehearsal c SET due_at = r.now, step_entered_at = r.entered_at
FROM jsonb_to_recordset(%s) AS r(id bigint, now timestamptz, entered_at timestamptz) WHERE c.id = r.id
"""


def _store(some: Iterable[Walk]) -> None:
    """Put the rows of these journeys in place of those before, and read the zones of their people."""
    names = ("id", "profile_id", "event_id", "event_timestamp", "trigger_at", "now")
    journeys = {each.id: each for each in some}
    rows = [{name: getattr(each, name) for name in names} for each in journeys.values()]
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM campaigns_rehearsal")
        cursor.execute(INSERT, [json.dumps(rows, default=str)])
        cursor.execute("ANALYZE campaigns_rehearsal")
        cursor.execute(ZONES)
        for pk, zone in cursor.fetchall():
            journeys[pk].zone = zone


def _look_ahead(workflow: Workflow, journeys: dict[int, Walk]) -> None:
    """Note when each journey will reach the goal, or leave by an event. One statement for each such rule."""
    rows = Rehearsal.objects.all()
    if workflow.goal:
        reached = rows.annotate(
            at=Subquery(goals.first_event(workflow.goal)),
            known=Subquery(goals.first_event(workflow.goal, "received_at")),
        )
        for pk, at, known in reached.exclude(at=None).values_list("pk", "at", "known"):
            journeys[pk].converted_at = at
            journeys[pk].goal_known_at = max(known, journeys[pk].entered_at)
    for rule in workflow.exits:
        if rule.heard is None:
            continue
        first = events_after(exits.later(rule.heard), Earlier()).order_by().values("profile_id")
        came = rows.annotate(at=Subquery(first.annotate(at=Min("received_at")).values("at")))
        for pk, at in came.exclude(at=None).values_list("pk", "at"):
            at = max(at, journeys[pk].entered_at)
            if journeys[pk].left_by is None or at < journeys[pk].left_by[0]:  # type: ignore[index]
                journeys[pk].left_by = at, rule.ending


def _move(campaign_id: int, workflow: Workflow, going: Sequence[Walk], until: datetime) -> None:
    """Let each journey do what it does at its clock, and set that to the next moment at which it may do anything."""
    moving = [each for each in going if not _is_stopped(each, until)]
    if any(rule.heard is None for rule in workflow.exits):
        leaving = exits.met_by(_rows(moving), workflow, "due_at")
        for each in moving:
            if each.id in leaving:
                each.end(leaving[each.id].ending, each.now)
        moving = [each for each in moving if not each.is_over]
    for each, until_at in _wake(workflow, _decide(campaign_id, workflow, moving)):
        each.now = until_at


def _is_stopped(each: Walk, until: datetime) -> bool:
    """End what is over before its clock's moment, and leave what lies beyond ``until``; say whether it is either."""
    stops = [(each.goal_known_at, Ending.GOAL)] if each.goal_known_at else []
    stops += [each.left_by] if each.left_by else []
    first = min(stops, key=lambda stop: stop[0], default=None)
    if first and first[0] <= each.now and first[0] < until:
        each.end(first[1], first[0])
    elif each.now >= until:
        each.is_over = True
    return each.is_over


def _rows(some: Sequence[Walk]) -> QuerySet[Rehearsal]:
    """Return the rows of these journeys, their clocks set. One statement."""
    clocks = [{"id": each.id, "now": each.now, "entered_at": each.position.entered_at} for each in some]
    with connection.cursor() as cursor:
        cursor.execute(CLOCKS, [json.dumps(clocks, default=str)])
    return Rehearsal.objects.filter(pk__in=[each.id for each in some])


def _decide(campaign_id: int, workflow: Workflow, moving: Sequence[Walk]) -> list[tuple[Walk, datetime]]:
    """Ask the engine until it asks nothing more; return the journeys that wait, and until when at the latest."""
    waiting: list[tuple[Walk, datetime]] = []
    asking = moving
    while asking:
        again: dict[str, list[Walk]] = defaultdict(list)
        for each in asking:
            decision = advance(workflow, each.position, _facts(campaign_id, workflow, each))
            each.position = decision.position
            for effect in decision.effects:
                _note(each, effect)
            if decision.asks:
                again[decision.asks].append(each)
            elif decision.ending:
                each.end(decision.ending, each.now)
            else:
                assert decision.due_at is not None
                each.answers.clear()
                each.position = replace(each.position, fresh=False)
                if decision.due_at > each.now:
                    waiting.append((each, decision.due_at))
                else:
                    each.now = decision.due_at
        for step_id, some in again.items():
            _answer(campaign_id, workflow.by_id[step_id], some)
        asking = [each for some in again.values() for each in some]
    return waiting


def _facts(campaign_id: int, workflow: Workflow, each: Walk) -> Facts:
    zone: ZoneInfo = workflows.zone_for(each.zone, workflow.time_zone)
    return Facts(each.now, zone, each.answers, campaign_id, each.profile_id, each.id)


def _note(each: Walk, effect: object) -> None:
    match effect:
        case Entered(_, step_id, at):
            each.stays.append(Stay(step_id, at))
        case Left(_, step_id, at, outcome, detail):
            each.stays[-1] = replace(each.stays[-1], left_at=at, outcome=outcome, detail=detail)
        case Message(_, step_id, template):
            each.mails.append((step_id, template, each.now))


def _answer(campaign_id: int, step: Step, asking: Sequence[Walk]) -> None:
    """Answer what one step asks: from the log where it is about people, else by what is usual."""
    match step:
        case Call():
            found: dict[int, Answer] = {each.id: Called(True, "Not called: only tried out") for each in asking}
        case RateLimit():
            found = {each.id: each.now for each in asking}
        case GoTo():
            found = {each.id: _rounds(each, step.id) for each in asking}
        case _:
            askers = {each.id: Asker(each.position, None) for each in asking}
            found = dict(answers.answer(Question(campaign_id, step, askers, "due_at", _rows(asking))))
    for each in asking:
        each.answers[step.id] = found[each.id]


def _rounds(each: Walk, step_id: str) -> int:
    return sum(stay.step == step_id and stay.outcome is Outcome.WENT_BACK for stay in each.stays)


def _wake(workflow: Workflow, waiting: Sequence[tuple[Walk, datetime]]) -> Iterator[tuple[Walk, datetime]]:
    """Yield when each who waits is next looked at: when something comes that may end the wait, or its time is over.

    One statement for each step whose wait anything may end.
    """
    by_step: dict[str, list[tuple[Walk, datetime]]] = defaultdict(list)
    for each, until in waiting:
        by_step[each.position.step_id].append((each, until))
    for step_id, some in by_step.items():
        calls = [call for call in waking.wakes(workflow.by_id[step_id], "") or () if not call.startswith("zone ")]
        heard = dict(_next_heard([each for each, _ in some], calls)) if calls else {}
        for each, until in some:
            yield each, min(until, heard.get(each.id) or until)


def _next_heard(some: Sequence[Walk], calls: Sequence[str]) -> Iterable[tuple[int, datetime | None]]:
    """Return when the next of these calls comes in after each row's clock. One statement."""
    meant = Q()
    for call in calls:
        type_, space, name = call.partition(" ")
        meant |= Q(type=type_, name=name) if space else Q(type=type_)
    heard = Event.objects.filter(meant, profile_id=OuterRef("profile_id"), received_at__gt=OuterRef("due_at"))
    first = heard.order_by().values("profile_id").annotate(at=Min("received_at")).values("at")
    return _rows(some).annotate(at=Subquery(first)).values_list("pk", "at")
