"""Ask people into campaigns, a portion at a time: who is in a segment or meets a condition when the time comes.

Each portion is a transaction that appends what asks for the starts and moves the cursor, so a killed worker neither
loses nor doubles anybody. Whoever takes a portion holds the campaign, so that of a campaign one goes on at a time and
none while it is paused. Nobody is asked twice for the same occurrence, also after a move to another time zone or a
merge: the log knows who was. Portions stand back while many events wait to be looked at, so that those of applications
never wait behind a whole broadcast.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, Max, OuterRef, Q, QuerySet

from campaigns import requests, workflows
from campaigns.halving import is_outage, said
from campaigns.listening import REQUESTED
from campaigns.models import Campaign, Intake
from campaigns.requests import Reason
from events import ingest, present
from events.audience import compile_condition, profiles
from events.conditions import AllOf, AnyOf, Compare, Node, Not, parse
from events.models import Event, Pending, Profile, Segment, SegmentMember

logger = logging.getLogger(__name__)
# So many ids are looked at in a transaction, and so many people are asked.
LOOK, PORTION = 5_000, 500
# Where there is a limit a minute, it is spread over so many.
PORTIONS_A_MINUTE = 12
# With so many events before the campaigns, others go first.
CROWD = 1_000
# What is later than this is not begun any more.
CATCH_UP = timedelta(hours=12)
PUT_OFF = timedelta(minutes=1)
State = Intake.State
UNDER_WAY = (State.WAITING, State.RUNNING)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who of those who are there already is to be let in: see ``Intake``. The campaign's own conditions hold too."""

    segment: str = ""
    condition: Any = None
    per_minute: int | None = None


def run_due(deadline: float, now: datetime | None = None) -> int:
    """Take portions until none is due or ``time.monotonic()`` passes ``deadline``. Returns how many were taken."""
    taken = 0
    while time.monotonic() < deadline and not is_crowded() and _take(now or present.now()):
        taken += 1
    return taken


def begin(campaign: Campaign, wanted: Wanted, key: str, by: str) -> bool:
    """Ask in who matches now, from now on. The same ``key`` again begins nothing. Returns whether it has begun."""
    now = present.now()
    return Intake.objects.get_or_create(
        campaign=campaign,
        reason=Reason.BACK_POPULATE,
        occurrence=key,
        defaults={
            "segment": wanted.segment,
            "condition": wanted.condition,
            "per_minute": wanted.per_minute,
            "due_at": now,
            "next_at": now,
            "asked_by": by,
        },
    )[1]


def matching(campaign: Campaign, wanted: Wanted, now: datetime) -> QuerySet[Profile]:
    """Return who matches now."""
    people = Profile.objects.all()
    if wanted.segment:
        members = SegmentMember.objects.filter(segment__slug=wanted.segment, profile_id=OuterRef("pk"))
        people = people.filter(Exists(members))
    for condition in _conditions(campaign, wanted.condition):
        people = people.filter(compile_condition(condition, profiles(now, everyone=True)))
    return people


def hold(intake: Intake) -> int:
    """Ask nobody more at its occurrence until ``go_on``. Returns how many parts of it that holds."""
    return _siblings(intake).filter(state__in=UNDER_WAY).update(state=State.HELD)


def go_on(intake: Intake) -> int:
    """Go on where it was held. Returns with how many parts of it."""
    return _siblings(intake).filter(state=State.HELD).update(state=State.RUNNING)


def cancel(intake: Intake) -> int:
    """Ask nobody more at its occurrence, for good. Who was asked stays in. Returns how many parts of it that ends."""
    left = _siblings(intake).filter(state__in=(*UNDER_WAY, State.HELD))
    return left.update(state=State.CANCELLED, ended_at=present.now())


def percent(intake: Intake) -> int:
    """Return how much of everybody was looked at, in per cent."""
    if intake.ended_at:
        return 100
    return min(99, 100 * intake.position // intake.last) if intake.last else 0


def is_crowded() -> bool:
    """Say whether so many events wait for the campaigns that others have to stand back. One statement."""
    return len(Pending.objects.filter(parked_at=None).values_list("pk")[:CROWD]) == CROWD


def _take(now: datetime) -> bool:
    """Take the next portion that is due; return whether there was one. What fails is put off, with the error."""
    claimed: list[int] = []

    def portion() -> bool:
        intake = _claim(now)
        if intake:
            claimed[:] = [intake.pk]
            _portion(intake, now)
        return intake is not None

    try:
        return ingest.in_one_go(portion)
    except Exception as error:
        if is_outage(error) or not claimed:
            raise
        logger.exception("intake %s is put off", claimed[0])
        Intake.objects.filter(pk=claimed[0], state__in=UNDER_WAY).update(next_at=now + PUT_OFF, error=said(error))
        return True


def _claim(now: datetime) -> Intake | None:
    """Return the intake that is due first and hold it and its campaign, which is live."""
    return (
        Intake.objects.select_for_update(of=("self", "campaign"), skip_locked=True, no_key=True)
        .select_related("campaign")
        .filter(state__in=UNDER_WAY, next_at__lte=now, campaign__status=Campaign.Status.LIVE)
        .order_by("next_at", "pk")
        .first()
    )


def _portion(intake: Intake, now: datetime) -> None:
    """Ask the next people. Nine statements at most, however many they are."""
    if intake.started_at is None and intake.reason == Reason.SCHEDULE and intake.due_at < now - CATCH_UP:
        _end(intake, State.SKIPPED, now)
        return
    if Segment.objects.filter(slug=intake.segment, state=Segment.State.BUILDING).exists():
        intake.next_at = now + PUT_OFF
        intake.save(update_fields=["next_at"])
        return
    if intake.started_at is None:
        intake.started_at, intake.state = now, State.RUNNING
        intake.last = Profile.objects.aggregate(last=Max("pk"))["last"] or 0
    looked = _next_ids(intake)
    most = min(PORTION, max(1, intake.per_minute // PORTIONS_A_MINUTE)) if intake.per_minute else PORTION
    people = _those(intake, looked, now)[:most] if looked else []
    intake.asked += _ask(intake, people)
    intake.error = ""
    # Of what was looked at the rest is looked at again: who of them is due may change meanwhile.
    is_full = len(people) == most
    if not is_full and len(looked) < LOOK:
        _end(intake, State.DONE, now)
        return
    intake.position = people[-1] if is_full else looked[-1]
    intake.next_at = now + len(people) * timedelta(minutes=1) / intake.per_minute if intake.per_minute else now
    intake.save()


def _ask(intake: Intake, people: Sequence[int]) -> int:
    """Ask for their starts; return for how many that is new. Two statements."""
    asked = [requests.Request(pk, _mark(intake), f"{intake.reason}:{intake.occurrence}:{pk}") for pk in people]
    by = intake.asked_by or "the timetable"
    return sum(requests.ask(intake.campaign, asked, Reason(intake.reason), by)) if asked else 0


def _end(intake: Intake, state: State, now: datetime) -> None:
    intake.state, intake.ended_at = state, now
    intake.save()


def _next_ids(intake: Intake) -> list[int]:
    """Return the next ids to look at. One statement, by an index."""
    if intake.segment:
        rows: QuerySet[Any, int] = SegmentMember.objects.filter(segment__slug=intake.segment).values_list(
            "profile_id", flat=True
        )
    else:
        rows = Profile.objects.values_list("pk", flat=True)
    column = "profile_id" if intake.segment else "pk"
    wanted = {f"{column}__gt": intake.position, f"{column}__lte": intake.last}
    return list(rows.filter(**wanted).order_by(column)[:LOOK])


def _those(intake: Intake, ids: Sequence[int], now: datetime) -> list[int]:
    """Return those of ``ids`` who live where it is time, meet the conditions and were not asked yet."""
    people = Profile.objects.filter(~Q(Exists(_asked(intake))), pk__in=ids)
    if intake.zones:
        people = people.filter(time_zone__in=intake.zones)
    else:
        too_late = _siblings(intake).filter(state=State.SKIPPED).values_list("zones", flat=True)
        people = people.exclude(time_zone__in=[zone for zones in too_late for zone in zones])
    for condition in _conditions(intake.campaign, intake.condition):
        people = people.filter(compile_condition(condition, profiles(now)))
    return list(people.order_by("pk").values_list("pk", flat=True))


def _asked(intake: Intake) -> QuerySet[Event]:
    """Return what has asked for the person's start at this occurrence; what a merged person was asked is theirs."""
    told = {"campaign": intake.campaign.slug, **_mark(intake)}
    since = intake.created_at - timedelta(minutes=1)
    return Event.objects.filter(
        profile_id=OuterRef("pk"), name=REQUESTED, timestamp__gte=since, properties__contains=told
    )


def _mark(intake: Intake) -> dict[str, str]:
    return {"reason": intake.reason, "occurrence": intake.occurrence}


def _siblings(intake: Intake) -> QuerySet[Intake]:
    return Intake.objects.filter(campaign=intake.campaign_id, reason=intake.reason, occurrence=intake.occurrence)


def _conditions(campaign: Campaign, condition: Any) -> list[Node]:
    """Return what is asked of people at once, so that nobody is asked in vain; the campaign asks it again."""
    version_id = campaign.live_version_id
    assert version_id, "it is live"
    own = [parse(condition)] if condition else []
    where = workflows.of_versions([version_id])[version_id].trigger.where
    return own if where is None or speaks_of_event(where) else [*own, where]


def speaks_of_event(node: Node) -> bool:
    """Say whether a condition asks about the event at hand, which is not there before anybody is asked."""
    match node:
        case AllOf(parts) | AnyOf(parts):
            return any(map(speaks_of_event, parts))
        case Not(part):
            return speaks_of_event(part)
        case Compare(subject):
            return subject == "property"
    return False
