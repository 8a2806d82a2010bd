"""How fast a provider is used, and when it is left alone: its pace, limits of recipient domains, warm-up, and rests.

What is used up stands in a few rows (``Pace``), which workers hold for an instant: a limit is one for all of them. A
message that has to wait gets a place in the line, so that it is not looked at again before its turn has come.

* ``pace:<provider>`` and ``pace:<provider>:<domain>``: so many in a span of time, with a little ahead of it at once.
* ``day:<provider>:<date>``: how many a warming sender has sent that day.
* ``rest:<provider>`` (of webhooks with the host): it has failed ``used`` times in a row, and is left alone until
  ``next_at``.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.db import transaction

from messaging.carriers import allowed_today
from messaging.composing import Outcome, Prepared, PutOff
from messaging.models import Pace, Priority
from messaging.reasons import Reason
from messaging.states import Status

# How far ahead of its pace a provider may be used, and how far what is urgent may go beyond that.
AHEAD = timedelta(seconds=1)
URGENT_AHEAD = timedelta(seconds=3)
# So many failures in a row, and the provider is left alone: a second for each, five minutes at most.
FAILURES = 5
LONGEST_REST = 300


@dataclass(frozen=True, slots=True)
class Limit:
    """So many messages in ``span``."""

    key: str
    count: int
    span: timedelta

    @property
    def interval(self) -> timedelta:
        return self.span / self.count


@dataclass(slots=True)
class Paced:
    """``going`` may be handed over now, ``waiting`` go back into the queue."""

    going: list[Prepared] = field(default_factory=list)
    waiting: list[PutOff] = field(default_factory=list)


def keep_pace(ready: Sequence[Prepared], now: datetime) -> Paced:
    """Sort out what may go now. Three statements in a transaction that commits; none where nothing is limited."""
    limits = {one.message.pk: _limits(one, now) for one in ready}
    days = {one.message.pk: day for one in ready if (day := _day(one, now))}
    keys = {limit.key for several in limits.values() for limit in several} | {key for key, _ in days.values()}
    if not keys:
        return Paced(going=list(ready))
    with transaction.atomic():
        rows = _locked(keys, now)
        paced = Paced()
        # What is urgent comes first, whatever its place in the batch.
        for one in sorted(ready, key=lambda one: -one.message.priority):
            waits = _waits(one, limits[one.message.pk], days.get(one.message.pk), rows, now)
            if waits is None:
                paced.going.append(one)
            else:
                paced.waiting.append(waits)
        Pace.objects.bulk_update(rows.values(), ["next_at", "tail_at", "used"])
    return paced


def note(outcomes: Iterable[Outcome], paces: Collection[str], now: datetime) -> None:
    """Let providers rest that fail again and again, and end the rest of those that do not.

    ``paces`` are the rows that were in use before. No statement where nothing fails or did.
    """
    failed: Counter[str] = Counter()
    asked: dict[str, float] = defaultdict(float)
    worked: set[str] = set()
    for outcome in outcomes:
        if not outcome.rest_key:
            continue
        if outcome.is_failing:
            failed[outcome.rest_key] += 1
            asked[outcome.rest_key] = max(asked[outcome.rest_key], outcome.rest_for)
        elif outcome.status == Status.SENT:
            worked.add(outcome.rest_key)
    failed = Counter({key: count for key, count in failed.items() if key not in worked})
    if worked := worked.intersection(paces):
        Pace.objects.filter(key__in=worked, used__gt=0).update(used=0, next_at=now)
    if not failed:
        return
    with transaction.atomic():
        rows = _locked(set(failed), now)
        for key, row in rows.items():
            row.used += failed[key]
            seconds = min(row.used, LONGEST_REST) if row.used >= FAILURES else 0
            row.next_at = now + timedelta(seconds=max(seconds, asked[key]))
        Pace.objects.bulk_update(rows.values(), ["next_at", "used"])


def forget(now: datetime) -> None:
    """Delete what no longer says anything. One statement."""
    Pace.objects.filter(next_at__lt=now - timedelta(days=2)).delete()


def _limits(one: Prepared, now: datetime) -> list[Limit]:
    provider, found = one.provider, []
    if provider.per_second:
        found.append(Limit(f"pace:{provider.pk}", provider.per_second, timedelta(seconds=1)))
    domain = one.mail.address.rpartition("@")[2].lower()
    if domain in provider.domain_limits:
        rate = int(provider.domain_limits[domain])
        found.append(Limit(f"pace:{provider.pk}:{domain}"[:300], rate, timedelta(minutes=1)))
    return found


def _day(one: Prepared, now: datetime) -> tuple[str, int] | None:
    """Return the row of today and how many may go, None where that does not matter. What is urgent goes in any case."""
    today = now.astimezone(UTC).date()
    allowed = allowed_today(one.provider, today)
    if allowed is None or one.message.priority == Priority.URGENT:
        return None
    return f"day:{one.provider.pk}:{today}", allowed


def _waits(
    one: Prepared, limits: Sequence[Limit], day: tuple[str, int] | None, rows: dict[str, Pace], now: datetime
) -> PutOff | None:
    """Return until when a message waits, None when it goes and is counted."""
    if day and rows[day[0]].used >= day[1]:
        tomorrow = (now.astimezone(UTC) + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        # Looked at anew at once where another provider can take it: see composing.
        until = now if one.provider.fallback_id else tomorrow
        return PutOff(one.message, until, Reason.WARMING_UP, f"{day[1]} were sent today by {one.provider}")
    ahead = URGENT_AHEAD if one.message.priority == Priority.URGENT else AHEAD
    full = [limit for limit in limits if rows[limit.key].next_at > now + ahead]
    if full:
        limit = max(full, key=lambda limit: rows[limit.key].tail_at)
        row = rows[limit.key]
        row.tail_at = max(row.tail_at, row.next_at, now) + limit.interval
        return PutOff(one.message, row.tail_at, Reason.PACED, f"{one.provider}")
    for limit in limits:
        row = rows[limit.key]
        row.next_at = max(row.next_at, now) + limit.interval
    if day:
        rows[day[0]].used += 1
    return None


def _locked(keys: set[str], now: datetime) -> dict[str, Pace]:
    """Return the rows, made where they are missing, held until the transaction ends. In a fixed order."""
    Pace.objects.bulk_create([Pace(key=key, next_at=now, tail_at=now) for key in sorted(keys)], ignore_conflicts=True)
    return {row.key: row for row in Pace.objects.select_for_update().filter(key__in=keys).order_by("key")}
