"""Campaigns that a date of each person's starts: when to look at whom, and asking them in.

A row of ``DateTurn`` says when a person's date comes next, so a look costs as much as are due, however many people
there are. A row that is wrong does no harm: whoever is due is reckoned anew. Rows are reckoned for everybody, a portion
at a time, when a version goes live; and for one person when the trait changes, when they turn out to live in another
zone, and when two people become one. ``started`` keeps which dates a person was asked for, whatever is published,
moved there and back, or merged.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection

from campaigns import intakes, requests, workflows
from campaigns.engine.anniversaries import Anniversary
from campaigns.engine.starts import TRAIT_CHANGED, OnDate
from campaigns.models import Campaign, Timetable
from campaigns.requests import Reason
from events import ingest, present
from events.log import ClaimedEvent
from events.people import hold

PORTION = 500
# A start that is later than this is not made up for, which is recorded.
CATCH_UP = timedelta(hours=24)
# So many dates of a person are remembered as started.
KEPT = 50


@dataclass(frozen=True, slots=True)
class Rule:
    """What starts a live campaign, and since when that holds."""

    campaign: Campaign
    start: OnDate
    zone: str
    since: datetime

    @property
    def anniversary(self) -> Anniversary:
        return self.start.anniversary

    def name(self, occurrence: date) -> str:
        """Return what the start at an occurrence is remembered as: other traits have other ones."""
        return f"{'.'.join(self.start.path)}:{occurrence.isoformat()}"


@dataclass(frozen=True, slots=True)
class Turn:
    """A person as they are reckoned: what the trait says, and by when and what to ask them for, if anything."""

    profile_id: int
    zone: str
    started: Sequence[str]
    look_at: datetime | None = None
    due: date | None = None
    is_missed: bool = False


def turn_due(deadline: float, now: datetime | None = None) -> int:
    """Ask in whoever's date has come, until nobody's has or ``time.monotonic()`` passes ``deadline``.

    Returns how many people were looked at.
    """
    return _work(_turn, deadline, now)


def build(deadline: float, now: datetime | None = None) -> int:
    """Reckon for everybody where a version has gone live, as far as ``deadline`` allows. Returns for how many."""
    return _work(_build, deadline, now)


def _work(portion: Callable[[datetime], int | None], deadline: float, now: datetime | None) -> int:
    done = 0
    while time.monotonic() < deadline and not intakes.is_crowded():
        number = ingest.in_one_go(lambda: portion(now or present.now()))
        if number is None:
            break
        done += number
    return done


# People whom others hold are left for the next sweep.
DUE = """
SELECT t.campaign_id, array_agg(t.profile_id ORDER BY t.profile_id) FROM (
    SELECT due.campaign_id, due.profile_id FROM unnest(%(campaigns)s::bigint[]) AS live(id)
    CROSS JOIN LATERAL (
        SELECT campaign_id, profile_id, look_at FROM campaigns_dateturn
        WHERE campaign_id = live.id AND look_at <= %(now)s ORDER BY look_at LIMIT %(limit)s) due
    ORDER BY due.look_at LIMIT %(limit)s) t
GROUP BY t.campaign_id ORDER BY t.campaign_id
"""


def _turn(now: datetime) -> int | None:
    """Look at those who are due first; None where nobody is. Two statements, six more a campaign that has any."""
    rules = _live_rules()
    with connection.cursor() as cursor:
        cursor.execute(DUE, {"campaigns": list(rules), "now": now, "limit": PORTION})
        due = cursor.fetchall() if rules else []
    looked = sum(_reckon(rules[campaign_id], people, now) for campaign_id, people in due)
    return looked or None


# Also those who have a row and had the trait before.
NEXT = """
SELECT p.id, p.traits #> %(path)s IS NOT NULL OR EXISTS (
    SELECT FROM campaigns_dateturn t WHERE t.campaign_id = %(campaign)s AND t.profile_id = p.id)
FROM events_profile p WHERE p.id > %(position)s ORDER BY p.id LIMIT %(limit)s
"""


def _build(now: datetime) -> int | None:
    """Reckon the next people of a campaign that has gone live. None where none has."""
    rules = _live_rules()
    table = (
        Timetable.objects.select_for_update(skip_locked=True)
        .filter(campaign__in=list(rules), built_to__isnull=False)
        .first()
    )
    if table is None:
        return None
    rule = rules[table.campaign_id]
    with connection.cursor() as cursor:
        wanted: dict[str, Any] = {
            "path": list(rule.start.path),
            "campaign": table.campaign_id,
            "position": table.built_to,
        }
        cursor.execute(NEXT, {**wanted, "limit": PORTION})
        found = cursor.fetchall()
    _reckon(rule, [pk for pk, has_date in found if has_date], now, waiting=True)
    table.built_to = found[-1][0] if len(found) == PORTION else None
    table.save(update_fields=["built_to"])
    return len(found)


def _live_rules() -> dict[int, Rule]:
    """Return what dates start, by campaign; those stay live until the transaction ends. Two statements at most."""
    live = (
        Campaign.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
        .filter(status=Campaign.Status.LIVE, timetable__rule__kind="date")
        .order_by("pk")
    )
    campaigns = {campaign.live_version_id or 0: campaign for campaign in live.select_related("timetable")}
    parsed = workflows.of_versions(campaigns.keys())
    return {
        campaign.pk: Rule(campaign, start, parsed[version_id].time_zone, campaign.timetable.since)
        for version_id, campaign in campaigns.items()
        if isinstance(start := parsed[version_id].trigger.start, OnDate)
    }


# A day, or a day and time without an offset, means something else in another zone: then it is the day that it says.
READ = """
SELECT p.id, p.time_zone, coalesce(t.started, '{}'), t.look_at, found.at,
       found.at <> events_instant(found.value, 'Etc/GMT+1')
FROM events_profile p
LEFT JOIN campaigns_dateturn t ON t.campaign_id = %(campaign)s AND t.profile_id = p.id
CROSS JOIN LATERAL (SELECT p.traits #> %(path)s AS value, events_instant(p.traits #> %(path)s, 'UTC') AS at) found
WHERE p.id = ANY(%(people)s) ORDER BY p.id
"""
WRITE = """
INSERT INTO campaigns_dateturn (campaign_id, profile_id, look_at, zone, started)
SELECT %(campaign)s, r.profile_id, r.look_at, r.zone, r.started
FROM jsonb_to_recordset(%(rows)s) AS r(profile_id bigint, look_at timestamptz, zone text, started text[])
ORDER BY r.profile_id
ON CONFLICT (campaign_id, profile_id) DO UPDATE SET
    look_at = excluded.look_at, zone = excluded.zone, started = excluded.started
"""


def _reckon(rule: Rule, people: Sequence[int], now: datetime, *, waiting: bool = False) -> int:
    """Ask in whose date has come, and note when to look at each next. Returns how many there were.

    Five statements at most. Without ``waiting``, people whom others hold are left out.
    """
    # Before they are read, so that what a merge has joined meanwhile is seen.
    held = hold(people, waiting=waiting)
    asked: dict[str, Any] = {"campaign": rule.campaign.pk, "path": list(rule.start.path), "people": held}
    with connection.cursor() as cursor:
        cursor.execute(READ, asked)
        turns = [_judge(rule, row, now) for row in cursor.fetchall()]
        due = [turn for turn in turns if turn.due]
        if due:
            requests.ask(rule.campaign, [_request(rule, turn) for turn in due], Reason.DATE, "the date")
        if turns:
            rows = [
                {
                    "profile_id": turn.profile_id,
                    "look_at": turn.look_at and turn.look_at.isoformat(),
                    "zone": turn.zone,
                    "started": turn.started,
                }
                for turn in turns
            ]
            cursor.execute(WRITE, {"campaign": rule.campaign.pk, "rows": json.dumps(rows)})
    return len(turns)


def _request(rule: Rule, turn: Turn) -> requests.Request:
    assert turn.due
    name = rule.name(turn.due)
    told: dict[str, Any] = {"occurrence": turn.due.isoformat(), "trait": ".".join(rule.start.path)}
    if turn.is_missed:
        told["missed"] = True
    return requests.Request(turn.profile_id, told, f"date:{name}:{turn.profile_id}")


def _judge(rule: Rule, row: tuple[int, str, list[str], datetime | None, datetime | None, bool], now: datetime) -> Turn:
    """Return what is to be done about a person whose trait was read."""
    profile_id, own_zone, started, looked_for, at, is_floating = row
    if at is None:
        return Turn(profile_id, own_zone, started)
    zone = workflows.zone_for(own_zone, rule.zone)
    known = (at.astimezone(UTC) if is_floating else at.astimezone(zone)).date()
    # A look that is overdue by more than that is for a date which was missed.
    earliest = min(looked_for or now, now - CATCH_UP)
    found = rule.anniversary.next(known, max(rule.since, earliest), zone)
    due, is_missed = None, False
    if found and found[1] <= now:
        due = found[0] if rule.name(found[0]) not in started else None
        is_missed = found[1] < now - CATCH_UP
        found = rule.anniversary.next(known, max(now, found[1]) + timedelta(microseconds=1), zone)
        started = [*started, rule.name(due)][-KEPT:] if due else started
    return Turn(profile_id, own_zone, started, found[1] if found else None, due, is_missed)


# Whose trait has changed: they are looked at with the next sweep, as is who lives in another zone by now (``waking``).
HEED = """
INSERT INTO campaigns_dateturn (campaign_id, profile_id, look_at)
SELECT DISTINCT c.campaign_id, r.profile_id, %(now)s::timestamptz
FROM jsonb_to_recordset(%(changed)s) AS r(profile_id bigint, trait text)
JOIN campaigns_timetable c ON c.rule ->> 'kind' = 'date' AND c.rule ->> 'trait' = r.trait
ORDER BY 1, 2
ON CONFLICT (campaign_id, profile_id) DO UPDATE SET look_at = excluded.look_at
"""


def heed(events: Sequence[ClaimedEvent], now: datetime) -> None:
    """Have people looked at whose date may have changed. One statement where a trait has; they are held."""
    changed = [
        {"profile_id": event.profile_id, "trait": event.properties.get("trait")}
        for event in events
        if event.is_own and event.name == TRAIT_CHANGED
    ]
    if changed:
        with connection.cursor() as cursor:
            cursor.execute(HEED, {"now": now, "changed": json.dumps(changed)})


# Whoever stays is reckoned anew, and was asked for what either of them was.
JOIN = """
WITH gone AS (
    DELETE FROM campaigns_dateturn t USING unnest(%(losers)s::bigint[], %(winners)s::bigint[]) AS pair(loser, winner)
    WHERE t.profile_id = pair.loser RETURNING t.campaign_id, pair.winner, t.started
)
INSERT INTO campaigns_dateturn AS t (campaign_id, profile_id, look_at, started)
SELECT gone.campaign_id, gone.winner, now(), coalesce(array_agg(DISTINCT each) FILTER (WHERE each IS NOT NULL), '{}')
FROM gone LEFT JOIN LATERAL unnest(gone.started) AS each ON true
GROUP BY gone.campaign_id, gone.winner ORDER BY 1, 2
ON CONFLICT (campaign_id, profile_id) DO UPDATE SET
    look_at = excluded.look_at, started = ARRAY(SELECT DISTINCT unnest(t.started || excluded.started))
"""


def join(losers: Sequence[int], winners: Sequence[int]) -> None:
    """Let what merged people were asked for be the winners'. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(JOIN, {"losers": list(losers), "winners": list(winners)})
