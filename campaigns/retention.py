"""How long this room keeps things: decisions are as many as events; journeys and figures stay."""

from __future__ import annotations

from events import retention

DECISIONS = retention.Kind(
    "decisions",
    "Decisions of campaigns",
    "Why an event started a journey, or why not. Journeys and figures stay.",
    90,
    retention.by_id("campaigns_decision", "created_at"),
)

# A click that comes later than this counts for no step: therefore not too soon.
FORGET_VISITS = """
DELETE FROM campaigns_visit WHERE id = ANY(ARRAY(
    SELECT v.id FROM campaigns_visit v JOIN campaigns_journey j ON j.id = v.journey_id
    WHERE j.state = 'ended' AND j.ended_at < %(before)s ORDER BY v.id LIMIT %(limit)s))
"""
VISITS = retention.Kind(
    "visits",
    "Steps of ended journeys",
    "When somebody was at which step. That they went through, and figures, stay.",
    None,
    retention.running(FORGET_VISITS),
    least=30,
)
PARKED = retention.Kind(
    "parked_by_campaigns",
    "Events parked by campaigns",
    "What a campaign could not look at, with the error. Older ones are given up.",
    90,
    retention.by_id("campaigns_parked", "parked_at"),
)
FORGET_CALLS = """
DELETE FROM campaigns_call WHERE id = ANY(ARRAY(
    SELECT c.id FROM campaigns_call c JOIN campaigns_journey j ON j.id = c.journey_id
    WHERE j.state = 'ended' AND j.ended_at < %(before)s ORDER BY c.id LIMIT %(limit)s))
"""
CALLS = retention.Kind(
    "calls",
    "Calls of ended journeys",
    "What campaigns called, with which body, and what was answered.",
    90,
    retention.running(FORGET_CALLS),
)


def _ended(table: str, column: str) -> retention.Forget:
    """Return what deletes rows that ended, as ``column`` has it; those that have not are few, and anywhere."""
    return retention.running(f"""
        DELETE FROM {table} WHERE id = ANY(ARRAY(
            SELECT id FROM {table} WHERE {column} < %(before)s ORDER BY id LIMIT %(limit)s))
    """)


FINDINGS = retention.Kind(
    "findings",
    "Findings that are over",
    "What stood still or ran wild, and when.",
    90,
    _ended("campaigns_finding", "until"),
)
INTAKES = retention.Kind(
    "intakes",
    "Occurrences of timetables",
    "When people were let into a campaign, and how many.",
    365,
    _ended("campaigns_intake", "ended_at"),
)
KINDS = (DECISIONS, VISITS, PARKED, CALLS, FINDINGS, INTAKES)
