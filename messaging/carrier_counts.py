"""Count what becomes of mails by provider, sending domain and mailbox provider: what deliverability is judged by.

Workers add rows, so that none waits for another; sums count. ``fold`` puts rows of the same subject together.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection
from django.db.models import Sum

from messaging import mailboxes
from messaging.holds import domain_of
from messaging.models import CarrierCount, Hold

METRICS = ("sent", "bounced", "complained", "unsubscribed", "failed", "rejected")
BUCKET = timedelta(minutes=10)
KEPT = timedelta(days=35)

ADD = f"""
INSERT INTO messaging_carriercount (bucket, provider_id, sender, mailboxes, {", ".join(METRICS)})
SELECT r.bucket, r.provider_id, r.sender, r.mailboxes, {", ".join(f"r.{metric}" for metric in METRICS)}
FROM jsonb_to_recordset(%s) AS r(bucket timestamptz, provider_id bigint, sender text, mailboxes text,
    {", ".join(f"{metric} int" for metric in METRICS)})
JOIN messaging_provider p ON p.id = r.provider_id
"""
# What is older than a day is kept by the hour.
KEPT_AS = "CASE WHEN bucket < %(old)s THEN date_trunc('hour', bucket) ELSE bucket END"
FOLD = f"""
WITH gone AS (
    DELETE FROM messaging_carriercount
    WHERE ({KEPT_AS}, provider_id, sender, mailboxes) IN (
        SELECT {KEPT_AS} AS kept_as, provider_id, sender, mailboxes FROM messaging_carriercount
        GROUP BY 1, 2, 3, 4 HAVING count(*) > 1 OR bool_or(bucket <> {KEPT_AS}))
    RETURNING *
)
INSERT INTO messaging_carriercount (bucket, provider_id, sender, mailboxes, {", ".join(METRICS)})
SELECT {KEPT_AS}, provider_id, sender, mailboxes, {", ".join(f"sum({metric})" for metric in METRICS)}
FROM gone GROUP BY 1, 2, 3, 4
"""
FOLDER = 7_302_915_846_002


@dataclass(frozen=True, slots=True)
class Happened:
    """Something that became of a mail. ``metric`` is one of METRICS, ``at`` when the mail was sent, or failed."""

    metric: str
    at: datetime
    provider_id: int
    sender: str
    address: str


def add(happened: Iterable[Happened]) -> None:
    """Count what happened, in the caller's transaction. One statement, none for nothing."""
    sums: dict[tuple[datetime, int, str, str], Counter[str]] = {}
    for one in happened:
        key = (_bucket(one.at), one.provider_id, domain_of(one.sender)[:253], mailboxes.of(one.address))
        sums.setdefault(key, Counter())[one.metric] += 1
    if sums:
        rows = [
            {"bucket": bucket, "provider_id": provider, "sender": sender, "mailboxes": kept_by}
            | {metric: counts[metric] for metric in METRICS}
            for (bucket, provider, sender, kept_by), counts in sums.items()
        ]
        with connection.cursor() as cursor:
            cursor.execute(ADD, [json.dumps(rows, cls=DjangoJSONEncoder)])


def _bucket(at: datetime) -> datetime:
    seconds = int(at.timestamp())
    return datetime.fromtimestamp(seconds - seconds % int(BUCKET.total_seconds()), UTC)


def fold(now: datetime) -> None:
    """Put rows together, and forget what is too old, unless another worker is about it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [FOLDER])
        if not cursor.fetchone()[0]:
            return
        try:
            CarrierCount.objects.filter(bucket__lt=now - KEPT).delete()
            cursor.execute(FOLD, {"old": now - timedelta(days=1)})
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [FOLDER])


Figures = dict[str, int]
Subject = tuple[str, str]


def by_subject(since: datetime, lifted: Mapping[Subject, datetime] | None = None) -> dict[Subject, Figures]:
    """Return the figures of what was sent since then, by what can be held: (kind, name) as in ``Hold``. One statement.

    Of what was held and let go again counts only what was sent after that (``lifted``).
    """
    found: dict[Subject, Figures] = {}
    rows = CarrierCount.objects.filter(bucket__gte=since).values("bucket", "provider_id", "sender", "mailboxes")
    row: dict[str, Any]
    for row in rows.annotate(**{f"n_{metric}": Sum(metric) for metric in METRICS}):  # type: ignore[assignment]
        subjects: list[Subject] = [
            (Hold.Kind.PROVIDER.value, str(row["provider_id"])),
            (Hold.Kind.SENDER.value, row["sender"]),
            (Hold.Kind.MAILBOXES.value, row["mailboxes"]),
        ]
        for subject in subjects:
            if lifted and subject in lifted and row["bucket"] < lifted[subject]:
                continue
            sums = found.setdefault(subject, dict.fromkeys(METRICS, 0))
            for metric in METRICS:
                sums[metric] += row[f"n_{metric}"]
    return found


def by_mailboxes(since: datetime, sender: str = "") -> list[dict[str, Any]]:
    """Return the figures by mailbox provider, the largest first; of one sending domain where it is named."""
    rows = CarrierCount.objects.filter(bucket__gte=since).order_by()
    if sender:
        rows = rows.filter(sender=sender)
    sums = rows.values_list("mailboxes").annotate(*(Sum(metric) for metric in METRICS))
    found = [{"name": name, **dict(zip(METRICS, counts, strict=True))} for name, *counts in sums]
    return sorted(found, key=lambda row: -row["sent"])
