"""How long this room keeps things: the texts of messages can go before the messages themselves."""

from __future__ import annotations

from events import retention

# By message, whose ids follow time. What is not out yet keeps its text.
FORGET_BODIES = """
DELETE FROM messaging_messagebody WHERE message_id = ANY(ARRAY(
    SELECT m.id FROM messaging_messagebody b JOIN messaging_message m ON m.id = b.message_id
    WHERE m.created_at < %(before)s AND m.status NOT IN ('queued', 'sending') ORDER BY m.id LIMIT %(limit)s))
"""
BODIES = retention.Kind(
    "texts",
    "Texts of messages",
    "The mails as they went out. Who got what, when, and what became of it stays.",
    None,
    retention.running(FORGET_BODIES),
)
REPORTS = retention.Kind(
    "reports",
    "Reports about messages",
    "Opens, clicks, bounces, with address and browser of the reader. What became of each message, and figures, stay.",
    None,
    retention.by_id("messaging_deliveryevent", "received_at"),
    least=30,
)
KINDS = (BODIES, REPORTS)
