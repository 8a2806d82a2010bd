"""Does an event start a journey? Its age and the trigger's conditions, asked for many campaigns at once.

What meets its conditions becomes a ``Candidate``; what does not is only a version id in ``Judgement.unmatched``.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256

from campaigns import strain
from campaigns.engine.steps import Workflow
from campaigns.halving import apart, said, took_too_long
from campaigns.listening import Hearing
from campaigns.reasons import Entry
from events import patience
from events.audience import Reading
from events.audience.batches import meeting
from events.conditions import Belongs, Compare, Node, Not, walk
from events.log import ClaimedEvent


@dataclass(frozen=True, slots=True)
class Candidate:
    """One event before one version that listens for its name, and what comes of it.

    ``waiting_id`` is that of the row by which it has waited for traits, ``parked_id`` that of the row by which it was
    parked, ``put_off_id`` that of the row by which it waited for quiet; ``error`` is why it is parked now. ``held``: it
    enters as one of a control group, for this reason. ``measured``: the campaign is compared with a control group.
    """

    event: ClaimedEvent
    campaign_id: int
    version_id: int
    workflow: Workflow
    entry: Entry = Entry.ENTERED
    journey_id: int | None = None
    waiting_id: int | None = None
    parked_id: int | None = None
    put_off_id: int | None = None
    error: str = ""
    held: Entry | None = None
    measured: bool = False

    @property
    def entry_key(self) -> str:
        reentry = self.workflow.reentry
        if reentry.rule != "once":
            return f"event:{self.event.id}"
        return f"once:{self.digest}" if reentry.by else "once"

    @property
    def lane(self) -> str:
        """Return what a person may be in the campaign with only once at a time: "" where that is the campaign."""
        reentry = self.workflow.reentry
        if not reentry.parallel:
            return ""
        return self.digest if reentry.by else self.entry_key

    @property
    def sameness(self) -> str:
        """Return as JSON what distinguishes entries of the same person, "null" where nothing does."""
        by = self.workflow.reentry.by
        return json.dumps(self.event.properties.get(by), sort_keys=True) if by else "null"

    @property
    def digest(self) -> str:
        """Return what distinguishes entries in a form that an index can hold, however long the value is."""
        return sha256(self.sameness.encode()).hexdigest()

    @property
    def is_refused_again(self) -> bool:
        """Say whether its decision is what it was: it was asked again because of an event that came late."""
        waits = self.waiting_id is not None or self.parked_id is not None
        return self.entry is Entry.FILTERED and not waits

    @property
    def until(self) -> datetime:
        """Return how long it may wait for traits."""
        return grace_ends(self.event, self.workflow)


@dataclass(slots=True)
class Judgement:
    """What a batch's events came to: candidates, and by event id the versions whose conditions it did not meet.

    ``slow`` are the versions whose condition took too long, ``recovered`` those that answered again.
    """

    candidates: list[Candidate] = field(default_factory=list)
    unmatched: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    slow: set[int] = field(default_factory=set)
    recovered: set[int] = field(default_factory=set)


Asked = tuple[Node, Sequence[ClaimedEvent]]
Before = tuple[Hearing, Sequence[ClaimedEvent]]


def _meeting(asked: Sequence[Asked], reading: Reading) -> list[set[int]]:
    """Return for each condition the ids of those of its events that meet it.

    Conditions about events of one name share statements; there is never one for each event.
    """
    named: dict[str, list[int]] = defaultdict(list)
    for place, (_, events) in enumerate(asked):
        named[events[0].name].append(place)
    answers: dict[int, set[int]] = {}
    for places in named.values():
        everything = {event.id: event.timestamp for place in places for event in asked[place][1]}
        found = meeting([asked[place][0] for place in places], everything.items(), reading)
        for place, meets in zip(places, found, strict=True):
            events = asked[place][1]
            alike = len(events) == len(everything)
            answers[place] = meets if alike else meets.intersection(event.id for event in events)
    return [answers[place] for place in range(len(asked))]


def judge(hearings: Iterable[Hearing], now: datetime, *, careful: bool = False) -> Judgement:
    """Say of each event before each version what it comes to.

    ``careful``: a condition that fails spoils only its own version, whose events are to be parked.
    """
    judgement = Judgement()
    asking: list[Before] = []
    for hearing in hearings:
        fresh = _of_age(hearing, judgement)
        if hearing.where is None:
            judgement.candidates += [_candidate(hearing, event, Entry.ENTERED) for event in fresh]
        elif hearing.strain >= strain.LIMIT:
            judgement.candidates += [_parked(hearing, event, strain.UNASKED) for event in fresh]
        elif fresh:
            asking.append((hearing, fresh))
    if asking:
        with patience.each_at_most(strain.PATIENCE):
            _ask_in_turn(asking, now, judgement, careful)
        judgement.recovered.update(hearing.version_id for hearing, _ in asking if hearing.strain)
        strain.note(judgement.slow, judgement.recovered)
    return judgement


def _ask_in_turn(asking: Sequence[Before], now: datetime, judgement: Judgement, careful: bool) -> None:
    """Ask the conditions; of those that are not met, whether that is only for what may yet come."""
    failed = _ask(asking, Reading.PLAIN, Entry.ENTERED, judgement, careful)
    _ask(_lacking(failed, now), Reading.POSSIBLE, Entry.WAITING, judgement, careful)
    later = (Entry.WAITING, Entry.PARKED)
    waits = {(c.version_id, c.event.id) for c in judgement.candidates if c.entry in later}
    for hearing, events in failed:
        for event in events:
            if (hearing.version_id, event.id) not in waits:
                judgement.unmatched[event.id].append(hearing.version_id)


def judge_again(candidates: Sequence[Candidate], now: datetime, *, careful: bool = False) -> list[Candidate]:
    """Ask once more about candidates that have waited or were parked; those that were given another entry keep it.

    So do those that waited for quiet: their condition was met.
    """
    if not candidates:
        return []
    again = {(c.version_id, c.event.id): c for c in candidates if c.entry is Entry.ENTERED and not c.put_off_id}
    versions: dict[tuple[int, str], list[Candidate]] = defaultdict(list)
    for candidate in again.values():
        versions[candidate.version_id, candidate.event.name].append(candidate)
    strains = strain.of_versions({version_id for version_id, _ in versions}) if versions else {}
    hearings = [
        Hearing(g[0].campaign_id, v, g[0].workflow, [c.event for c in g], strains.get(v, 0))
        for (v, _), g in versions.items()
    ]
    judgement = judge(hearings, now, careful=careful)
    for found in judgement.candidates:
        key = found.version_id, found.event.id
        again[key] = replace(again[key], entry=found.entry, error=found.error)
    for event_id, version_ids in judgement.unmatched.items():
        for version_id in version_ids:
            again[version_id, event_id] = replace(again[version_id, event_id], entry=Entry.FILTERED)
    return [again.get((c.version_id, c.event.id), c) for c in candidates]


def _candidate(hearing: Hearing, event: ClaimedEvent, entry: Entry) -> Candidate:
    return Candidate(event, hearing.campaign_id, hearing.version_id, hearing.workflow, entry)


def _of_age(hearing: Hearing, judgement: Judgement) -> Sequence[ClaimedEvent]:
    """Turn away what is too old to answer. Counted from its arrival: how long it waits here changes nothing."""
    limit = timedelta(hours=hearing.workflow.trigger.max_age_hours)
    fresh = []
    for event in hearing.events:
        if event.received_at - event.timestamp > limit:
            judgement.candidates.append(_candidate(hearing, event, Entry.TOO_OLD))
        elif event.is_own and event.properties.get("missed"):
            judgement.candidates.append(_candidate(hearing, event, Entry.TOO_LATE))
        else:
            fresh.append(event)
    return fresh


def _ask(asking: Sequence[Before], reading: Reading, entry: Entry, judgement: Judgement, careful: bool) -> list[Before]:
    """Add those that meet their conditions as candidates with ``entry``; return the others."""

    def ask(some: Sequence[Before]) -> list[set[int]]:
        return _meeting([(_where(hearing), events) for hearing, events in some], reading)

    answered = apart(asking, ask, _split) if careful else zip(asking, ask(asking), strict=True)
    left: list[Before] = []
    for (hearing, events), meets in answered:
        if isinstance(meets, BaseException):
            judgement.candidates += [_parked(hearing, event, said(meets)) for event in events]
            if took_too_long(meets):
                judgement.slow.add(hearing.version_id)
            continue
        judgement.candidates += [_candidate(hearing, event, entry) for event in events if event.id in meets]
        if rest := [event for event in events if event.id not in meets]:
            left.append((hearing, rest))
    return left


def _split(before: Before) -> list[Before]:
    hearing, events = before
    middle = len(events) // 2
    return [(hearing, events[:middle]), (hearing, events[middle:])] if middle else []


def _parked(hearing: Hearing, event: ClaimedEvent, error: str) -> Candidate:
    return replace(_candidate(hearing, event, Entry.PARKED), error=error)


def _lacking(failed: Sequence[Before], now: datetime) -> list[Before]:
    """Return those whose person lacks something that the conditions speak of and that may yet come in time.

    One statement, which asks about each trait once, however many conditions speak of it.
    """
    may = [
        (hearing, events, traits)
        for hearing, heard in failed
        if (traits := _traits(_where(hearing)))
        and (events := [event for event in heard if grace_ends(event, hearing.workflow) > now])
    ]
    names: dict[Node, dict[int, ClaimedEvent]] = defaultdict(dict)
    for _, events, traits in may:
        for trait in traits:
            names[trait].update((event.id, event) for event in events)
    answers = _meeting([(trait, list(events.values())) for trait, events in names.items()], Reading.PLAIN)
    missing = dict(zip(names, answers, strict=True))
    found: list[Before] = []
    for hearing, events, traits in may:
        lacking = set().union(*(missing[trait] for trait in traits))
        if lacks := [event for event in events if event.id in lacking]:
            found.append((hearing, lacks))
    return found


def _traits(where: Node) -> set[Node]:
    """Return for each thing that may be missing the question whether it is."""
    found: set[Node] = set()
    for node in walk(where):
        match node:
            case Compare("trait", path):
                found.add(Compare("trait", path, "exists", False))
            case Belongs(type):
                found.add(Not(Belongs(type, None)))
    return found


def _where(hearing: Hearing) -> Node:
    where = hearing.where
    assert where is not None
    return where


def grace_ends(event: ClaimedEvent, workflow: Workflow) -> datetime:
    return event.received_at + timedelta(minutes=workflow.trigger.grace_minutes)
