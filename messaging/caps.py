"""Frequency caps: which of the messages that wait for one person may go now, and what becomes of the others.

Pure: the moment is an argument. Whoever asks holds the person's lock, so that what is let through here counts for the
next who asks. A message has a *seat* from then until its outcome is known; it counts all that time, and from when it
was sent until the window has passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

# Marketing that a cap may hold is compared with what comes within this time after it fell due.
GATHERING = timedelta(seconds=3)
# How soon somebody looks again who had to let another message go first.
PAUSE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class About:
    """What caps tell messages apart by."""

    channel: str
    topic: int | None = None


@dataclass(frozen=True, slots=True)
class Cap:
    """At most ``most`` messages to one person within any ``window``; of one topic or channel, where they are given.

    ``drops``: what finds no room is not sent; else it waits, no longer than ``patience``. ``spares_urgent``: urgent
    messages are not held, and count all the same. ``words`` is what people call the cap by.
    """

    words: str
    most: int
    window: timedelta
    topic: int | None = None
    channel: str = ""
    drops: bool = False
    spares_urgent: bool = False
    patience: timedelta = timedelta(days=3)

    def covers(self, about: About) -> bool:
        """Say whether such messages count."""
        return self.channel in ("", about.channel) and self.topic in (None, about.topic)


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that the person has got, or may have got."""

    about: About
    at: datetime


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that is about to be sent. ``id`` tells which was written first, ``held_since`` since when caps hold it.

    ``due_at`` is when it will be tried: one that the provider could not take just now keeps its seat until then.
    """

    id: int
    about: About
    priority: int
    due_at: datetime
    urgent: bool = False
    seated: bool = False
    held_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Go:
    """It may go."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Others come first; whether they leave room is known soon after ``until``."""

    cap: Cap
    until: datetime


@dataclass(frozen=True, slots=True)
class Hold:
    """There is no room before ``until``; ``last``: then it is given up, if there is none by chance."""

    cap: Cap
    until: datetime
    last: bool


@dataclass(frozen=True, slots=True)
class Drop:
    """It is not sent: the cap has it so, or (``late``) it has waited long enough."""

    cap: Cap
    late: bool = False


Verdict = Go | Pause | Hold | Drop


def arbitrate(
    caps: Sequence[Cap], sent: Sequence[Sent], waiting: Sequence[Waiting], now: datetime
) -> dict[int, Verdict]:
    """Decide about everything that waits for one person, by id: what is most important first, of that the oldest.

    A message goes only if there is room for it even when all go that come before it and still can. So a cap is never
    exceeded, and nothing goes before what is more important, whoever of several workers asks first.
    """
    found: dict[int, Verdict] = {}
    ahead: list[Waiting] = []
    for one in sorted(waiting, key=_turn):
        found[one.id] = Go() if one.seated else _decide(one, caps, sent, ahead, now)
        if isinstance(found[one.id], Go | Pause):
            ahead.append(one)
    return found


def _turn(one: Waiting) -> tuple[bool, int, int]:
    return not one.seated, -one.priority, one.id


def _decide(
    one: Waiting, caps: Sequence[Cap], sent: Sequence[Sent], ahead: Sequence[Waiting], now: datetime
) -> Verdict:
    """Say what stands in its way, if anything: what is for good before what takes long, and that before a pause."""
    binding = [cap for cap in caps if cap.covers(one.about) and not (cap.spares_urgent and one.urgent)]
    rooms = {cap: room for cap in binding if (room := _room(cap, sent, now))}
    if dropping := next((cap for cap in rooms if cap.drops), None):
        return Drop(dropping)
    if rooms:
        return _hold(one, max(rooms, key=lambda cap: rooms[cap]), max(rooms.values()), now)
    pauses = {cap: until for cap in binding if (until := _pause(cap, sent, ahead, now))}
    if pauses:
        cap = max(pauses, key=lambda cap: pauses[cap])
        return Pause(cap, pauses[cap])
    return Go()


def _room(cap: Cap, sent: Sequence[Sent], now: datetime) -> datetime | None:
    """Return when ``cap`` has room again after what was sent, None where it has."""
    counting = _counting(cap, sent, now)
    return counting[-cap.most] + cap.window if len(counting) >= cap.most else None


def _pause(cap: Cap, sent: Sequence[Sent], ahead: Sequence[Waiting], now: datetime) -> datetime | None:
    """Return when to look again, if those ahead may take the room that is left; None where there is enough."""
    before = [other.due_at for other in ahead if cap.covers(other.about)]
    left = cap.most - len(_counting(cap, sent, now))
    return max(now, min(before)) + PAUSE if len(before) >= left else None


def _counting(cap: Cap, sent: Sequence[Sent], now: datetime) -> list[datetime]:
    return sorted(one.at for one in sent if cap.covers(one.about) and one.at > now - cap.window)


def _hold(one: Waiting, cap: Cap, room: datetime, now: datetime) -> Hold | Drop:
    end = (one.held_since or now) + cap.patience
    if end <= now:
        return Drop(cap, late=True)
    return Hold(cap, min(room, end), last=end < room)
