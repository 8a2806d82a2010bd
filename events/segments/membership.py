"""Ask the segments' conditions about people: those an event is about, in the transaction that has claimed it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from events.log import ClaimedEvent
from events.models import Event
from events.segments import changes, live, statements
from events.segments.changes import Answer, Ask, Moved
from events.segments.live import Live

# What is new of a group may be news of everybody in it: they are asked with the next sweep. Clocks may differ a little.
# A turn that is due moves a little, so that whoever is asking at this moment sees that it is a new one.
ASK_COLLEAGUES = """
INSERT INTO events_segmentturn AS t (segment_id, profile_id, look_at, cause)
SELECT DISTINCT s.id, other.profile_id, %(at)s, 'their group'
FROM events_membership own JOIN events_group g ON g.id = own.group_id AND g.updated_at >= %(since)s
JOIN events_membership other USING (group_id), unnest(%(segments)s::bigint[]) AS s(id)
WHERE own.profile_id = ANY(%(people)s) ORDER BY 1, 2
ON CONFLICT (segment_id, profile_id) DO UPDATE SET
    look_at = least(t.look_at + interval '1 microsecond', excluded.look_at), quiet = false
"""
CLOCKS = timedelta(minutes=5)
COMPUTED = "a computed trait"
# People by the name of a trait of theirs.
Changed = Mapping[str, Collection[int]]


def follow(
    events: Sequence[ClaimedEvent], now: datetime, changed: Changed | None = None, *, claim: bool = False
) -> Sequence[ClaimedEvent]:
    """See who enters and leaves segments by these events, which the caller has claimed; return the news of it.

    With ``claim`` the caller acts on that as on what it has claimed; else it is pending, and nothing is returned.
    ``changed`` says by name of the trait whose computed traits these events have changed. One statement, and one more
    for each ``statements.TOGETHER`` segments that hear of the same.
    """
    segments = live.current()
    heard = _heard(events)
    wanted: dict[Live, set[int]] = {}
    causes: dict[int, tuple[str, int | None]] = {}
    for segment in segments:
        names, people = _touching(segment, heard), _whose_traits(segment, changed or {})
        if names or people:
            wanted[segment] = people.union(*(heard[name].people for name in names))
            causes[segment.pk] = _cause(heard[name] for name in names) if names else (COMPUTED, None)
    # The senders' clocks and ours may differ: what has been stored has happened.
    now = max([now, *(event.received_at for event in events)])
    moved = _ask(_together(wanted, changed or {}), now, causes, claim=claim)
    told = [event for event in events if event.type == Event.Type.GROUP]
    watching = live.watching_groups(segments)
    if told and watching:
        since = min(event.received_at for event in told) - CLOCKS
        members = list({event.profile_id for event in told})
        with connection.cursor() as cursor:
            cursor.execute(ASK_COLLEAGUES, {"at": now, "since": since, "segments": watching, "people": members})
    return moved.news


def follow_traits(changed: Changed, now: datetime, cause: str, *, quiet: bool = False) -> None:
    """Ask about those whose traits have changed, whom the caller holds: ``changed`` names them by trait.

    None, or one statement and one more for each ``statements.TOGETHER`` segments that ask about the same of them.
    """
    if changed:
        wanted = {segment: _whose_traits(segment, changed) for segment in live.current()}
        wanted = {segment: people for segment, people in wanted.items() if people}
        _ask(_together(wanted, changed), now, {segment.pk: (cause, None) for segment in wanted}, quiet=quiet)


def _whose_traits(segment: Live, changed: Changed) -> set[int]:
    return {person for name in segment.interest.traits & changed.keys() for person in changed[name]}


@dataclass(slots=True)
class Heard:
    """The people of a batch's events of one type and name, and the last of these events."""

    people: set[int]
    last: ClaimedEvent


def ask(
    wanted: Mapping[Live, Collection[int]],
    now: datetime,
    causes: Mapping[int, tuple[str, int | None]],
    *,
    quiet: bool = False,
) -> int:
    """Ask each segment about its people, whom the caller holds, and write what has changed. Returns how much.

    ``causes`` say by segment why, and whose event it was; what ``quiet`` asking finds is told to no campaign.
    """
    return _ask([([segment], people) for segment, people in wanted.items()], now, causes, quiet=quiet).people


def _ask(
    questions: Iterable[tuple[Sequence[Live], Collection[int]]],
    now: datetime,
    causes: Mapping[int, tuple[str, int | None]],
    *,
    quiet: bool = False,
    claim: bool = False,
) -> Moved:
    """Do what ``ask`` does, where several segments may be asked about the same people by one statement."""
    answers: list[Answer] = []
    asks: list[Ask] = []
    for segments, people in questions:
        began = time.perf_counter()
        answers += _answers(segments, people, now, quiet=quiet)
        # What was asked together cost each as much, for all we know.
        seconds = (time.perf_counter() - began) / len(segments)
        for segment in segments:
            cause, of_person = causes.get(segment.pk, ("", None))
            asks.append(Ask(segment.pk, cause, of_person, len(people), seconds))
    answers.sort(key=lambda answer: (answer.segment_id, answer.profile_id))
    return changes.write(answers, now, asks, claim=claim) if asks else Moved()


def _together(
    wanted: Mapping[Live, Collection[int]], changed: Changed
) -> Iterator[tuple[Sequence[Live], Collection[int]]]:
    """Yield segments that may be asked by one statement, and about whom.

    They hear of the same, so that the same segments come together in every batch: a statement is planned but once.
    """
    alike: dict[Any, list[Live]] = defaultdict(list)
    for segment in wanted:
        hears = segment.interest.names, segment.interest.types, segment.interest.traits.intersection(changed)
        alike[hears if statements.may_share(segment) else segment.pk].append(segment)
    for segments in alike.values():
        for start in range(0, len(segments), statements.TOGETHER):
            yield segments[start : start + statements.TOGETHER], wanted[segments[0]]


def _heard(events: Sequence[ClaimedEvent]) -> dict[tuple[str, str], Heard]:
    """Return what was heard by type and name: segments are many, names in a batch are few."""
    heard: dict[tuple[str, str], Heard] = {}
    for event in events:
        known = heard.setdefault((event.type, event.name), Heard(set(), event))
        known.people.add(event.profile_id)
        known.last = event
    return heard


def _touching(segment: Live, heard: Mapping[tuple[str, str], Heard]) -> list[tuple[str, str]]:
    return [what for what in heard if segment.interest.includes(*what)]


def _cause(heard: Iterable[Heard]) -> tuple[str, int]:
    last = max((one.last for one in heard), key=lambda event: event.id)
    return last.name if last.type == Event.Type.TRACK else last.type, last.profile_id


def _answers(segments: Sequence[Live], people: Collection[int], now: datetime, *, quiet: bool) -> list[Answer]:
    return [_answer(segments[place], *row, quiet=quiet) for place, *row in statements.ask(segments, people, now)]


def _answer(
    segment: Live,
    person: int,
    was_in: bool,
    is_in: bool,
    look_at: datetime | None,
    is_test: bool,
    turn_at: datetime | None,
    *,
    quiet: bool,
) -> Answer:
    # Who had not been asked before may have been in it all along.
    is_new = segment.built_to is not None and person > segment.built_to
    told = (segment.pk, segment.slug, segment.name, person, was_in, is_in, look_at, is_test)
    return Answer(*told, quiet or is_new, turn_at)
