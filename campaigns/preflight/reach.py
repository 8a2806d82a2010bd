"""Which steps nobody comes to, how long people wait, and whether success is measured. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from campaigns import places
from campaigns.engine.boxes import ways
from campaigns.engine.steps import Branch, Delay, Exit, HoldUntilQuiet, Split, Step, WaitUntil, Workflow
from campaigns.preflight.finding import Finding

LONG = timedelta(days=90)


def warnings(workflow: Workflow, draft: dict[str, Any]) -> Iterator[Finding]:
    """Yield what stands behind an exit, is never chosen or waits for months; and that there is no goal."""
    where = places.by_id(draft)
    yield from _unreachable(workflow.steps, where)
    for step in workflow.by_id.values():
        if (waits := _longest(step)) and waits / workflow.speed > LONG:
            days = (waits / workflow.speed).days
            yield Finding(
                "long_wait",
                where[step.id],
                f"people may wait here for {days} days",
                "Shorten the time, if you do not mean to keep them that long.",
            )
    if workflow.goal is None:
        yield Finding(
            "no_goal",
            "goal",
            "there is no goal, so nobody will see whether the messages were worth sending",
            "Choose the event that counts as success.",
        )
    if workflow.speed > 1:
        yield Finding(
            "speed",
            "speed",
            f"the speed is ×{workflow.speed}: every wait is that much shorter",
            "For real people, set it to 1 under Settings.",
        )


def _unreachable(steps: tuple[Step, ...], where: dict[str, str]) -> Iterator[Finding]:
    comes_out = True
    for step in steps:
        if not comes_out:
            yield Finding(
                "unreachable",
                where[step.id],
                "nobody comes to this step: everybody has left before it",
                "Move it before the exit, or remove it.",
            )
            return
        for index, way in enumerate(ways(step)):
            if isinstance(step, Split) and not way.weight and way.steps:
                yield Finding(
                    "unreachable",
                    f"{where[step.id]}.paths[{index}]",
                    "nobody takes this path: its share is 0",
                    "Give it a share, or remove it.",
                )
            yield from _unreachable(way.steps, where)
        comes_out = _comes_out(step)


def _comes_out(step: Step) -> bool:
    """Say whether anybody may come out behind ``step``."""
    if isinstance(step, Exit):
        return False
    taken = [way for way in ways(step) if way.weight or not isinstance(step, Split)]
    if not taken or (isinstance(step, Branch) and taken[-1].condition is not None):
        return True
    return any(all(_comes_out(each) for each in way.steps) for way in taken)


def _longest(step: Step) -> timedelta | None:
    match step:
        case Delay():
            return timedelta(seconds=step.most or step.seconds)
        case WaitUntil():
            return timedelta(seconds=step.seconds)
        case HoldUntilQuiet():
            return timedelta(seconds=step.most)
    return None
