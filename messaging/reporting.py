"""Tell other programs what becomes of messages: ``Email Sent``, ``SMS Delivered`` …, signed, in order, and for long.

What is told stands in a table, written in the transaction that made it true, so nothing is lost and nothing is told
that was not so. A post holds up to 100 of them. An endpoint that does not answer is asked again later, twice as long
each time, and is switched off after three days.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection
from requests import RequestException

from events import encryption, log
from events.raw_json import storable
from messaging import deadlines, outward
from messaging.channels import webhook
from messaging.errors import SendError
from messaging.models import Report, ReportEndpoint
from messaging.names import DEEDS

TOGETHER = 100
FIRST, LONGEST = timedelta(seconds=5), timedelta(hours=1)
GIVES_UP_AFTER = timedelta(days=3)
LEASE = timedelta(minutes=2)

STORE = """
INSERT INTO messaging_report (endpoint_id, body)
SELECT e.id, r.body FROM jsonb_to_recordset(%s::jsonb) AS r(deed text, body jsonb)
JOIN messaging_reportendpoint e ON e.enabled AND (e.deeds = '[]'::jsonb OR e.deeds ? r.deed)
"""
CLAIM = """
UPDATE messaging_reportendpoint e SET next_at = %(lease)s
WHERE e.id = ANY(ARRAY(SELECT p.id FROM messaging_reportendpoint p
    WHERE p.enabled AND p.next_at <= %(now)s AND EXISTS (SELECT FROM messaging_report r WHERE r.endpoint_id = p.id)
    ORDER BY p.id FOR UPDATE SKIP LOCKED))
RETURNING e.id
"""
NAMES = {word: deed for deed, word in DEEDS.items()}


def tell(entries: Sequence[log.Entry]) -> None:
    """Append ``entries`` to the event log, and note them for whoever wants reports. One statement more."""
    log.append(list(entries))
    rows = [
        {
            "deed": deed,
            "body": {
                "type": entry.name,
                "timestamp": entry.timestamp,
                "data": {**entry.properties, "profile_id": entry.profile_id},
            },
        }
        for entry in entries
        if (deed := NAMES.get(entry.name.partition(" ")[2], "")) and "message_id" in entry.properties
    ]
    if rows:
        text = storable(json.dumps(rows, cls=DjangoJSONEncoder).encode()).decode()
        with connection.cursor() as cursor:
            cursor.execute(STORE, [text])


def post_due(now: datetime, deadline: float) -> int:
    """Post what waits, to each endpoint whose time has come; return how many reports were taken."""
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, {"now": now, "lease": now + LEASE})
        claimed = [pk for (pk,) in cursor.fetchall()]
    return sum(_post_all(endpoint, now, deadline) for endpoint in ReportEndpoint.objects.filter(pk__in=claimed))


def _post_all(endpoint: ReportEndpoint, now: datetime, deadline: float) -> int:
    told = 0
    with outward.session() as session:
        while time.monotonic() < deadline:
            rows = list(Report.objects.filter(endpoint=endpoint).order_by("pk")[:TOGETHER])
            if not rows:
                break
            if problem := _post(session, endpoint, rows, now):
                _failed(endpoint, problem, now)
                return told
            Report.objects.filter(pk__in=[row.pk for row in rows]).delete()
            told += len(rows)
    ReportEndpoint.objects.filter(pk=endpoint.pk).update(next_at=now, failures=0, failing_since=None, problem="")
    return told


def _post(session: Any, endpoint: ReportEndpoint, rows: Sequence[Report], now: datetime) -> str:
    """Return what went wrong, "" when they were taken. A repeated post bears the same id."""
    body = json.dumps({"events": [row.body for row in rows]}).encode()
    post_id = str(uuid5(NAMESPACE_URL, f"{endpoint.pk}:{rows[0].pk}:{rows[-1].pk}"))
    key = webhook.key_of(encryption.decrypt(endpoint.secret)) if endpoint.secret else b""
    headers = {"Content-Type": "application/json", **webhook.signed(key, post_id, int(now.timestamp()), body)}
    try:
        with deadlines.watched():
            outward.checked(session.post(endpoint.url, data=body, headers=headers))
    except SendError as error:
        return str(error)[:500]
    except RequestException as error:
        return outward.words(error)
    return ""


def _failed(endpoint: ReportEndpoint, problem: str, now: datetime) -> None:
    since = endpoint.failing_since or now
    wait = min(FIRST * 2 ** min(endpoint.failures, 20), LONGEST)
    changes: Mapping[str, Any] = {
        "failures": endpoint.failures + 1,
        "failing_since": since,
        "next_at": now + wait,
        "problem": problem,
        "enabled": now - since < GIVES_UP_AFTER,
    }
    ReportEndpoint.objects.filter(pk=endpoint.pk).update(**changes)
    if not changes["enabled"]:
        Report.objects.filter(endpoint=endpoint).delete()
