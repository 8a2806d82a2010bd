"""Move the journeys whose time has come: claim a batch, ask the engine, write everything in one transaction.

The number of statements does not grow with the batch: it depends on how many different goals, rules of who leaves
early and steps that ask the batch meets. A journey that fails on its own is set aside as stuck with the error; the
others go on.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import OperationalError, connection, transaction
from django.db.models import F, QuerySet

from campaigns import acting, answers, calling, exits, goals, ledger, news, relevance, texts, turns, workflows
from campaigns.answers import Asker, Question
from campaigns.engine.deciding import Position
from campaigns.engine.machine import Entered, Left, Message, advance, go_on_at, skip_step
from campaigns.engine.steps import Send
from campaigns.models import Campaign, Journey, Metric, VersionMove, Visit
from campaigns.news import News
from campaigns.reasons import Ending, Outcome
from campaigns.trips import Trip
from events import nudges, present
from events.giving_way import lost_a_deadlock
from events.models import Profile
from messaging import outbox, settling
from messaging.models import Message as OutboxMessage
from messaging.models import Priority, TemplateVersion
from messaging.reasons import Reason
from messaging.states import Sending, Status

logger = logging.getLogger(__name__)
BATCH = 500
UNDER_WAY = (Journey.State.WAITING, Journey.State.PAUSED, Journey.State.STUCK)


def run_due(deadline: float) -> int:
    """Move due journeys until none is left or ``time.monotonic()`` passes ``deadline``. Returns how many moved."""
    moved = 0
    while time.monotonic() < deadline:
        try:
            batch = run_batch(BATCH)
        except OperationalError as error:
            if not lost_a_deadlock(error):
                raise
            continue
        except Exception:
            logger.exception("a batch of journeys failed; trying them one by one")
            batch = _run_one_by_one()
        if not batch:
            break
        moved += batch
    return moved


@transaction.atomic
def run_batch(limit: int, only: int | None = None) -> int:
    """Claim up to ``limit`` journeys that are due (or the one with the id ``only``) and move them.

    Returns how many were claimed and not left.
    """
    now = present.now()
    journeys = _claim(turns.take(now, limit) if only is None else [only], Journey.State.WAITING)
    return len(journeys) - _move(_hold_paused(journeys), now)


@transaction.atomic
def skip_wait(journey: Journey, by: str) -> bool:
    """End the wait a test person's journey is in, and move on; in a paused campaign it is held instead.

    Returns whether it moved. Raises ValueError, and does nothing, where it cannot.
    """
    claimed = _claim([journey.pk], Journey.State.WAITING)
    if any(not held.is_test for held in claimed):
        raise ValueError("only the waits of test people can be skipped")
    if not claimed:
        raise ValueError("the journey has just moved on, or the person is being changed; try again in a moment")
    running = _hold_paused(claimed)
    if running and _move(running, present.now(), skipped_by=by):
        raise ValueError("the person is just being changed; try again in a moment")
    return bool(running)


@transaction.atomic
def skip_steps(stuck: QuerySet[Journey], by: str) -> list[int]:
    """Let stuck journeys, ``BATCH`` at most, go on behind the step they stand at. Returns the ids of those that do.

    Those that others hold are left.
    """
    now = present.now()
    ids = stuck.order_by("pk").values_list("pk", flat=True)[:BATCH]
    journeys = _claim(list(ids), Journey.State.STUCK)
    parsed = workflows.of_versions({journey.version_id for journey in journeys})
    trips = [Trip.of(journey, parsed[journey.version_id]) for journey in journeys]
    for trip in trips:
        trip.take(skip_step(trip.workflow, trip.position, trip.facts(now), by))
    _write(trips, now)
    nudges.nudge("journeys")
    return [journey.pk for journey in journeys]


@transaction.atomic
def change_version(move: VersionMove) -> tuple[int, int]:
    """Let journeys of a move, ``BATCH`` at most, go on by its target. Returns how many were found, and how many do.

    Who goes on at the step of the same id keeps their place and the time at which they came there; what they wait for
    is looked at anew. Those that others hold are left for the next time.
    """
    now = present.now()
    ids = list(moving(move).order_by("pk").values_list("pk", flat=True)[:BATCH])
    journeys = _claim(ids, *UNDER_WAY)
    workflow = workflows.of_versions({move.target_id})[move.target_id]
    Journey.objects.filter(pk__in=[journey.pk for journey in journeys]).update(
        version=move.target, due_at=now, priority=Priority[workflow.priority.upper()]
    )
    trips = []
    for journey in journeys:
        journey.version_id = move.target_id
        target = move.places[journey.step_id]
        if target != journey.step_id:
            trip = Trip.of(journey, workflow)
            trip.take(go_on_at(target, trip.position, trip.facts(now), workflow, f"by {move.asked_by}"))
            trips.append(trip)
    _write(trips, now)
    nudges.nudge("journeys")
    return len(ids), len(journeys)


def moving(move: VersionMove) -> QuerySet[Journey]:
    """Return the journeys that are still to be moved."""
    going = Journey.objects.filter(version_id=move.source_id, step_id__in=list(move.places))
    return going.exclude(state=Journey.State.ENDED)


def stop(journey: Journey, ending: Ending = Ending.STOPPED) -> None:
    """End a journey by hand; nothing more is sent from it. Does nothing when it is over already."""
    stop_many([journey], ending)


@transaction.atomic
def stop_many(chosen: Sequence[Journey], ending: Ending = Ending.STOPPED) -> list[int]:
    """End journeys by hand; nothing more is sent from them. Returns the ids of those that were not over already."""
    now = present.now()
    # Whoever merges holds people first and then their journeys.
    people = Profile.objects.select_for_update(no_key=True).filter(pk__in=[journey.profile_id for journey in chosen])
    list(people.order_by("pk").values_list("pk"))
    going = Journey.objects.filter(pk__in=[journey.pk for journey in chosen]).exclude(state=Journey.State.ENDED)
    held = list(going.select_for_update().order_by("pk"))
    ledger.move_journeys(
        [_state(each, Position(each.step_id, each.visit_number, each.step_entered_at), now, ending) for each in held]
    )
    ledger.leave_visits(
        [
            ledger.VisitExit(each.pk, each.visit_number, now, Outcome.INTERRUPTED, ending.label, None)
            for each in held
            if each.visit_number
        ]
    )
    _withdraw_messages([each.pk for each in held], now)
    news.tell([News(news.ENDED, each.pk, each.campaign_id, each.profile_id, ending) for each in held])
    return [each.pk for each in held]


def _withdraw_messages(journey_ids: Sequence[int], now: datetime) -> None:
    """Send no more what waits in the outbox for journeys; what a worker has claimed already may be out."""
    made = Visit.objects.filter(journey__in=journey_ids, message__status__in=[Status.QUEUED, Status.DRAFT])
    withdrawn = outbox.withdraw(list(made.values_list("message_id", flat=True)), Reason.STOPPED)
    if withdrawn:
        settling.tell_skipped(OutboxMessage.objects.filter(pk__in=withdrawn), Reason.STOPPED, now)


def retry(stuck: QuerySet[Journey]) -> int:
    """Let stuck journeys try again. Returns how many. One statement."""
    count = stuck.filter(state=Journey.State.STUCK).update(state=Journey.State.WAITING, due_at=present.now(), error="")
    nudges.nudge("journeys")
    return count


# Whoever merges or erases people holds them first and then their journeys. We hold journeys already: to wait for people
# now would be a circle. Those who are held are left for the next sweep.
HOLD_PEOPLE = "SELECT id FROM events_profile WHERE id = ANY(%s) ORDER BY id FOR KEY SHARE SKIP LOCKED"


def _claim(ids: Sequence[int], *states: Journey.State) -> list[Journey]:
    """Return those that are in one of ``states`` and nobody else holds, whose people stay who they are.

    Two statements.
    """
    if not ids:
        return []
    wanted = Journey.objects.filter(pk__in=ids, state__in=states)
    claimed = wanted.annotate(own_time_zone=F("profile__time_zone")).select_for_update(skip_locked=True, of=("self",))
    journeys = list(claimed)
    if not journeys:
        return []
    with connection.cursor() as cursor:
        cursor.execute(HOLD_PEOPLE, [list({journey.profile_id for journey in journeys})])
        held = {profile_id for (profile_id,) in cursor.fetchall()}
    return [journey for journey in journeys if journey.profile_id in held]


def _hold_paused(journeys: Sequence[Journey]) -> list[Journey]:
    """Set aside the journeys of campaigns that are not live or paused; return the others.

    The shared lock keeps a resume from slipping between the look and the write.
    """
    if not journeys:
        return []
    status = _campaign_statuses({journey.campaign_id for journey in journeys})
    running = [journey for journey in journeys if status[journey.campaign_id] == Campaign.Status.LIVE]
    held = [journey.pk for journey in journeys if status[journey.campaign_id] != Campaign.Status.LIVE]
    if held:
        Journey.objects.filter(pk__in=held).update(state=Journey.State.PAUSED)
    return running


def _campaign_statuses(campaign_ids: set[int]) -> dict[int, str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, status FROM campaigns_campaign WHERE id = ANY(%s) ORDER BY id FOR SHARE",
            [list(campaign_ids)],
        )
        return dict(cursor.fetchall())


def _move(journeys: Sequence[Journey], now: datetime, skipped_by: str = "") -> int:
    """Advance claimed journeys as far as they go and write it all. Returns how many are left for the next sweep."""
    if not journeys:
        return 0
    parsed = workflows.of_versions({journey.version_id for journey in journeys})
    claimed = Journey.objects.filter(pk__in=[journey.pk for journey in journeys])
    over = goals.convert(goals.find(claimed, goals.of_workflows(parsed)), now)
    over |= exits.leave(exits.find(claimed, parsed, now), now)
    trips = [Trip.of(journey, parsed[journey.version_id]) for journey in journeys if journey.pk not in over]
    _decide(trips, now, skipped_by)
    ready = _hold_for_acts(trips)
    _write(ready, now)
    return len(trips) - len(ready)


def _hold_for_acts(trips: Sequence[Trip]) -> Sequence[Trip]:
    """Hold the people to whom something is to be done; leave the journeys of those whom others hold. One statement."""
    acting_on = {trip.journey.profile_id for trip in trips if trip.acts}
    if not acting_on:
        return trips
    held = acting.hold(acting_on)
    return [trip for trip in trips if trip.journey.profile_id in held or not trip.acts]


def _decide(trips: Sequence[Trip], now: datetime, skipped_by: str) -> None:
    """Ask the engine about every trip; answer what it asks, all that ask at one step in one statement."""
    asking: Sequence[Trip] = trips
    while asking:
        for trip in asking:
            trip.take(advance(trip.workflow, trip.position, trip.facts(now), "" if trip.has_skipped else skipped_by))
        asking = [trip for trip in asking if trip.decision and trip.decision.asks]
        _answer(asking, now)


def _answer(asking: Sequence[Trip], now: datetime) -> None:
    groups: dict[tuple[int, str], list[Trip]] = defaultdict(list)
    for trip in asking:
        assert trip.decision and trip.decision.asks
        groups[trip.journey.version_id, trip.decision.asks].append(trip)
    for (_, step_id), trips in groups.items():
        step = trips[0].workflow.by_id[step_id]
        askers = {trip.journey.pk: Asker(trip.position, trip.journey.due_at) for trip in trips}
        found = answers.answer(Question(trips[0].journey.campaign_id, step, askers, now))
        for trip in trips:
            trip.answers[step_id] = found[trip.journey.pk]


def _write(trips: Sequence[Trip], now: datetime) -> None:
    """Write all effects of a batch: outbox, acts, visits, timers, figures."""
    called = calling.answers([trip.journey.pk for trip in trips if trip.speaks_of_answers])
    for trip in trips:
        trip.called = called.get(trip.journey.pk, {})
    messages = _queue_messages(trips)
    calling.make([call for trip in trips for call in trip.calls], now)
    failures = acting.act([act for trip in trips for act in trip.acts], now)
    entered, left, counts = [], [], []
    for trip in trips:
        journey = trip.journey
        for effect in trip.effects:
            match effect:
                case Entered(visit, step_id, at):
                    entered.append(ledger.VisitEntry(journey.pk, visit, step_id, at))
                    counts.append((journey, step_id, Metric.VISITED))
                case Left(visit, step_id, at, outcome, detail):
                    if (journey.pk, visit) in failures:
                        outcome, detail = Outcome.FAILED, failures[journey.pk, visit]
                    message_id = messages.get(message_key(journey.pk, step_id, visit))
                    left.append(ledger.VisitExit(journey.pk, visit, at, outcome, detail, message_id))
        if trip.decision and trip.decision.ending:
            counts.append((journey, "", Metric.ENDED))
    ledger.enter_visits(entered)
    ledger.leave_visits(left)
    ledger.move_journeys(
        [
            _state(trip.journey, trip.position, now, trip.decision.ending, trip.decision.due_at, trip.wakes)
            for trip in trips
            if trip.decision
        ]
    )
    news.tell(
        [
            News(news.ENDED, trip.journey.pk, trip.journey.campaign_id, trip.journey.profile_id, trip.decision.ending)
            for trip in trips
            if trip.decision and trip.decision.ending
        ]
    )
    ledger.count(
        ledger.Count(journey.campaign_id, journey.version_id, step_id, now.date(), metric)
        for journey, step_id, metric in counts
        if not journey.is_test
    )


def message_key(journey_id: int, step_id: str, visit: int) -> str:
    """Return what makes a journey's message unique: one per journey, step and visit."""
    return f"journey:{journey_id}:{step_id}:{visit}"


def _queue_messages(trips: Sequence[Trip]) -> Mapping[str, int]:
    wanted = [(trip, effect) for trip in trips for effect in trip.effects if isinstance(effect, Message)]
    if not wanted:
        return {}
    versions = TemplateVersion.objects.defer("content").in_bulk({effect.template_version for _, effect in wanted})
    campaigns = Campaign.objects.only("name", "slug").in_bulk({trip.journey.campaign_id for trip, _ in wanted})
    return outbox.queue(
        [
            _draft(trip, effect, versions[effect.template_version], campaigns[trip.journey.campaign_id])
            for trip, effect in wanted
        ]
    )


def _draft(trip: Trip, effect: Message, version: TemplateVersion, campaign: Campaign) -> outbox.Draft:
    journey, step = trip.journey, trip.workflow.by_id[effect.step_id]
    assert isinstance(step, Send)
    return outbox.Draft(
        key=message_key(journey.pk, effect.step_id, effect.visit),
        profile_id=journey.profile_id,
        template_version_id=version.pk,
        purpose=version.purpose,
        provider_id=version.provider_id,
        variables=texts.known(journey, campaign, trip.called),
        labels={"campaign": campaign.slug, "step": effect.step_id},
        is_test=journey.is_test,
        due_at=present.now(),
        relevance=_relevance(trip, step),
        priority=Priority[trip.workflow.priority.upper()],
        sending=Sending(step.sending),
    )


def _relevance(trip: Trip, step: Send) -> outbox.Relevance | None:
    journey = trip.journey
    unless = relevance.unless(journey.version_id, trip.workflow, step)
    return outbox.Relevance(unless, journey.trigger_event_id, journey.trigger_at) if unless else None


def _state(
    journey: Journey,
    position: Position,
    now: datetime,
    ending: Ending | None,
    due_at: datetime | None = None,
    wakes: list[str] | None = None,
) -> ledger.JourneyState:
    return ledger.JourneyState(
        journey_id=journey.pk,
        state=Journey.State.ENDED if ending else Journey.State.WAITING,
        step_id=position.step_id,
        visit_number=position.visit,
        step_entered_at=position.entered_at,
        due_at=due_at,
        ended_at=now if ending else None,
        ending=ending,
        wakes=None if ending else wakes,
    )


def _run_one_by_one() -> int:
    """Move due journeys singly, so that the one that fails is found and set aside with its error."""
    due = turns.take(present.now(), BATCH)
    for journey_id in due:
        try:
            run_batch(1, journey_id)
        except OperationalError:
            raise
        except Exception as error:
            logger.exception("journey %s is stuck", journey_id)
            Journey.objects.filter(pk=journey_id).update(
                state=Journey.State.STUCK, error=f"{type(error).__name__}: {error}"
            )
    return len(due)
