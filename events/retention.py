"""Forget what is only kept for a while: message ids, calls kept for the debugger, violations of the plan."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from django.db import connection

KEEP_MESSAGE_IDS = timedelta(days=35)
KEEP_REQUESTS = timedelta(days=7)
KEEP_VIOLATIONS = timedelta(days=7)
CHUNK = 5000

FORGET_MESSAGE_IDS = """
DELETE FROM events_acceptedmessage WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM events_acceptedmessage WHERE received_at < %(before)s ORDER BY received_at LIMIT %(chunk)s))
"""

# By id, which follows the time of receipt closely and has an index.
FORGET_REQUESTS = """
DELETE FROM events_inboundrequest WHERE id = ANY(ARRAY(
    SELECT id FROM events_inboundrequest ORDER BY id LIMIT %(chunk)s)) AND received_at < %(before)s
"""

FORGET_VIOLATIONS = """
DELETE FROM events_violation WHERE id = ANY(ARRAY(
    SELECT id FROM events_violation ORDER BY id LIMIT %(chunk)s)) AND occurred_at < %(before)s
"""
KEPT = (
    (FORGET_MESSAGE_IDS, KEEP_MESSAGE_IDS),
    (FORGET_REQUESTS, KEEP_REQUESTS),
    (FORGET_VIOLATIONS, KEEP_VIOLATIONS),
)


def forget(now: datetime, deadline: float) -> None:
    """Delete in short transactions until nothing old is left or ``time.monotonic()`` passes ``deadline``."""
    for statement, keep in KEPT:
        while _delete(statement, now - keep) == CHUNK and time.monotonic() < deadline:
            pass


def _delete(statement: str, before: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"before": before, "chunk": CHUNK})
        return int(cursor.rowcount)
