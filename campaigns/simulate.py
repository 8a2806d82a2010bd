"""Run a campaign for one person through weeks in a second: the engine itself, in a world of its own with its own clock.

Nothing is decided here. What happens to the person is reported as an application would, everything that is due is
done, and the clock goes on to the next moment at which anything is. No mail leaves: it is written, and put into a
mailbox that is gone with the world. No web address is called: each answers what it is told to, or nothing.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.db import connection

from campaigns import calling, dates, enrollment, explain, intakes, publishing, runner, timetables, world
from campaigns.explain import Trace
from campaigns.models import Campaign, Decision, Journey, Visit
from campaigns.reasons import Ending, Entry, Outcome
from events import ingest, present
from events.computed import turning as computed
from events.models import Event, Identity, Profile, Source
from events.segments import turning as segments
from messaging import caps, delivery, feeds
from messaging.models import Message, MessageBody, Provider, SendingLimits
from messaging.reasons import Reason
from messaging.states import LABELS, Status

# A run that does more than this goes in a circle.
MOST_MOMENTS = 5_000
SECONDS = 30.0


class SimulationError(RuntimeError):
    """Raised for a run that cannot be made, or comes to no end; says what to do."""


@dataclass(frozen=True, slots=True)
class Happens:
    """The person does something: ``name`` with ``properties``, ``after`` the beginning of the run.

    With ``traits`` it is an identify call, and needs no name.
    """

    name: str = ""
    properties: Mapping[str, Any] = field(default_factory=dict)
    after: timedelta = timedelta()
    traits: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """What an event meant to the campaign."""

    at: datetime
    event: str
    entry: Entry


@dataclass(frozen=True, slots=True)
class Visited:
    """A stay at a step. ``outcome`` is None where the journey still is there; ``detail`` is the path taken, or why."""

    step: str
    entered_at: datetime
    left_at: datetime | None
    outcome: Outcome | None
    detail: str


@dataclass(frozen=True, slots=True)
class Walked:
    """A journey. ``ending`` is None where it is still under way, ``error`` why it is stuck."""

    entered_at: datetime
    ended_at: datetime | None
    ending: Ending | None
    converted_at: datetime | None
    visits: Sequence[Visited]
    error: str


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as it would go out, or why it would not: then it has no text. ``at`` is when it left, or was given up."""

    step: str
    at: datetime
    status: Status
    reason: Reason | None
    address: str
    subject: str
    html: str
    text: str

    @property
    def label(self) -> str:
        return self.reason.label if self.reason else LABELS[self.status]


@dataclass(frozen=True, slots=True)
class Simulated:
    """What came of a run. ``trace`` tells all of it in plain words."""

    began: datetime
    until: datetime
    entries: Sequence[Decided]
    journeys: Sequence[Walked]
    mails: Sequence[Mail]
    trace: Trace


@dataclass(frozen=True, slots=True)
class Run:
    """What is to be run: for ``who``, somebody known or the traits of somebody new, from ``start`` for ``span``.

    ``live``: the live version and not the draft. ``answers`` are what the web addresses of steps answer, by step id.
    """

    campaign: Campaign
    who: Profile | Mapping[str, Any]
    happenings: Sequence[Happens]
    start: datetime
    span: timedelta = timedelta(days=14)
    live: bool = False
    answers: Mapping[str, Any] = field(default_factory=dict)


def simulate(run: Run) -> Simulated:
    """Return what would come of it. Raises NotPublishable for a draft that cannot run, and SimulationError."""
    known = run.who if isinstance(run.who, Profile) else None
    if run.live and run.campaign.live_version is None:
        raise SimulationError("the campaign was never published: try its draft out")
    with world.of_person(run.campaign, known), present.at(run.start), feeds.offline():
        return _World(run, known).run()


class _World:
    """A run while it goes on."""

    def __init__(self, run: Run, known: Profile | None) -> None:
        self.run_ = run
        self.campaign = Campaign.objects.select_related("live_version").get(pk=run.campaign.pk)
        # Whatever carries the mails in earnest, here they stay; and nothing is held.
        Provider.objects.update(
            kind=Provider.Kind.MAILBOX, fallback=None, per_second=None, domain_limits={}, warm_up_from=None
        )
        SendingLimits.objects.update(mode=SendingLimits.Mode.NORMAL, redirect_to="")
        self.source = Source.objects.create(name=f"Tried out {uuid.uuid4()}", site_id=uuid.uuid4().hex)
        self.call = _call_of(known, run.start)
        self.is_known = known is not None
        if run.live:
            publishing.go_live_again(self.campaign)
        else:
            publishing.try_out(self.campaign)
        self.ends = time.monotonic() + SECONDS

    def run(self) -> Simulated:
        waiting = sorted(self.run_.happenings, key=lambda each: each.after)
        if not self.is_known:
            assert not isinstance(self.run_.who, Profile)
            waiting.insert(0, Happens(traits=self.run_.who))
        now, until = self.run_.start, self.run_.start + self.run_.span
        for _ in range(MOST_MOMENTS):
            with present.at(now):
                while waiting and self.run_.start + waiting[0].after <= now:
                    self._report(waiting.pop(0), now)
                    self._settle(now)
                self._settle(now)
            following = [self.run_.start + waiting[0].after] if waiting else []
            following += _timers(now)
            if not following or min(following) > until:
                break
            now = min(following)
        else:
            raise SimulationError("it never comes to rest: look for a circle of steps without a delay")
        with present.at(until):
            return self._outcome(until)

    def _report(self, happens: Happens, now: datetime) -> None:
        """Report what the person does as an application would."""
        said = happens.properties if happens.traits is None else happens.traits
        item = replace(
            self.call,
            type="track" if happens.traits is None else "identify",
            message_id=str(uuid.uuid4()),
            timestamp=now,
            name=happens.name if happens.traits is None else "",
            properties=msgspec.json.encode(dict(said)),
            traits={name: msgspec.Raw(msgspec.json.encode(value)) for name, value in (happens.traits or {}).items()},
        )
        ingest.ingest(self.source, [item], now)

    def _settle(self, now: datetime) -> None:
        """Do all that is due, as workers and beat would, until nothing is."""
        stages: Sequence[Callable[[], int | bool]] = (
            lambda: enrollment.enroll_pending(self.ends) + enrollment.enroll_waiting(self.ends),
            lambda: segments.turn_due(self.ends) + computed.turn_due(self.ends),
            lambda: timetables.open_due(now) + dates.turn_due(self.ends, now) + dates.build(self.ends, now),
            lambda: intakes.run_due(self.ends, now),
            lambda: runner.run_due(self.ends),
            lambda: calling.settle_all(self.run_.answers),
            lambda: delivery.deliver_due(self.ends),
        )
        while any(stage() for stage in stages):
            if time.monotonic() > self.ends:
                raise SimulationError(f"it takes longer than {SECONDS:.0f} seconds: run a shorter time")

    def _outcome(self, until: datetime) -> Simulated:
        person = Profile.objects.filter(pk=Event.objects.filter(source=self.source).values("profile")[:1]).first()
        self.campaign.refresh_from_db()
        return Simulated(
            began=self.run_.start,
            until=until,
            entries=list(_entries(self.campaign)),
            journeys=list(_journeys(self.campaign)),
            mails=list(_mails()),
            trace=explain.trace(self.campaign, person or Profile(), until, "" if self.is_known else "Somebody new"),
        )


def _call_of(profile: Profile | None, at: datetime) -> ingest.Item:
    """Return a call that names the person as an application would. Raises SimulationError for somebody without name."""
    if profile is None:
        return ingest.Item("track", "", at, user_id=f"simulated-{uuid.uuid4()}")
    anonymous = Identity.objects.filter(profile=profile, kind=Identity.Kind.ANONYMOUS).first()
    if profile.user_id:
        return ingest.Item("track", "", at, user_id=profile.user_id)
    if anonymous:
        return ingest.Item("track", "", at, anonymous_id=anonymous.value)
    if profile.email:
        return ingest.Item("track", "", at, email=profile.email)
    raise SimulationError("nothing can happen to somebody who has no id: choose another person")


# All that anything waits for, later than now. Mail that caps may hold is looked at a little after it is due.
TIMERS = """
SELECT min(at) FROM (
    SELECT min(due_at) AS at FROM campaigns_journey WHERE state = 'waiting' AND due_at > %(now)s
    UNION ALL SELECT min(due_at) FROM messaging_message WHERE status = 'queued' AND due_at > %(now)s
    UNION ALL SELECT min(due_at) + %(gathering)s FROM messaging_message
        WHERE status = 'queued' AND due_at + %(gathering)s > %(now)s
    UNION ALL SELECT min(look_at) FROM events_segmentturn WHERE look_at > %(now)s
    UNION ALL SELECT min(look_at) FROM events_computedvalue WHERE look_at > %(now)s
    UNION ALL SELECT min(look_at) FROM campaigns_waiting WHERE look_at > %(now)s
    UNION ALL SELECT min(look_at) FROM campaigns_putoff WHERE look_at > %(now)s
    UNION ALL SELECT min(look_at) FROM campaigns_dateturn WHERE look_at > %(now)s
    UNION ALL SELECT min(next_at) FROM campaigns_timetable WHERE next_at > %(now)s
    UNION ALL SELECT min(next_at) FROM campaigns_intake WHERE state IN ('waiting', 'running') AND next_at > %(now)s
) AS timers
"""


def _timers(now: datetime) -> list[datetime]:
    with connection.cursor() as cursor:
        parameters: dict[str, Any] = {"now": now, "gathering": caps.GATHERING}
        cursor.execute(TIMERS, parameters)
        (found,) = cursor.fetchone()
    return [found] if found else []


def _entries(campaign: Campaign) -> Iterator[Decided]:
    decisions = Decision.objects.filter(campaign=campaign).order_by("pk")
    events = Event.objects.in_bulk([decision.event_id for decision in decisions])
    for decision in decisions:
        event = events[decision.event_id]
        yield Decided(event.timestamp, event.name, Entry(decision.entry))


def _journeys(campaign: Campaign) -> Iterator[Walked]:
    for journey in Journey.objects.filter(campaign=campaign).order_by("pk"):
        visits = Visit.objects.filter(journey=journey).order_by("number")
        yield Walked(
            journey.entered_at,
            journey.ended_at,
            Ending(journey.ending) if journey.ending else None,
            journey.converted_at,
            [
                Visited(v.step_id, v.entered_at, v.left_at, Outcome(v.outcome) if v.outcome else None, v.detail)
                for v in visits
            ],
            journey.error,
        )


def _mails() -> Iterator[Mail]:
    """Yield what the run made, in the order in which it left."""
    made = list(Message.objects.filter(visit__isnull=False, pk__gte=world.FIRST))
    bodies = MessageBody.objects.in_bulk([message.pk for message in made])
    for message in sorted(made, key=lambda each: (each.sent_at or each.updated_at, each.pk)):
        body = bodies.get(message.pk)
        yield Mail(
            step=str(message.labels.get("step", "")),
            at=message.sent_at or message.updated_at,
            status=Status(message.status),
            reason=Reason(message.reason) if message.reason else None,
            address=message.address,
            subject=message.subject,
            html=body.html if body else "",
            text=body.text if body else "",
        )
