"""What may start a journey: one frozen value a kind, and how each is read from a trigger's JSON. Pure.

A start listens for events of one name in the log (``event``), of those for the ones whose properties are as ``about``
says, and lets those in that meet ``asks``. Where ``is_own``, only what we have appended ourselves counts: no
application can pretend it. A start with no event, such as a request, waits for ``Campaign Start Requested`` that names
its campaign, which every other campaign hears as well: only the author's own conditions are asked then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar

from campaigns.engine import cron
from campaigns.engine.anniversaries import LEAST_DAYS, MOST_DAYS, Anniversary
from campaigns.engine.cron import Cron, CronError
from campaigns.engine.rhythms import CRON, DAILY, MONTHLY, ONCE, REPEATS, WEEKLY, Rhythm
from events.conditions import AllOf, Node

if TYPE_CHECKING:
    from campaigns.engine.definition import Reader

Tree = dict[str, Any]
# As the log calls them; ``events`` appends both.
SEGMENT_ENTERED, SEGMENT_LEFT = "Segment Entered", "Segment Left"
TRAIT_CHANGED = "Trait Changed"
# By whose clock a timetable goes.
WHOSE = ("person", "campaign")
MOVES = {"entered": SEGMENT_ENTERED, "left": SEGMENT_LEFT}


@dataclass(frozen=True, slots=True)
class Start:
    """What starts a journey. This one is for kinds that nothing but a request for their campaign starts."""

    is_own: ClassVar[bool] = True

    @property
    def event(self) -> str:
        """Return the name of the events to listen for; "" for none but requests."""
        return ""

    @property
    def about(self) -> Mapping[str, str]:
        """Return the values of properties that tell its events from others of the name."""
        return {}

    @property
    def asks(self) -> Node | None:
        """Return what the kind itself asks of its events."""
        return None

    @property
    def watches(self) -> tuple[str, ...]:
        """Return the path of the trait whose changes have to be told for it; () for none."""
        return ()


@dataclass(frozen=True, slots=True)
class OnEvent(Start):
    """An event of this name, whoever reports it."""

    is_own: ClassVar[bool] = False
    name: str

    @property
    def event(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class OnSegment(Start):
    """The person enters or leaves a segment; ``moved`` is a key of ``MOVES``."""

    segment: str
    moved: str

    @property
    def event(self) -> str:
        return MOVES[self.moved]

    @property
    def about(self) -> Mapping[str, str]:
        return {"segment": self.segment}


@dataclass(frozen=True, slots=True)
class OnTrait(Start):
    """The trait at ``path`` changes, where ``values`` is not None from or to the values that it asks for."""

    path: tuple[str, ...]
    values: Node | None

    @property
    def event(self) -> str:
        return TRAIT_CHANGED

    @property
    def about(self) -> Mapping[str, str]:
        return {"trait": ".".join(self.path)}

    @property
    def asks(self) -> Node | None:
        return self.values

    @property
    def watches(self) -> tuple[str, ...]:
        return self.path


@dataclass(frozen=True, slots=True)
class OnRequest(Start):
    """A call of the API, a webhook, a step of another campaign or somebody's hand asks for it."""


@dataclass(frozen=True, slots=True)
class OnSchedule(Start):
    """A timetable lets in who is in the segment then, or with "" everybody; ``by_person``: by each person's clock."""

    rhythm: Rhythm
    by_person: bool
    segment: str


@dataclass(frozen=True, slots=True)
class OnDate(Start):
    """The date at ``path`` of a person's traits comes, by their own clock."""

    path: tuple[str, ...]
    anniversary: Anniversary

    @property
    def watches(self) -> tuple[str, ...]:
        return self.path


def _event(reader: Reader, tree: Tree) -> Start:
    return OnEvent(reader.text(tree, "event", "trigger", "choose the event that starts this campaign"))


def _segment(reader: Reader, tree: Tree) -> Start:
    moved = tree.get("moved", "entered")
    if moved not in MOVES:
        reader.problem("trigger.moved", "must be entered or left")
        moved = "entered"
    return OnSegment(reader.text(tree, "segment", "trigger", "choose the segment"), moved)


def _trait(reader: Reader, tree: Tree) -> Start:
    """``from`` and ``to`` are values, null for none; what is not named may be anything."""
    sides = [(side, tree[side]) for side in ("from", "to") if side in tree]
    asked = [
        {"property": side, "exists": False} if value is None else {"property": side, "is": value}
        for side, value in sides
    ]
    found = [reader.condition(each, f"trigger.{side}") for each, (side, _) in zip(asked, sides, strict=True)]
    values = tuple(node for node in found if node is not None)
    path = reader.trait(tree, "trait", "trigger") if tree.get("trait") else ()
    if not path:
        reader.problem("trigger.trait", "choose the trait whose change starts this campaign")
    return OnTrait(path, AllOf(values) if values else None)


def _request(reader: Reader, tree: Tree) -> Start:
    return OnRequest()


def _schedule(reader: Reader, tree: Tree) -> Start:
    repeat, whose, segment = tree.get("repeat", ONCE), tree.get("whose", "person"), tree.get("segment") or ""
    if repeat not in REPEATS:
        reader.problem("trigger.repeat", f"must be one of {', '.join(REPEATS)}")
        repeat = DAILY
    if whose not in WHOSE:
        reader.problem("trigger.whose", f"must be one of {', '.join(WHOSE)}")
    if not isinstance(segment, str):
        reader.problem("trigger.segment", "must be the short name of a segment, or nothing for everybody")
    rhythm = Rhythm(
        repeat,
        reader.clock(tree, "at", "trigger"),
        _day(reader, tree) if repeat == ONCE else None,
        reader.days(tree, "days", "trigger") if repeat == WEEKLY else frozenset(),
        reader.whole(tree, "day", "trigger", 1, 31) if repeat == MONTHLY else 1,
        _cron(reader, tree) if repeat == CRON else None,
    )
    return OnSchedule(rhythm, whose == "person", str(segment))


def _cron(reader: Reader, tree: Tree) -> Cron | None:
    line = tree.get("cron")
    try:
        return cron.parse(line if isinstance(line, str) else "")
    except CronError as error:
        reader.problem("trigger.cron", str(error))
        return None


def _day(reader: Reader, tree: Tree) -> date | None:
    try:
        return date.fromisoformat(tree["on"])
    except (KeyError, TypeError, ValueError):
        reader.problem("trigger.on", "choose the day")
        return None


def _date(reader: Reader, tree: Tree) -> Start:
    path = reader.trait(tree, "trait", "trigger") if tree.get("trait") else ()
    if not path:
        reader.problem("trigger.trait", "choose the trait that holds the date")
    yearly = tree.get("yearly", False)
    if not isinstance(yearly, bool):
        reader.problem("trigger.yearly", "must be true or false")
    days = reader.whole(tree, "days", "trigger", LEAST_DAYS, MOST_DAYS, default=0)
    return OnDate(path, Anniversary(days, reader.clock(tree, "at", "trigger"), yearly is True))


# A trigger without a kind is of the first.
STARTS: dict[str, Callable[[Reader, Tree], Start]] = {
    "event": _event,
    "segment": _segment,
    "trait": _trait,
    "request": _request,
    "schedule": _schedule,
    "date": _date,
}
