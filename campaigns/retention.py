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
