"""The boxes of a workflow as frozen values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from typing import Any

from campaigns.engine.starts import Start
from campaigns.reasons import Ending
from events.conditions import AllOf, Node


@dataclass(frozen=True, slots=True)
class Step:
    """``id`` is stable and unique within a campaign; ``name`` is what people read."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Delay(Step):
    """Wait this many seconds, or as many as chance says up to ``most``; both divided by the workflow's speed."""

    seconds: int
    most: int | None = None


@dataclass(frozen=True, slots=True)
class DelayUntilDay(Step):
    """Wait for the next ``clock`` on one of these days (Monday = 0) in the person's zone."""

    days: frozenset[int]
    clock: time


@dataclass(frozen=True, slots=True)
class DelayUntilDate(Step):
    """Wait for a date that is a trait of the person, shifted by ``days``, at ``clock`` where the trait names no time.

    Who has no such date goes on at once, as who is past it does.
    """

    trait: tuple[str, ...]
    days: int
    clock: time | None


@dataclass(frozen=True, slots=True)
class Heard:
    """An event of the person's after the triggering one, or only ``since_step`` was entered.

    ``same`` is a property whose value the triggering event has as well, such as an order's id.
    """

    event: str
    where: Node | None
    same: tuple[str, ...] | None
    since_step: bool


@dataclass(frozen=True, slots=True)
class Window(Step):
    """Go on only on these days (Monday = 0) between these wall-clock times of the person's zone.

    ``start`` after ``end`` spans midnight and belongs to the day it begins on; equal times mean the whole day.
    """

    days: frozenset[int]
    start: time
    end: time


@dataclass(frozen=True, slots=True)
class Send(Step):
    """Hand a message to the outbox. ``template_version`` is None in a draft.

    ``recheck``: when it is about to leave, the trigger's conditions are asked once more. ``sending`` is automatic,
    draft (somebody approves each message) or never (it is only recorded); the journey goes on all the same.
    """

    template: int
    template_version: int | None
    recheck: bool = False
    sending: str = "automatic"


@dataclass(frozen=True, slots=True)
class Path:
    """One way out of a step. In a branch ``condition`` None is "everybody else"; a split goes by ``weight``."""

    id: str
    name: str
    condition: Node | None
    steps: tuple[Step, ...]
    weight: int = 0


@dataclass(frozen=True, slots=True)
class Branch(Step):
    """Take the first path whose condition holds; none holding, go on behind the branch."""

    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Split(Step):
    """Take a path by chance, in proportion to the weights; the same person takes the same one whenever they come."""

    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class WaitUntil(Step):
    """Wait until ``condition`` holds or ``heard`` has come, then take the first path; the second after ``seconds``."""

    condition: Node | None
    heard: Heard | None
    seconds: int
    paths: tuple[Path, Path]


@dataclass(frozen=True, slots=True)
class HoldUntilQuiet(Step):
    """Wait until nothing of ``heard`` has come for ``seconds``, at most ``most`` altogether."""

    heard: Heard
    seconds: int
    most: int


@dataclass(frozen=True, slots=True)
class RateLimit(Step):
    """Let ``number`` journeys of the campaign through per ``seconds``, evenly; the others wait their turn."""

    number: int
    seconds: int


@dataclass(frozen=True, slots=True)
class UpdateProfile(Step):
    """Set traits of the person; texts are Liquid. A trait set to None is taken away."""

    traits: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TrackEvent(Step):
    """Append an event to the person's log; texts among the properties are Liquid."""

    event: str
    properties: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Subscribe(Step):
    """Subscribe the person to a topic, named by its slug, or unsubscribe them."""

    topic: str
    subscribed: bool


@dataclass(frozen=True, slots=True)
class Call(Step):
    """Call a URL and go on when it has answered, at the latest after ``seconds``. The texts are Liquid."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: str
    seconds: int


@dataclass(frozen=True, slots=True)
class StartCampaign(Step):
    """Let the person into another campaign, named by its slug, with ``properties`` as its event's. Texts are Liquid."""

    campaign: str
    properties: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class GoTo(Step):
    """Go back to an earlier step, at most ``times`` times a journey; then go on."""

    to: str
    times: int


@dataclass(frozen=True, slots=True)
class Exit(Step):
    """End the journey here."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """What ``start`` listens for starts a journey if ``where`` holds and it is at most ``max_age_hours`` old.

    Where only missing traits are in the way, it waits for them for ``grace_minutes``. With ``quiet_minutes`` the last
    of several events starts it, when none has come for so long, at the latest ``quiet_most_minutes`` after the first.
    """

    start: Start
    where: Node | None
    max_age_hours: int
    grace_minutes: int
    quiet_minutes: int = 0
    quiet_most_minutes: int = 24 * 60

    @property
    def event(self) -> str:
        """Return the name of the events that it listens for; "" for none but requests of its campaign."""
        return self.start.event

    def condition(self, event: str) -> Node | None:
        """Return what is asked of an event of that name: of a request only what the author asks."""
        asks = self.start.asks if event == self.start.event else None
        return AllOf((asks, self.where)) if asks and self.where else asks or self.where


@dataclass(frozen=True, slots=True)
class Reentry:
    """``rule`` is "once", "always" or "period"; with "period", at most one entry in ``hours``.

    ``by`` is a property of the event: "once" and "period" then hold for each value of it, such as each order.
    ``parallel`` lets several journeys of one person be under way, with ``by`` one at a time for each value.
    """

    rule: str
    hours: int
    by: str = ""
    parallel: bool = False


@dataclass(frozen=True, slots=True)
class Goal:
    """The conversion: ``event`` within ``hours`` of the triggering event."""

    event: str
    where: Node | None
    hours: int


@dataclass(frozen=True, slots=True)
class ExitRule:
    """A journey ends early, with this ending, once ``condition`` holds or ``heard`` has come.

    That somebody has unsubscribed has neither: which topics count depends on the mails.
    """

    ending: Ending
    condition: Node | None = None
    heard: Heard | None = None


@dataclass(frozen=True, slots=True)
class Workflow:
    """A whole definition. ``by_id`` finds every step, ``following`` the step behind each (None: the end).

    ``priority``, of its messages, is urgent, high, normal or low. ``definition`` is what it was read from.
    """

    trigger: Trigger
    reentry: Reentry
    steps: tuple[Step, ...]
    goal: Goal | None
    time_zone: str
    speed: int
    priority: str
    by_id: Mapping[str, Step] = field(repr=False)
    following: Mapping[str, str | None] = field(repr=False)
    exits: tuple[ExitRule, ...] = ()
    definition: Definition = field(default_factory=dict, repr=False)

    @property
    def first(self) -> str | None:
        return self.steps[0].id if self.steps else None


Definition = Mapping[str, Any]
