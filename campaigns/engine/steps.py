"""The boxes of a workflow as frozen values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from typing import Any

from events.conditions import Node


@dataclass(frozen=True, slots=True)
class Step:
    """``id`` is stable and unique within a campaign; ``name`` is what people read."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Delay(Step):
    """Wait this many seconds (divided by the workflow's speed)."""

    seconds: int


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
    """Hand a message to the outbox. ``template_version`` is None in a draft."""

    template: int
    template_version: int | None


@dataclass(frozen=True, slots=True)
class Path:
    """One way out of a branch; ``condition`` None is "everybody else"."""

    id: str
    name: str
    condition: Node | None
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Branch(Step):
    """Take the first path whose condition holds; none holding, go on behind the branch."""

    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Exit(Step):
    """End the journey here."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """``event`` starts a journey if ``where`` holds and it is at most ``max_age_hours`` old when it arrives.

    Where only missing traits are in the way, it waits for them for ``grace_minutes``.
    """

    event: str
    where: Node | None
    max_age_hours: int
    grace_minutes: int


@dataclass(frozen=True, slots=True)
class Reentry:
    """``rule`` is "once", "always" or "period"; with "period", at most one entry in ``hours``."""

    rule: str
    hours: int


@dataclass(frozen=True, slots=True)
class Goal:
    """The conversion: ``event`` within ``hours`` of the triggering event."""

    event: str
    where: Node | None
    hours: int


@dataclass(frozen=True, slots=True)
class Workflow:
    """A whole definition. ``by_id`` finds every step, ``following`` the step behind each (None: the end)."""

    trigger: Trigger
    reentry: Reentry
    steps: tuple[Step, ...]
    goal: Goal | None
    time_zone: str
    speed: int
    by_id: Mapping[str, Step] = field(repr=False)
    following: Mapping[str, str | None] = field(repr=False)

    @property
    def first(self) -> str | None:
        return self.steps[0].id if self.steps else None


Definition = Mapping[str, Any]
