"""How many are likely to come, and whether what they get fits under the caps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Exists, OuterRef

from campaigns import places
from campaigns.engine.boxes import ways
from campaigns.engine.starts import OnSchedule
from campaigns.engine.steps import Branch, Delay, Exit, Send, Step, Workflow
from campaigns.preflight.finding import Finding
from events import catalog
from events.models import Profile, Segment, SegmentMember
from events.segments.usage import mentions
from messaging.caps import About, Cap
from messaging.models import FrequencyCap, Purpose, Template

# Of a workflow with many branches so many ways through it are looked at.
WAYS = 64


@dataclass(frozen=True, slots=True)
class Forecast:
    """``a_day``: events that may start it, on an average day of the last two weeks; ``people``: whom a timetable asks.

    Conditions and rules of entry let fewer in. ``mails``: so many one person gets at most.
    """

    a_day: float | None
    people: int | None
    mails: int


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail on one way through a workflow, at the earliest so long after the start."""

    after: timedelta
    template: int


@dataclass(frozen=True, slots=True)
class Way:
    """One way through a list of steps, and how long it takes at least; ``ends`` where the journey does."""

    mails: tuple[Mail, ...] = ()
    takes: timedelta = timedelta()
    ends: bool = False


def forecast(workflow: Workflow) -> Forecast:
    """Return how many are likely to come. One statement."""
    start = workflow.trigger.start
    mails = max(len(way.mails) for way in ways_through(workflow))
    if isinstance(start, OnSchedule):
        segment = Segment.objects.filter(slug=start.segment).first()
        return Forecast(None, segment.size if segment else Profile.objects.count(), mails)
    came = catalog.volumes().get(start.event, 0) if start.event else 0
    return Forecast(came / catalog.LATELY_DAYS if came else None, None, mails)


def warnings(workflow: Workflow, draft: dict[str, Any]) -> Iterator[Finding]:
    """Yield the caps that do not let through all that one person would get. Two statements."""
    caps = FrequencyCap.binding()
    sends = {step.template for step in workflow.by_id.values() if isinstance(step, Send)}
    rows = Template.objects.filter(pk__in=sends, purpose=Purpose.MARKETING).values_list("pk", "channel", "topic_id")
    marketing = {pk: About(channel, topic) for pk, channel, topic in rows}
    for cap in caps:
        if cap.spares_urgent and workflow.priority == "urgent":
            continue
        most = max(_within(way.mails, marketing, cap) for way in ways_through(workflow))
        if most > cap.most:
            becomes = "are not sent" if cap.drops else "have to wait"
            yield Finding(
                "cap",
                "steps",
                f"one person may get {most} of its mails in the time in which the cap “{cap.words}” lets {cap.most} "
                f"through: the others {becomes}",
                "Put longer delays between the mails, or change the cap under Frequency caps.",
            )


def empty_segments(draft: dict[str, Any]) -> Iterator[Finding]:
    """Yield where the draft speaks of segments in which nobody is. One statement."""
    members = SegmentMember.objects.filter(segment=OuterRef("pk"))
    empty = Segment.objects.filter(~Exists(members), state=Segment.State.LIVE).order_by("slug")
    parts = [(key, draft.get(key)) for key in ("trigger", "goal", "exits")]
    for segment in empty:
        for place, tree in [*parts, *((place, _own(step)) for place, step in places.all_steps(draft))]:
            if mentions(tree, segment.slug):
                yield Finding(
                    "empty_segment",
                    place,
                    f"nobody is in the segment {segment.name} at present",
                    "Look at the segment’s condition, or choose another.",
                )


def _own(step: dict[str, Any]) -> dict[str, Any]:
    """Return a step without the steps in its paths, which are looked at on their own."""
    inner = [{key: value for key, value in way.items() if key != "steps"} for _, way in places.paths(step, "")]
    return {**step, "paths": inner}


def _within(mails: Sequence[Mail], marketing: Mapping[int, About], cap: Cap) -> int:
    """Return how many of the mails that count for ``cap`` may come within its window."""
    times = [mail.after for mail in mails if mail.template in marketing and cap.covers(marketing[mail.template])]
    return max((sum(first <= at < first + cap.window for at in times) for first in times), default=0)


def ways_through(workflow: Workflow) -> list[Way]:
    """Return the ways through a workflow, ``WAYS`` at most, without going back."""
    return _through(workflow.steps, workflow.speed)


def _through(steps: Sequence[Step], speed: int) -> list[Way]:
    found = [Way()]
    for step in steps:
        longer: list[Way] = []
        for way in found:
            longer += [way] if way.ends else [_joined(way, each) for each in _of_step(step, speed)]
        found = longer[:WAYS]
    return found


def _of_step(step: Step, speed: int) -> list[Way]:
    match step:
        case Send():
            return [Way((Mail(timedelta(), step.template),))]
        case Delay():
            return [Way(takes=timedelta(seconds=step.seconds) / speed)]
        case Exit():
            return [Way(ends=True)]
    taken = [each for way in ways(step) for each in _through(way.steps, speed)]
    may_pass = isinstance(step, Branch) and step.paths[-1].condition is not None
    return [*taken, Way()] if may_pass or not taken else taken


def _joined(way: Way, then: Way) -> Way:
    later = tuple(Mail(way.takes + mail.after, mail.template) for mail in then.mails)
    return Way((*way.mails, *later), way.takes + then.takes, then.ends)
