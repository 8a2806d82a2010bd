"""Run a backtest from the first event to the last mail, and add up what came of it."""

from __future__ import annotations

import copy
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any

from django.db import connection, transaction

from campaigns import enrollment, places
from campaigns.backtest.arrivals import Arrival, Asked, arrivals
from campaigns.backtest.doors import Doors
from campaigns.backtest.mailing import Mailed, mailed
from campaigns.backtest.walks import Walk, walk
from campaigns.engine.definition import parse
from campaigns.engine.starts import OnDate, OnSchedule, OnSegment, OnTrait
from campaigns.engine.steps import Call, RateLimit, Subscribe, TrackEvent, UpdateProfile, Workflow

SAMPLES = 12
# What of a hundred per cent each part takes.
ARRIVED, WALKED = 60, 90
UNDER_WAY = "under_way"


class Cancelled(Exception):
    """Raised when whoever is told of the progress wants no more of it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A definition that would have been live from ``since`` to ``until`` as that of a campaign."""

    campaign_id: int
    slug: str
    definition: Mapping[str, Any]
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Sample:
    """Somebody who would have entered, and how it went. Times are texts, as JSON has them."""

    profile_id: int
    event_id: int
    event_timestamp: str
    entered_at: str
    stays: Sequence[tuple[str, str, str, str]]
    mails: Sequence[tuple[str, int, str, str]]
    ending: str


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it, as it is kept.

    ``events`` may have started it; ``entries`` counts what came of them by ``Entry``, ``days`` entries and mails by
    day, ``endings`` journeys by ``Ending`` or ``under_way``, ``reached`` visits by step, ``mails`` those that would
    have gone out by step, ``refused`` those that would not by ``Reason``, ``held`` those that waited for room.
    ``notes`` say what could not be taken into account.
    """

    events: int
    entries: Mapping[str, int]
    people: int
    days: Sequence[tuple[str, int, int]]
    endings: Mapping[str, int]
    converted: int
    reached: Mapping[str, int]
    mails: Mapping[str, int]
    refused: Mapping[str, int]
    held: int
    samples: Sequence[Sample]
    notes: Sequence[str]
    seconds: float
    entered: Sequence[tuple[int, int]] = field(default_factory=list)

    @property
    def stored(self) -> dict[str, Any]:
        """Return it as JSON; who entered is not kept but for the samples."""
        return {name: value for name, value in asdict(self).items() if name != "entered"}


def run(plan: Plan, tell: Callable[[int], None]) -> Result:
    """Return what would have come of it. Reads only. ``tell`` hears how far it is in per cent, and may raise Cancelled.

    Raises DefinitionError.
    """
    began = time.monotonic()
    workflow = parse(_ready(plan.definition))
    asked = Asked(plan.campaign_id, plan.slug, workflow, plan.since, plan.until)
    with _stage():
        number = _number(asked)
        found = arrivals(asked, enrollment.gap_of, lambda done: tell(_part(done, number, 0, ARRIVED)))
        doors = Doors()
        doors.wait(found.arrivals)
        walks = _walk(asked, doors, tell)
        tell(WALKED)
        mails = mailed(walks, workflow.priority, plan.until)
    doors.decided.update(found.refused)
    return _added_up(plan, workflow, doors, walks, mails, time.monotonic() - began)


def _ready(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy whose send steps send their template as it is."""
    found = copy.deepcopy(dict(definition))
    for _, step in places.send_steps(found):
        step["template_version"] = step.get("template")
    return found


REHEARSALS = """
CREATE TEMP TABLE campaigns_rehearsal (
    id bigint PRIMARY KEY, profile_id bigint NOT NULL, trigger jsonb NOT NULL, trigger_at timestamptz NOT NULL,
    trigger_event_id bigint NOT NULL, step_entered_at timestamptz, due_at timestamptz NOT NULL) ON COMMIT DROP
"""


@contextmanager
def _stage() -> Iterator[None]:
    """Have an empty table of rehearsals, and let nothing but that be written."""
    with transaction.atomic():
        try:
            with connection.cursor() as cursor:
                cursor.execute(REHEARSALS)
                cursor.execute("SET LOCAL transaction_read_only = on")
            yield
        finally:
            transaction.set_rollback(True)


COUNT = """
SELECT count(*) FROM events_event WHERE type = 'track' AND name = %s AND received_at >= %s AND received_at < %s
"""


def _number(asked: Asked) -> int:
    """Return about how many events there are to look at."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT, [asked.workflow.trigger.event, asked.since, asked.until])
        found: int = cursor.fetchone()[0]
    return found


def _part(done: int, of: int, first: int, last: int) -> int:
    return first + min(last - first, (last - first) * done // max(1, of))


def _walk(asked: Asked, doors: Doors, tell: Callable[[int], None]) -> list[Walk]:
    """Decide and walk in rounds until nobody waits."""
    walks: list[Walk] = []

    def start(arrival: Arrival) -> Walk:
        found = Walk(
            id=len(walks) + 1,
            profile_id=arrival.profile_id,
            event_id=arrival.event_id,
            event_timestamp=arrival.timestamp,
            trigger_at=arrival.happened_at,
            entered_at=arrival.at,
            lane=arrival.lane,
            now=arrival.at,
        )
        walks.append(found)
        return found

    waiting = max(1, sum(len(person.waiting) for person in doors.people.values()))
    while begun := doors.round(start):
        left = sum(len(person.waiting) for person in doors.people.values())
        for _ in walk(asked.campaign_id, asked.workflow, begun, asked.until):
            tell(_part(waiting - left, waiting, ARRIVED, WALKED))
    return walks


def _added_up(
    plan: Plan, workflow: Workflow, doors: Doors, walks: Sequence[Walk], mails: Sequence[Mailed], seconds: float
) -> Result:
    out = [mail for mail in mails if mail.reason is None]
    entered_on = Counter(each.entered_at.date() for each in walks)
    mailed_on = Counter(mail.at.date() for mail in out)
    return Result(
        events=doors.decided.total(),
        entries=_by_name(+doors.decided),
        people=len({each.profile_id for each in walks}),
        days=[(day.isoformat(), entered_on[day], mailed_on[day]) for day in _days(plan)],
        endings=_by_name(Counter(each.ending or UNDER_WAY for each in walks)),
        converted=sum(each.converted_at is not None and each.converted_at < plan.until for each in walks),
        reached=dict(Counter(stay.step for each in walks for stay in each.stays)),
        mails=dict(Counter(mail.step for mail in out)),
        refused=_by_name(Counter(mail.reason for mail in mails if mail.reason)),
        held=sum(mail.was_held for mail in out),
        samples=_samples(walks, mails),
        notes=_notes(workflow),
        seconds=round(seconds, 2),
        entered=[(each.event_id, each.profile_id) for each in walks],
    )


def _by_name(counted: Counter[Any]) -> dict[str, int]:
    return {str(name): number for name, number in counted.most_common()}


def _days(plan: Plan) -> list[date]:
    first, last = plan.since.date(), plan.until.date()
    return [date.fromordinal(day) for day in range(first.toordinal(), last.toordinal() + 1)]


def _samples(walks: Sequence[Walk], mails: Sequence[Mailed]) -> list[Sample]:
    """Return some of those who would have entered, spread over the whole time."""
    chosen = walks[:: max(1, len(walks) // SAMPLES)][:SAMPLES]
    of_walk: dict[int, list[Mailed]] = {each.id: [] for each in chosen}
    for mail in mails:
        if mail.walk.id in of_walk:
            of_walk[mail.walk.id].append(mail)
    return [
        Sample(
            each.profile_id,
            each.event_id,
            each.event_timestamp.isoformat(),
            each.entered_at.isoformat(),
            [(stay.step, stay.entered_at.isoformat(), str(stay.outcome or ""), stay.detail) for stay in each.stays],
            [(mail.step, mail.template, mail.at.isoformat(), str(mail.reason or "")) for mail in of_walk[each.id]],
            str(each.ending or UNDER_WAY),
        )
        for each in chosen
    ]


NOTES = {
    UpdateProfile: "Traits that a step sets are not set: what is asked about them later finds them as they are now.",
    TrackEvent: "Events that a step tracks are not there for what comes after it.",
    Subscribe: "Steps that subscribe or unsubscribe change nobody’s consent.",
    Call: "No web address is called: each counts as answered at once, with nothing.",
    RateLimit: "Steps that let so many through a minute let everybody through at once.",
}


BY_TIME = "Time starts it, which leaves no trace before it is live: only starts that were asked for are counted."
BY_CHANGE = "Only changes that were told at the time are known: what nobody watched then is not counted."


def _notes(workflow: Workflow) -> list[str]:
    """Say what could not be taken into account of this workflow."""
    found = [note for kind, note in NOTES.items() if any(isinstance(step, kind) for step in workflow.by_id.values())]
    match workflow.trigger.start:
        case OnSchedule() | OnDate():
            found.insert(0, BY_TIME)
        case OnSegment() | OnTrait():
            found.insert(0, BY_CHANGE)
    return [*found, "Traits and consent are taken as they are now; conditions on events look at the past as it was."]
