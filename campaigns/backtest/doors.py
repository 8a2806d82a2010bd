"""Who enters, of those whose events meet the trigger: the rules that unique constraints keep in the real tables.

What happens to a person while a journey of theirs is under way can only be said once it is known how long that takes,
so it goes in rounds: of everybody as many arrivals as can be decided, then their journeys, then the next.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from campaigns.backtest.arrivals import Arrival
from campaigns.backtest.walks import Walk
from campaigns.reasons import Entry

Start = Callable[[Arrival], Walk]


@dataclass(slots=True)
class _Person:
    """``waiting`` are the arrivals to be decided, ``keys`` what their entries were known by, ``last`` when the last."""

    waiting: deque[Arrival] = field(default_factory=deque)
    keys: set[str] = field(default_factory=set)
    last: dict[str, datetime] = field(default_factory=dict)
    walks: list[Walk] = field(default_factory=list)


@dataclass(slots=True)
class Doors:
    """``decided`` counts what came of arrivals."""

    people: dict[int, _Person] = field(default_factory=lambda: defaultdict(_Person))
    decided: Counter[Entry] = field(default_factory=Counter)

    def wait(self, arrivals: Iterable[Arrival]) -> None:
        """Let these wait to be decided, in this order."""
        for arrival in arrivals:
            self.people[arrival.profile_id].waiting.append(arrival)

    def round(self, start: Start) -> list[Walk]:
        """Decide what can be, and return the journeys that begin; none when nothing is left to decide.

        They have to be walked before the next round.
        """
        begun: list[Walk] = []
        for person in self.people.values():
            fresh = len(person.walks)
            while person.waiting and not _depends(person.waiting[0], person.walks[fresh:]):
                arrival = person.waiting.popleft()
                entry = _decide(arrival, person)
                self.decided[entry] += 1
                if entry in (Entry.ENTERED, arrival.held):
                    person.keys.add(arrival.key)
                    person.last[arrival.same] = arrival.happened_at
                    if not arrival.held:
                        person.walks.append(start(arrival))
            begun += person.walks[fresh:]
        return begun


def _depends(arrival: Arrival, fresh: Sequence[Walk]) -> bool:
    """Say whether it hangs on how long a journey takes that has only just begun."""
    return any(_in_the_way(arrival, walk) for walk in fresh)


def _in_the_way(arrival: Arrival, walk: Walk) -> bool:
    return walk.lane == arrival.lane or (walk.lane == "") != (arrival.lane == "")


def _decide(arrival: Arrival, person: _Person) -> Entry:
    """The rules in the order in which enrollment goes by them."""
    last = person.last.get(arrival.same)
    if arrival.gap and last is not None and last > arrival.happened_at - arrival.gap:
        return Entry.TOO_SOON
    going = [walk for walk in person.walks if walk.ended_at is None or walk.ended_at > arrival.at]
    if any(_in_the_way(arrival, walk) for walk in going):
        return Entry.ALREADY_IN
    if arrival.key in person.keys:
        return Entry.NOT_AGAIN
    return arrival.held or Entry.ENTERED
