"""The event log of a busy installation's past, for ``campaigns.load``: what journeys report, and what people do.

What people do beside that is skewed as in life: a few do most of it, and of thirty events some are ten times as usual
as others. A big load makes the log's indexes anew when all rows are there; nobody else can use the log meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import connection

# So many events are written by one statement, and from so many on the log's indexes are made at the end.
SLICE = 1_000_000
NAMES = (
    "Product Viewed", "Signed In", "Search", "Product Added", "Task Completed", "Shared", "Cart Viewed",
    "Order Completed", "Article Read", "Video Played", "Product Removed", "Checkout Started", "Coupon Entered",
    "Project Created", "File Uploaded", "Comment Added", "Invite Sent", "Report Opened", "Settings Changed",
    "Payment Entered", "Support Asked", "Survey Answered", "Plan Upgraded", "Order Refunded", "Trial Started",
    "Team Joined", "Export Made", "Webinar Attended", "Plan Cancelled", "Signed Up",
)  # fmt: skip
REPORTED = (
    """
    INSERT INTO events_event (id, timestamp, received_at, type, name, properties, context, message_id, profile_id,
        source_id)
    SELECT event_id, entered_at, entered_at + interval '150 ms', 'track', trigger,
           jsonb_build_object('item', 'thing ' || n %% 50, 'amount', n %% 200), '{"library": {"name": "load"}}',
           'load-run-' || n, profile_id, %(source)s
    FROM load_run ORDER BY n
    """,
    """
    INSERT INTO events_event (timestamp, received_at, type, name, properties, context, message_id, profile_id,
        source_id)
    SELECT at, at + interval '150 ms', 'track', name, properties, context, message_id, profile_id, source_id
    FROM (
        SELECT at, event AS name, jsonb_build_object('message_id', public_id) AS properties,
               '{}'::jsonb AS context, '' AS message_id, profile_id, NULL::bigint AS source_id
        FROM load_report
        UNION ALL
        SELECT entered_at + interval '2 hours', 'Order Completed', jsonb_build_object('total', n %% 300),
               '{"library": {"name": "load"}}', 'load-order-' || n, profile_id, %(source)s
        FROM load_run WHERE converted
    ) AS reported
    ORDER BY at
    """,
    "UPDATE events_source SET last_event_at = now() WHERE id = %(source)s",
)

# Both dice are Zipf's: the chance of place n is about 1 / (n + cut), for people with a cut at a thousandth of them.
# People are mixed first (by a prime), so that ids say nothing about how much somebody does.
DONE = """
INSERT INTO events_event (timestamp, received_at, type, name, properties, context, message_id, profile_id, source_id)
SELECT at, at + interval '150 ms', CASE WHEN kind < 0.8 THEN 'track' WHEN kind < 0.95 THEN 'page' ELSE 'identify' END,
       CASE WHEN kind < 0.8 THEN (%(names)s::text[])[1 + trunc(power(31, which) - 1)::int]
            WHEN kind < 0.95 THEN (ARRAY['Home', 'Prices', 'Help'])[1 + g %% 3] ELSE '' END,
       CASE WHEN kind < 0.95
                THEN jsonb_build_object('item', 'thing ' || g %% 50, 'price', g %% 90, 'currency', 'EUR',
                                        'url', 'https://shop.example/things/' || g %% 50 || '?from=' || g)
            ELSE jsonb_build_object('seats', g %% 40) END,
       '{"library": {"name": "load"}}', 'load-' || g, p.id, %(source)s
FROM (
    SELECT g, random() AS kind, random() AS which,
           now() - make_interval(secs => 60 + 86400 * %(days)s * (1 - g::float / %(total)s) + 600 * random()) AS at,
           trunc((power(1001, random()) - 1) / 1000 * %(profiles)s)::bigint AS place
    FROM generate_series(%(first)s, %(last)s) AS g
) AS done
JOIN load_person p ON p.n = 1 + (place * 7368787) %% %(profiles)s
"""
INDEXES = """
SELECT c.relname, pg_get_indexdef(c.oid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = 'events_event'::regclass AND NOT i.indisprimary ORDER BY 1
"""


def write(events: int, parameters: dict[str, Any]) -> Iterator[str]:
    """Fill the log up to about ``events`` rows, a slice at a time and in the order of time; yields a word each."""
    with connection.cursor() as cursor:
        indexes = _drop_indexes(cursor) if events >= SLICE else []
        for statement in REPORTED:
            cursor.execute(statement, parameters)
        cursor.execute("SELECT count(*) FROM events_event WHERE profile_id IN (SELECT id FROM load_person)")
        total = max(0, events - cursor.fetchone()[0])
        for first in range(1, total + 1, SLICE):
            last = min(first + SLICE - 1, total)
            cursor.execute(DONE, parameters | {"first": first, "last": last, "total": total, "names": list(NAMES)})
            yield f"{last:,} events"
        for index in indexes:
            cursor.execute(index)
            yield index.split()[2]


def _drop_indexes(cursor: Any) -> list[str]:
    """Drop the log's indexes but for its key; return the statements that make them."""
    cursor.execute(INDEXES)
    indexes = cursor.fetchall()
    for name, _ in indexes:
        cursor.execute(f'DROP INDEX "{name}"')
    cursor.execute("SET LOCAL maintenance_work_mem = '512MB'")
    return [definition.replace(" ON ONLY ", " ON ", 1) for _, definition in indexes]
