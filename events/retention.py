"""Forget what is only kept for a while. What has an age is a ``Kind``; the other rooms register theirs.

Ages are chosen in the admin (``KeepFor``); the beat deletes what is older, in short transactions. Events have ages by
name as well, and whole months of them are dropped: see ``events.aging``. Message ids are kept as long as promised.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction

from events import aging, audit, log_ins
from events.audit import Actor
from events.models import KeepFor

KEEP_MESSAGE_IDS = timedelta(days=35)
CHUNK = 5000
MAX_DAYS = 36_500

# Deletes at most ``limit`` rows of before ``before`` and returns how many.
Forget = Callable[[datetime, int], int]


@dataclass(frozen=True, slots=True)
class Kind:
    """Something that is kept for ``days`` unless somebody chose otherwise; None for ever.

    Nobody can choose fewer days than ``least``.
    """

    key: str
    title: str
    help: str
    days: int | None
    forget: Forget | None = None
    least: int = 1


_kinds: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    """Let a kind of thing have an age from now on."""
    _kinds[kind.key] = kind


def kinds() -> list[Kind]:
    return list(_kinds.values())


def ages() -> dict[str, int | None]:
    """Return for each kind how many days it is kept, None for ever. One statement."""
    chosen = dict(KeepFor.objects.values_list("kind", "days"))
    return {kind.key: chosen.get(kind.key, kind.days) for kind in kinds()}


def choose(days: Mapping[str, int | None], actor: Actor) -> None:
    """Keep things as long as said from now on; it is noted. Kinds and bounds have been checked."""
    with transaction.atomic():
        for kind, age in days.items():
            KeepFor.objects.update_or_create(kind=kind, defaults={"days": age})
        if days:
            audit.note(actor, "retention", days=dict(days))


def forget(now: datetime, deadline: float) -> None:
    """Delete in short transactions until nothing old is left or ``time.monotonic()`` passes ``deadline``."""
    _forget(_forget_message_ids, now - KEEP_MESSAGE_IDS, deadline)
    for key, days in ages().items():
        act = _kinds[key].forget
        if act is not None and days is not None:
            _forget(act, now - timedelta(days=days), deadline)
    aging.sweep(now, ages()[EVENTS], deadline)


def _forget(act: Forget, before: datetime, deadline: float) -> None:
    while act(before, CHUNK) == CHUNK and time.monotonic() < deadline:
        pass


def by_id(table: str, column: str) -> Forget:
    """Return what deletes rows by id, which follows the time in ``column`` closely and has an index."""
    statement = f"""
        DELETE FROM {table} WHERE id = ANY(ARRAY(SELECT id FROM {table} ORDER BY id LIMIT %(limit)s))
        AND {column} < %(before)s
    """
    return running(statement)


def running(statement: str) -> Forget:
    """Return what runs a statement with the parameters ``before`` and ``limit``."""

    def act(before: datetime, limit: int) -> int:
        with connection.cursor() as cursor:
            cursor.execute(statement, {"before": before, "limit": limit})
            return int(cursor.rowcount)

    return act


_forget_message_ids = running("""
DELETE FROM events_acceptedmessage WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM events_acceptedmessage WHERE received_at < %(before)s ORDER BY received_at LIMIT %(limit)s))
""")
_forget_parked = running("""
DELETE FROM events_pending WHERE event_id = ANY(ARRAY(
    SELECT event_id FROM events_pending WHERE parked_at < %(before)s ORDER BY event_id LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED))
""")
_forget_counts = running("""
DELETE FROM events_eventcount WHERE id = ANY(ARRAY(
    SELECT id FROM events_eventcount WHERE hour < %(before)s ORDER BY hour LIMIT %(limit)s))
""")

_forget_failures = running("""
DELETE FROM events_importfailure WHERE id = ANY(ARRAY(
    SELECT f.id FROM events_importfailure f JOIN events_import i ON i.id = f.upload_id
    WHERE i.created_at < %(before)s ORDER BY f.id LIMIT %(limit)s))
""")

EVENTS = aging.DEFAULT_KIND
register(
    Kind(
        EVENTS,
        "Events",
        "People's history. Conditions and templates that look back see no further than this.",
        None,
    )
)
register(
    Kind(
        "requests",
        "Calls kept for the debugger",
        "As they came in, with what was answered.",
        7,
        by_id("events_inboundrequest", "received_at"),
    )
)
register(
    Kind(
        "violations",
        "Violations of the tracking plan",
        "With a sample of each.",
        7,
        by_id("events_violation", "occurred_at"),
    )
)
register(
    Kind(
        "parked",
        "Parked events",
        "Nobody let them try again in this time: they start nothing any more, and stay in the history.",
        90,
        _forget_parked,
    )
)
register(
    Kind(
        "failures",
        "Failed rows of imports",
        "As they stood in the file, with what was wrong. Files themselves go after a week.",
        30,
        _forget_failures,
    )
)
register(
    Kind(
        "counts",
        "Hourly counts of events",
        "What the charts of the tracking plan and the home page are drawn from.",
        730,
        _forget_counts,
    )
)
register(Kind("audit", "Audit log", "Who did what to whose data.", 730, by_id("events_auditentry", "at")))
register(
    Kind(
        "changes",
        "Changes in the admin",
        "Who changed which page of it.",
        730,
        by_id("django_admin_log", "action_time"),
    )
)
register(
    Kind("log-ins", "Log-ins", "Who logged in to the admin or tried to, with address and browser.", 90, log_ins.forget)
)
