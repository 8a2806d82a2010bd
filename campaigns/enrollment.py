"""See what new events mean to the campaigns: who enters, who has reached a goal, what became of messages.

Pending events are claimed and deleted in the transaction that acts on them, so each is evaluated exactly once. The
number of statements depends on how many campaigns listen for the names in a batch, never on the number of events.
A condition that fails parks its events before its own campaign (``campaigns.parking``); an event that fails whomever it
meets is parked whole. The others go on. What fails only for missing traits is looked at again for a while
(``campaigns.grace``), and what failed before an event that comes late, when that comes (``campaigns.late``). A campaign
may wait for quiet before it lets anybody in (``campaigns.quiet``), hold people out as a control group, and let a part
of all in (``campaigns.admission``).
"""

from __future__ import annotations

import json
import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import OperationalError, connection, transaction

from campaigns import (
    admission,
    dates,
    exits,
    goals,
    grace,
    late,
    ledger,
    listening,
    metrics,
    news,
    parking,
    quiet,
    waking,
    workflows,
)
from campaigns.halving import is_outage, said
from campaigns.models import CampaignVersion, Journey, Metric
from campaigns.news import News
from campaigns.reasons import Entry
from campaigns.triggers import Candidate, Judgement, judge, judge_again
from events import counts, log, nudges, present, watching
from events.computed import following as computed
from events.giving_way import lost_a_deadlock
from events.log import ClaimedEvent
from events.models import Event, Pending
from events.segments import changes, membership
from messaging.models import Priority

logger = logging.getLogger(__name__)
BATCH = 500
# Campaigns that start on what campaigns and segments do, or make happen, may go in circles: this keeps them slow.
OWN_NEWS = news.NAMES | {changes.ENTERED, changes.LEFT, watching.CHANGED}
BREATH = timedelta(minutes=1)


def enroll_pending(deadline: float, *, to_the_last: bool = True) -> int:
    """Evaluate pending events until none is left or ``time.monotonic()`` passes ``deadline``. Returns how many.

    Without ``to_the_last`` only as long as batches are full: what has come in since has sent a nudge of its own.
    People who are merged while their events are claimed are locked late, which may end in a deadlock: then it starts
    anew.
    """
    done = 0
    while time.monotonic() < deadline:
        try:
            batch = enroll_batch(BATCH)
        except Exception as error:
            if isinstance(error, OperationalError) and lost_a_deadlock(error):
                continue
            if is_outage(error):
                raise
            logger.exception("a batch of events failed; asking its campaigns apart")
            batch = _enroll_apart()
        done += batch
        if batch < (1 if to_the_last else BATCH):
            break
    return done


@transaction.atomic
def enroll_batch(limit: int, only: int | None = None, *, careful: bool = False) -> int:
    """Claim up to ``limit`` pending events (or the one with the id ``only``) and act on them. Returns how many.

    ``careful``: a campaign whose condition fails parks its events, and spoils nothing for others.
    """
    claimed = log.claim_pending(limit, only)
    if claimed:
        now = present.now()
        events, changed = _follow(claimed, now)
        counts.record(events)
        judgement = judge(listening.hearings(events), now, careful=careful)
        again = judge_again([*grace.heard_of(events), *late.overtaken(events)], now, careful=careful)
        _note_unmatched(events, judgement)
        _act([*judgement.candidates, *(c for c in again if not c.is_refused_again)])
        _convert(events)
        exits.heed(events, now, changed)
        metrics.record_messages(events)
        waking.wake(events, now, changed)
        dates.heed(events, now)
    return len(claimed)


def _follow(claimed: Sequence[ClaimedEvent], now: datetime) -> tuple[list[ClaimedEvent], set[int]]:
    """Bring computed traits and segments up to date; return all there is to act on, and whose traits have changed.

    That is what was claimed and what is new of segments by it. What that changes in turn has to be claimed: segments
    that ask for each other may go in circles.
    """
    changed = computed.follow(claimed, now)
    news = membership.follow(claimed, now, changed, claim=True)
    people = set().union(*changed.values())
    if news:
        changed = computed.follow(news, now)
        membership.follow(news, now, changed)
        people = people.union(*changed.values())
    return [*claimed, *news], people


def enroll_waiting(deadline: float) -> int:
    """Look again at events that wait for traits, where it is time to, until ``time.monotonic()`` passes ``deadline``.

    So are parked events that somebody wants to be tried again, and starts that were put off until it is quiet. Returns
    how many were looked at.
    """
    done = 0
    while time.monotonic() < deadline:
        with transaction.atomic():
            now = present.now()
            candidates = grace.due(now, BATCH) or parking.due(BATCH) or quiet.due(now, BATCH)
            _look_again(candidates, now)
        if not candidates:
            break
        done += len(candidates)
    return done


def _look_again(candidates: Sequence[Candidate], now: datetime) -> None:
    """Act on what has waited; where that fails, on each alone, and park the one that fails."""
    if not candidates:
        return
    try:
        with transaction.atomic():
            _act(judge_again(candidates, now, careful=True))
    except Exception as error:
        if is_outage(error):
            raise
        if len(candidates) == 1:
            logger.exception("event %s is parked by campaign %s", candidates[0].event.id, candidates[0].campaign_id)
            _act([replace(candidates[0], entry=Entry.PARKED, error=said(error))])
            return
        for candidate in candidates:
            _look_again([candidate], now)


def _act(candidates: Sequence[Candidate]) -> None:
    if candidates:
        settled = _enter(_check_reentry(admission.apply(quiet.put_off(candidates))))
        grace.settle(settled)
        parking.settle(settled)
        quiet.settle(settled)


def _check_reentry(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Turn away who entered too short a time ago: one statement when any campaign has such a rule."""
    periodic = [c for c in candidates if c.entry is Entry.ENTERED and gap_of(c)]
    if not periodic:
        return list(candidates)
    last = _last_entries(periodic)
    checked = []
    for candidate in sorted(candidates, key=lambda c: (c.event.happened_at, c.event.id)):
        key = _who(candidate)
        gap = gap_of(candidate)
        if candidate.entry is Entry.ENTERED and gap:
            earliest = candidate.event.happened_at - gap
            if key in last and last[key] > earliest:
                candidate = replace(candidate, entry=Entry.TOO_SOON)
            else:
                last[key] = candidate.event.happened_at
        checked.append(candidate)
    return checked


def gap_of(candidate: Candidate) -> timedelta | None:
    """Return how long after an entry the next may come, where that is not at once."""
    reentry, event = candidate.workflow.reentry, candidate.event
    if reentry.rule == "period":
        return timedelta(hours=reentry.hours)
    return BREATH if reentry.rule == "always" and (event.is_made or event.name in OWN_NEWS) else None


def _who(candidate: Candidate) -> tuple[int, int, str]:
    """Return whose entries into what are kept apart: campaign, profile, and what distinguishes them."""
    return candidate.campaign_id, candidate.event.profile_id, candidate.sameness


# Of a campaign that goes by a property only entries with the same value count, also where neither event has it.
LAST_ENTRIES = """
SELECT r.campaign_id, r.profile_id, r.same, last.trigger_at
FROM jsonb_to_recordset(%s) AS r(campaign_id bigint, profile_id bigint, same text, by text)
CROSS JOIN LATERAL (
    SELECT max(j.trigger_at) AS trigger_at FROM campaigns_journey j
    WHERE j.campaign_id = r.campaign_id AND j.profile_id = r.profile_id
      AND (r.by = '' OR coalesce(j.trigger -> r.by, 'null') = r.same::jsonb)) last
WHERE last.trigger_at IS NOT NULL
"""


def _last_entries(periodic: Sequence[Candidate]) -> dict[tuple[int, int, str], datetime]:
    """Return when each last entered. The claim holds the people, so nobody enters meanwhile. One statement."""
    asked = {_who(c): c.workflow.reentry.by for c in periodic}
    rows = [dict(zip(("campaign_id", "profile_id", "same"), who, strict=True), by=by) for who, by in asked.items()]
    with connection.cursor() as cursor:
        cursor.execute(LAST_ENTRIES, [json.dumps(rows)])
        return {(campaign_id, profile_id, same): at for campaign_id, profile_id, same, at in cursor.fetchall()}


# Two unique constraints decide who enters: one journey an entry key, one a lane at a time. Sorted, so that two workers
# that let in the same people take the index entries in one order and never wait for each other in a circle. Who is held
# out is through at once, which the second constraint does not see; nor does it see that a journey that is to be alone
# stays so, and begins only alone, when the rule has changed meanwhile. People are held, so a look is enough for both.
# Of each person the first entry is measured, so that who comes often counts no more than others.
INSERT_JOURNEYS = """
INSERT INTO campaigns_journey (campaign_id, version_id, profile_id, entry_key, lane, state, due_at, ended_at, ending,
                               trigger, trigger_name, trigger_event_id, trigger_at, entered_at, is_test, measured,
                               priority)
SELECT r.campaign_id, r.version_id, r.profile_id, r.entry_key, r.lane,
       CASE WHEN r.held THEN 'ended' ELSE 'waiting' END, CASE WHEN NOT r.held THEN %(now)s END,
       CASE WHEN r.held THEN %(now)s END,
       CASE WHEN r.held THEN 'held_out' ELSE '' END, r.trigger, r.trigger_name, r.trigger_event_id, r.trigger_at,
       %(now)s, r.is_test, r.measured AND row_number() OVER (
           PARTITION BY r.campaign_id, r.profile_id ORDER BY r.trigger_at, r.trigger_event_id) = 1
           AND NOT EXISTS (SELECT FROM campaigns_journey before
                           WHERE before.campaign_id = r.campaign_id AND before.profile_id = r.profile_id),
       r.priority
FROM jsonb_to_recordset(%(rows)s)
    AS r(campaign_id bigint, version_id bigint, profile_id bigint, entry_key text, lane text, trigger jsonb,
         trigger_name text, trigger_event_id bigint, trigger_at timestamptz, is_test boolean, held boolean,
         measured boolean, priority smallint)
WHERE NOT EXISTS (
    SELECT FROM campaigns_journey j
    WHERE j.campaign_id = r.campaign_id AND j.profile_id = r.profile_id AND j.state <> 'ended'
      AND ((j.lane = '') <> (r.lane = '') OR r.held AND j.lane = r.lane))
ORDER BY r.campaign_id, r.profile_id, r.trigger_at, r.trigger_event_id
ON CONFLICT DO NOTHING
RETURNING id, version_id, trigger_event_id, measured
"""


def _enter(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Start journeys and note a decision for every candidate; return what came of each."""
    wanted = [candidate for candidate in candidates if candidate.entry is Entry.ENTERED]
    started = _insert_journeys(wanted) if wanted else {}
    settled = [_started(c, started) if c.entry is Entry.ENTERED else c for c in candidates]
    settled = _explain_refusals(settled)
    _note_decisions(settled)
    _count_entries([c for c in settled if c.journey_id and not c.event.is_test])
    entered = [c for c in settled if c.journey_id and c.entry is Entry.ENTERED]
    news.tell([News(news.STARTED, c.journey_id or 0, c.campaign_id, c.event.profile_id) for c in entered])
    if entered:
        nudges.nudge("journeys")
    return settled


def _started(candidate: Candidate, started: Mapping[tuple[int, int], tuple[int, bool]]) -> Candidate:
    """Return a candidate with the journey that it was given, if it was; who is held out has not entered."""
    journey_id, measured = started.get((candidate.version_id, candidate.event.id), (None, False))
    entry = candidate.held if candidate.held and journey_id else candidate.entry
    return replace(candidate, journey_id=journey_id, measured=measured, entry=entry)


def _count_entries(entered: Sequence[Candidate]) -> None:
    """Count who entered, and apart from that the people on both sides of a comparison with a control group."""
    now = present.now()
    counted = [
        (c, metric)
        for c in entered
        for metric in (
            None if c.held else Metric.ENTERED,
            (Metric.HELD_OUT if c.held else Metric.TREATED) if c.measured else None,
        )
    ]
    this_hour = metrics.hour(now)
    ledger.count(
        ledger.Count(
            c.campaign_id, c.version_id, "", now.date(), metric, this_hour if metric is Metric.ENTERED else None
        )
        for c, metric in counted
        if metric
    )


def _insert_journeys(wanted: Iterable[Candidate]) -> dict[tuple[int, int], tuple[int, bool]]:
    """Insert the journeys that the constraints allow; return by (version, event) their ids and whether measured."""
    now = present.now()
    rows = [
        {
            "campaign_id": c.campaign_id,
            "version_id": c.version_id,
            "profile_id": c.event.profile_id,
            "entry_key": c.entry_key,
            "lane": c.lane,
            "priority": Priority[c.workflow.priority.upper()],
            "trigger": c.event.properties,
            "trigger_name": c.event.name,
            "trigger_event_id": c.event.id,
            "trigger_at": c.event.happened_at.isoformat(),
            "is_test": c.event.is_test,
            "held": c.held is not None,
            "measured": c.measured,
        }
        for c in wanted
    ]
    with connection.cursor() as cursor:
        cursor.execute(INSERT_JOURNEYS, {"now": now, "rows": json.dumps(rows)})
        return {
            (version_id, event_id): (journey_id, measured)
            for journey_id, version_id, event_id, measured in cursor.fetchall()
        }


def _explain_refusals(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Say why a wanted journey was not started: one statement when there is any."""
    refused = [c for c in candidates if c.entry is Entry.ENTERED and c.journey_id is None]
    if not refused:
        return list(candidates)
    active: dict[tuple[int, int], set[str]] = defaultdict(set)
    under_way = (
        Journey.objects.filter(
            campaign_id__in={c.campaign_id for c in refused},
            profile_id__in={c.event.profile_id for c in refused},
        )
        .exclude(state=Journey.State.ENDED)
        .values_list("campaign_id", "profile_id", "lane")
    )
    for campaign_id, profile_id, lane in under_way:
        active[campaign_id, profile_id].add(lane)
    return [
        c
        if c.entry is not Entry.ENTERED or c.journey_id
        else replace(c, entry=_refusal(c, active[c.campaign_id, c.event.profile_id]))
        for c in candidates
    ]


def _refusal(candidate: Candidate, lanes: set[str]) -> Entry:
    """Say why it did not enter, beside journeys that are under way in ``lanes``."""
    in_the_way = lanes & {candidate.lane, ""} if candidate.lane else lanes
    return Entry.ALREADY_IN if in_the_way else Entry.NOT_AGAIN


# A decision is final, but for one that was to wait, could not be made, or was made before an event that came late.
NOTE_DECISIONS = """
INSERT INTO campaigns_decision (campaign_id, version_id, profile_id, event_id, entry, journey_id)
SELECT r.campaign_id, r.version_id, r.profile_id, r.event_id, r.entry, r.journey_id
FROM jsonb_to_recordset(%s)
    AS r(campaign_id bigint, version_id bigint, profile_id bigint, event_id bigint, entry text, journey_id bigint)
ON CONFLICT (event_id, version_id) DO UPDATE SET entry = excluded.entry, journey_id = excluded.journey_id
WHERE campaigns_decision.entry IN ('waiting', 'parked', 'quiet', 'filtered')
"""


def _note_decisions(candidates: Iterable[Candidate]) -> None:
    rows = [
        {
            "campaign_id": c.campaign_id,
            "version_id": c.version_id,
            "profile_id": c.event.profile_id,
            "event_id": c.event.id,
            "entry": c.entry,
            "journey_id": c.journey_id,
        }
        for c in candidates
    ]
    with connection.cursor() as cursor:
        cursor.execute(NOTE_DECISIONS, [json.dumps(rows)])


def _convert(events: Sequence[ClaimedEvent]) -> None:
    """Note who has reached the goal of a journey: one statement to find the versions, one for each to find people."""
    names = {event.name for event in events if event.type == Event.Type.TRACK}
    version_ids = CampaignVersion.objects.filter(definition__goal__event__in=names).values_list("pk", flat=True)
    listening = goals.listening(names, workflows.of_versions(set(version_ids)))
    if listening:
        people = Journey.objects.filter(profile_id__in={event.profile_id for event in events if event.name in names})
        goals.convert(goals.find(people, listening), present.now())


# Most events meet the conditions of few campaigns: the versions that turned one away travel as one list.
NOTE_UNMATCHED = """
INSERT INTO campaigns_decision (campaign_id, version_id, profile_id, event_id, entry)
SELECT v.campaign_id, v.id, r.profile_id, r.event_id, 'filtered'
FROM jsonb_to_recordset(%s) AS r(event_id bigint, profile_id bigint, versions jsonb)
CROSS JOIN LATERAL jsonb_array_elements_text(r.versions) AS version_id
JOIN campaigns_campaignversion v ON v.id = version_id::bigint
ORDER BY r.event_id, v.id
"""


def _note_unmatched(events: Sequence[ClaimedEvent], judgement: Judgement) -> None:
    """Note the decisions about events that did not meet conditions. One statement at most."""
    rows = [
        {"event_id": event.id, "profile_id": event.profile_id, "versions": judgement.unmatched[event.id]}
        for event in events
        if event.id in judgement.unmatched
    ]
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(NOTE_UNMATCHED, [json.dumps(rows)])


def _enroll_apart() -> int:
    """Evaluate a batch so that a condition that fails parks its own events; if that fails too, event by event."""
    try:
        return enroll_batch(BATCH, careful=True)
    except Exception as error:
        if is_outage(error):
            raise
        logger.exception("a batch of events failed again; trying them one by one")
        return _enroll_one_by_one()


def _enroll_one_by_one() -> int:
    """Evaluate pending events singly, so that the one that fails is found and parked."""
    waiting = list(Pending.objects.filter(parked_at=None).order_by("event_id").values_list("pk", flat=True)[:BATCH])
    for event_id in waiting:
        try:
            enroll_batch(1, only=event_id, careful=True)
        except Exception as error:
            if is_outage(error):
                raise
            logger.exception("event %s is parked", event_id)
            log.park(event_id, f"{type(error).__name__}: {error}")
    return len(waiting)
