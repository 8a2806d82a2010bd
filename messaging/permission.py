"""What people allow: consent with its basis, source, time and expiry, and whether their opens may be recorded.

Implied consent ends by itself, as Canada's law (CASL, section 10) has it: two years after a purchase, six months after
an inquiry. Someone all of whose consents have ended gets no marketing, whatever the workspace asks of others.
"""

from __future__ import annotations

import calendar
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import connection

from events import log, people, present
from messaging.models import Consent, Subscription, TrackingRefusal
from messaging.policy import ConsentState

ALL = Subscription.Channel.ALL.value
MONTHS = {Consent.Basis.PURCHASE.value: 24, Consent.Basis.INQUIRY.value: 6}
GIVEN = "Consent Given"

# Of each channel that was named: whether one consent to it holds.
STANDING = """
SELECT p.id, u.profile_id IS NOT NULL, t.profile_id IS NOT NULL,
       (SELECT jsonb_object_agg(c.channel, c.holds) FROM (
            SELECT channel, bool_or(expires_at IS NULL OR expires_at > %(now)s) AS holds
            FROM messaging_consent WHERE profile_id = p.id AND given_at <= %(now)s GROUP BY channel) AS c)
FROM unnest(%(people)s::bigint[]) AS p(id)
LEFT JOIN messaging_unsubscription u ON u.profile_id = p.id
LEFT JOIN messaging_trackingrefusal t ON t.profile_id = p.id
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """What one person has said altogether. ``consents`` maps a channel, or "all", to whether a consent holds."""

    unsubscribed: bool = False
    untracked: bool = False
    consents: Mapping[str, bool] | None = None

    def consent(self, channel: str) -> ConsentState:
        """Say what is on record for messages over ``channel``."""
        known = self.consents or {}
        said = [known[name] for name in (ALL, channel) if name in known]
        if not said:
            return ConsentState.NOT_SAID
        return ConsentState.GIVEN if any(said) else ConsentState.ENDED


SAID_NOTHING = Standing()


def standings(profile_ids: Collection[int], now: datetime) -> dict[int, Standing]:
    """Return what people have said, by person. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(STANDING, {"people": list(profile_ids), "now": now})
        # Django's cursors hand JSON over as text.
        return {
            pk: Standing(gone, untracked, json.loads(said) if said else None)
            for pk, gone, untracked, said in cursor.fetchall()
        }


@dataclass(frozen=True, slots=True)
class Given:
    """A consent to be noted. ``expires_at`` None: as its basis has it. ``detail``: what was agreed to, and where."""

    profile_id: int
    basis: str
    source: str
    channel: str = ALL
    detail: str = ""
    given_at: datetime | None = None
    expires_at: datetime | None = None


def note(given: Iterable[Given]) -> list[Consent]:
    """Write consents down, and tell the log. Holds the people, ids ascending; those who are gone are passed over.

    It brings nobody back who has unsubscribed: that is said apart (``consent.resubscribe``).
    """
    now = present.now()
    wanted = list(given)
    there = set(people.hold(one.profile_id for one in wanted))
    rows = [
        Consent(
            profile_id=one.profile_id,
            channel=one.channel,
            basis=one.basis,
            source=one.source,
            detail=one.detail,
            given_at=one.given_at or now,
            expires_at=one.expires_at or ends(one.basis, one.given_at or now),
        )
        for one in wanted
        if one.profile_id in there
    ]
    made = Consent.objects.bulk_create(rows)
    log.append([log.Entry(row.profile_id, GIVEN, {"basis": row.basis, "channel": row.channel}, now) for row in made])
    return made


def ends(basis: str, given_at: datetime) -> datetime | None:
    """Return when a consent of this basis ends by itself, None when it does not.

    >>> ends("inquiry", datetime(2026, 8, 31, tzinfo=UTC)).date().isoformat()
    '2027-02-28'
    """
    if basis not in MONTHS:
        return None
    given_at = given_at.astimezone(UTC)
    years, month = divmod(given_at.month - 1 + MONTHS[basis], 12)
    year, month = given_at.year + years, month + 1
    day = min(given_at.day, calendar.monthrange(year, month)[1])
    return given_at.replace(year=year, month=month, day=day)


def track(profile_id: int, allowed: bool, source: str) -> bool:
    """Have a person's opens and clicks recorded, or not; return whether that is new."""
    if allowed:
        return bool(TrackingRefusal.objects.filter(pk=profile_id).delete()[0])
    _, new = TrackingRefusal.objects.get_or_create(profile_id=profile_id, defaults={"source": source})
    return new


def untracked(profile_ids: Collection[int]) -> set[int]:
    """Return whose opens and clicks are not to be recorded. One statement."""
    return set(TrackingRefusal.objects.filter(pk__in=profile_ids).values_list("pk", flat=True))
