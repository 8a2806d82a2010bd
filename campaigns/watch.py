"""Notice what stands still or runs wild: findings, one row each for as long as it lasts.

The beat looks twice a minute, by indexes and rolled-up figures only. A finding that comes back within ``CALM`` goes on,
so that what flickers is one finding. ``campaigns.alerts`` tells operators of them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, Q

from campaigns.engine import usual
from campaigns.models import Campaign, Finding, Journey, Parked, Safeguards
from events.models import Pending
from messaging import dns_rules, domains
from messaging.dns_rules import State
from messaging.models import Hold, SendingDomain

LATE = timedelta(minutes=1)
CALM = timedelta(minutes=5)
COUNTED = 999
WATCHER = 7_302_915_846_001

Kind = Finding.Kind
# What the beat looks at; whether it lives itself is asked by the web server.
LOOKED_AT = [kind for kind in Kind if kind != Kind.NO_WORKER]


@dataclass(frozen=True, slots=True)
class Seen:
    """Something that is the matter now, with the campaign it is about, if any."""

    kind: str
    says: str
    campaign_id: int | None = None
    subject: str = ""


@transaction.atomic
def look(now: datetime) -> None:
    """Bring the findings up to date, unless another worker is about it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [WATCHER])
        if not cursor.fetchone()[0]:
            return
    _note(
        [*_overdue(now), *_parked(), *_stuck(), *_halted(), *_held(), *_of_domains(now), *_unusual(now)], LOOKED_AT, now
    )


@transaction.atomic
def note_worker(is_alive: bool, now: datetime) -> None:
    """Note whether worker and beat give a sign of life. One statement while all is well."""
    if is_alive:
        Finding.objects.filter(kind=Kind.NO_WORKER, until=None).update(until=now)
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [WATCHER])
    _note([Seen(Kind.NO_WORKER, "No sign of life from worker and beat: nothing is sent.")], [Kind.NO_WORKER], now)


def _note(seen: Sequence[Seen], kinds: Collection[str], now: datetime) -> None:
    """Open, keep and end findings of these kinds. The caller holds the watcher's lock."""
    recent = Finding.objects.filter(Q(until=None) | Q(until__gt=now - CALM), kind__in=kinds)
    known = {(found.kind, found.campaign_id, found.subject): found for found in recent.order_by("pk")}
    for one in seen:
        found = known.pop((one.kind, one.campaign_id, one.subject), None)
        if found is None:
            Finding.objects.create(
                kind=one.kind, campaign_id=one.campaign_id, subject=one.subject, says=one.says, since=now
            )
        elif (found.says, found.until) != (one.says, None):
            found.says, found.until = one.says, None
            found.save(update_fields=["says", "until"])
    Finding.objects.filter(pk__in=[found.pk for found in known.values() if found.until is None]).update(until=now)


def _overdue(now: datetime) -> list[Seen]:
    late = Journey.objects.filter(state=Journey.State.WAITING, due_at__lt=now - LATE).order_by("due_at", "id")
    first = late.values_list("due_at", flat=True).first()
    if first is None:
        return []
    count = len(late.values_list("pk")[: COUNTED + 1])
    return [Seen(Kind.OVERDUE, f"{_many(count)} that should have moved on, the first at {first:%Y-%m-%d %H:%M} UTC.")]


def _parked() -> list[Seen]:
    whole = Pending.objects.exclude(parked_at=None).values("pk")[: COUNTED + 1].count()
    seen = [Seen(Kind.PARKED, f"{_many(whole, 'event')} parked: looking at them failed.")] if whole else []
    by_campaign = Parked.objects.values_list("campaign", "campaign__name").annotate(n=Count("pk")).order_by("campaign")
    return seen + [
        Seen(Kind.PARKED_BY_CAMPAIGN, f"{_many(n, 'event')} parked by “{name}”: its condition failed.", campaign_id)
        for campaign_id, name, n in by_campaign
    ]


def _stuck() -> list[Seen]:
    """Go campaign by campaign, along the index that leads with it."""
    names = dict(Campaign.objects.exclude(status=Campaign.Status.DRAFT).values_list("pk", "name"))
    stuck = Journey.objects.filter(campaign__in=names, state=Journey.State.STUCK).order_by()
    found = Counter(stuck.values_list("campaign", flat=True)[: COUNTED + 1])
    return [
        Seen(Kind.STUCK, f"{_many(n)} stuck in “{names[campaign_id]}”: moving on failed.", campaign_id)
        for campaign_id, n in sorted(found.items())
    ]


def _halted() -> list[Seen]:
    halted = Campaign.objects.filter(status=Campaign.Status.PAUSED).exclude(paused_because="").order_by("pk")
    return [
        Seen(Kind.HALTED, f"“{campaign}” was stopped by itself: {campaign.paused_because}.", campaign.pk)
        for campaign in halted
    ]


def _held() -> list[Seen]:
    return [
        Seen(Kind.HELD, f"Marketing is held: {hold}. {hold.because}.", subject=f"{hold.kind} {hold.name}")
        for hold in Hold.open()
    ]


def _of_domains(now: datetime) -> list[Seen]:
    """Return what is wrong with sending domains, as it was when they were last looked at."""
    seen = []
    for domain in SendingDomain.objects.exclude(checked_at=None):
        found = {one.check: one for one in domains.findings(domain)}
        if domain.fails:
            failing = [one for one in found.values() if one.state == State.FAIL and one.check in dns_rules.NEEDED]
            words = "; ".join(f"{one.check.upper()}: {one.fix}" for one in failing)
            says = f"{domain} fails its checks, so marketing from it waits. {words}"
            seen.append(Seen(Kind.DOMAIN_FAILS, says, subject=domain.name))
        listed = found.get(dns_rules.BLOCKLISTS)
        if listed and listed.state == State.FAIL:
            says = f"{', '.join(listed.found.splitlines())}."
            seen.append(Seen(Kind.DOMAIN_LISTED, says, subject=domain.name))
        ages = [(now.date() - date.fromisoformat(day)).days for day in domain.keys.values()]
        if ages and min(ages) > dns_rules.OLD_AFTER_DAYS:
            says = f"The DKIM key of {domain} has been the same for {min(ages)} days at least."
            seen.append(Seen(Kind.KEY_OLD, says, subject=domain.name))
    return seen


# Of each day, how many entered up to the last full hour of the clock as it is now, and up to the end of this hour. The
# campaigns that have been live for nine tenths of today at least: a pause explains silence.
ENTRIES = """
SELECT c.id, c.name, days.back, coalesce(sum(r.count) FILTER (WHERE r.at < days.full), 0),
       coalesce(sum(r.count), 0)
FROM campaigns_campaign c
CROSS JOIN LATERAL (
    SELECT back, %(midnight)s - back * interval '1 day' AS midnight,
           %(hour)s - back * interval '1 day' AS full FROM generate_series(0, %(days)s) AS back) days
LEFT JOIN campaigns_recentcount r ON r.campaign_id = c.id AND r.metric = 'entered'
     AND r.at >= days.midnight AND r.at <= days.full
WHERE c.status = 'live' AND extract(epoch FROM %(now)s - %(midnight)s) * 0.9 <= (
    SELECT sum(extract(epoch FROM least(coalesce(p.ended_at, %(now)s), %(now)s) - greatest(p.started_at, %(midnight)s)))
    FROM campaigns_liveperiod p
    WHERE p.campaign_id = c.id AND p.started_at < %(now)s AND coalesce(p.ended_at, %(now)s) > %(midnight)s)
GROUP BY c.id, c.name, days.back ORDER BY c.id, days.back
"""


def _unusual(now: datetime) -> list[Seen]:
    """Return the campaigns that nobody enters today, or far more people than usual.

    One that was silent stays so until somebody enters: at night there is no telling.
    """
    least = (Safeguards.objects.first() or Safeguards()).silent_least
    was_silent = set(Finding.objects.filter(kind=Kind.SILENT, until=None).values_list("campaign", flat=True))
    seen = []
    for (campaign_id, name), (full, whole) in _entries(now).items():
        today = whole[0]
        if usual.is_silent(today, full[1:], least) or (campaign_id in was_silent and today == 0):
            says = f"Nobody has entered “{name}” today; on the days before about {sorted(full[1:])[3]:,} had by now."
            seen.append(Seen(Kind.SILENT, says, campaign_id))
        elif usual.is_hot(today, whole[1:]):
            says = f"{today:,} have entered “{name}” today; on the busiest of the days before {max(whole[1:]):,} had."
            seen.append(Seen(Kind.HOT, says, campaign_id))
    return seen


def _entries(now: datetime) -> dict[tuple[int, str], tuple[list[int], list[int]]]:
    """Return by campaign the counts of today and the days before, up to the last full hour and with this one."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    asked: dict[str, Any] = {"now": now, "hour": hour, "midnight": hour.replace(hour=0), "days": usual.DAYS}
    found: dict[tuple[int, str], tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    with connection.cursor() as cursor:
        cursor.execute(ENTRIES, asked)
        for campaign_id, name, _, full, whole in cursor.fetchall():
            found[campaign_id, name][0].append(int(full))
            found[campaign_id, name][1].append(int(whole))
    return found


def _many(count: int, noun: str = "journey") -> str:
    number = f"more than {COUNTED}" if count > COUNTED else str(count)
    return f"{number} {noun}{'' if count == 1 else 's'}"
