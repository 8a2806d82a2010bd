"""Group commit: what requests bring at the same moment is stored by one transaction, with one wait for the disk.

Threads of one process queue their parcels here. One of them leads: it takes what is in the queue, stores all of it,
tells the others, and lets the first of those who have come meanwhile lead next. Whoever comes while nobody leads does
so at once, so a request that is alone waits for nobody; under load the groups grow by themselves.

Each still gets an answer of its own, after the commit that holds its parcel. When a group cannot be stored, for one
bad parcel or because somebody holds one person's row for long, each of it tries alone: nobody is harmed by a
neighbour. When the database is gone, all of it hear so at once. Nobody waits longer than ``PATIENCE_SECONDS``.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from threading import Lock

from django.db import InterfaceError, OperationalError, connection

from events import ingest
from events.ingest import Parcel, Result

logger = logging.getLogger(__name__)

# Who brings as many items as this gains nothing from company, and would make others wait.
LARGE = 50
MAX_ITEMS = 500
# A group does not wait for a row as long as somebody alone would: many are behind it.
GROUP_LOCK_MS = 250
ALONE_LOCK_MS = 15_000
PATIENCE_SECONDS = 20.0
# How often a leader lets others come before it, at most.
MAX_YIELDS = 16
# What PostgreSQL says when it is not there, or not for us: connections, lack of resources, shutdown. SQL standard and
# https://www.postgresql.org/docs/current/errcodes-appendix.html
GONE = ("08", "53", "57P")


class Turn(Enum):
    """What somebody in the queue may do next."""

    WAIT = auto()
    LEAD = auto()
    ALONE = auto()
    GO = auto()


@dataclass(eq=False, slots=True)
class Place:
    """A parcel in the queue. Its ``bell`` is locked until its turn has come; ``GO`` means that it is settled."""

    parcel: Parcel
    turn: Turn = Turn.WAIT
    result: Result | None = None
    trouble: str = ""
    bell: Lock = field(default_factory=Lock)

    def call(self, turn: Turn) -> None:
        self.turn = turn
        self.bell.release()


class Queue:
    """The parcels of one process that wait to be stored."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: deque[Place] = deque()
        self._leader: Place | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def store(self, parcel: Parcel) -> Result:
        """Store a parcel, together with others as it comes; returns after the commit.

        Raises DatabaseError when nothing was stored, or, with OperationalError, perhaps nothing.
        """
        place = Place(parcel)
        if not self._enter(place):
            self._wait(place)
        if place.turn is Turn.LEAD:
            self._lead(place)
        if place.turn is Turn.ALONE:
            return _alone(parcel)
        if place.result is None:
            raise OperationalError(place.trouble)
        return place.result

    def _enter(self, place: Place) -> bool:
        """Say whether the newcomer leads; else it is in the queue."""
        place.bell.acquire()
        with self._lock:
            if self._leader is None:
                self._leader, place.turn = place, Turn.LEAD
                return True
            self._waiting.append(place)
            return False

    def _wait(self, place: Place) -> None:
        """Wait until called. Whoever has waited too long leaves, and lets somebody else lead: this one is stuck."""
        if place.bell.acquire(timeout=PATIENCE_SECONDS):
            return
        with self._lock:
            if place.turn is not Turn.WAIT:
                return
            place.turn, place.trouble = Turn.GO, f"the group was not stored within {PATIENCE_SECONDS:.0f} s"
            if place in self._waiting:
                self._waiting.remove(place)
            self._choose_leader()

    def _lead(self, leader: Place) -> None:
        group = self._gather(leader)
        turn, trouble = Turn.ALONE, ""

        def tell(results: Sequence[Result]) -> None:
            for place, result in zip(group, results, strict=True):
                place.result = result
            self._dissolve(leader, group, Turn.GO, "")

        try:
            ingest.ingest_many([place.parcel for place in group], GROUP_LOCK_MS, tell)
        except (OperationalError, InterfaceError) as error:
            if _is_gone(error):
                turn, trouble = Turn.GO, str(error)
        except Exception as error:
            logger.info("a group of %d is stored one by one: %s", len(group), error)
        finally:
            if leader.turn is Turn.LEAD:
                self._dissolve(leader, group, turn, trouble)

    def _gather(self, leader: Place) -> list[Place]:
        """Take the leader and those of its kind who are here, as many as fit."""
        self._let_others_come()
        group, left, size = [leader], deque[Place](), len(leader.parcel.items)
        with self._lock:
            for place in self._waiting:
                larger = size + len(place.parcel.items)
                if larger <= MAX_ITEMS and place.parcel.source.is_sandbox == leader.parcel.source.is_sandbox:
                    group.append(place)
                    size = larger
                else:
                    left.append(place)
            self._waiting = left
        return group

    def _let_others_come(self) -> None:
        """Let threads run that have their request and wait for the interpreter. Takes no time when there are none."""
        for _ in range(MAX_YIELDS):
            before = len(self)
            time.sleep(0)
            if len(self) == before:
                return

    def _dissolve(self, leader: Place, group: Sequence[Place], turn: Turn, trouble: str) -> None:
        """Tell everybody of the group, and hand over."""
        with self._lock:
            for place in group:
                # Whoever has lost patience is no longer there.
                if place.turn is Turn.WAIT:
                    place.trouble = trouble
                    place.call(turn)
            leader.turn, leader.trouble = turn, trouble
            if self._leader is leader:
                self._choose_leader()

    def _choose_leader(self) -> None:
        """Let the first in the queue lead. The lock is held."""
        self._leader = self._waiting.popleft() if self._waiting else None
        if self._leader is not None:
            self._leader.call(Turn.LEAD)


queue = Queue()


def store(parcel: Parcel) -> Result:
    """Store what one request brings, and return after the commit: with others of its moment, unless it is large.

    Raises DatabaseError. In a transaction of the caller's own it is stored by that one.
    """
    if len(parcel.items) >= LARGE or connection.in_atomic_block:
        return _alone(parcel)
    return queue.store(parcel)


def _alone(parcel: Parcel) -> Result:
    return ingest.ingest_many([parcel], lock_ms=ALONE_LOCK_MS)[0]


def _is_gone(error: OperationalError | InterfaceError) -> bool:
    """Say whether the database itself is out of reach, so that trying again would only take time."""
    if isinstance(error, InterfaceError):
        return True
    if error.__cause__ is None:
        return False
    state = getattr(error.__cause__, "sqlstate", None)
    return state is None or state.startswith(GONE)
