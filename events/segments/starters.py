"""Segments to start from: what nearly everybody wants, with the names of events as they are usual. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Starter:
    slug: str
    name: str
    description: str
    condition: dict[str, Any]


STARTERS = (
    Starter(
        "abandoned-cart",
        "Abandoned cart",
        "Put something into the cart in the last three days and bought nothing in the four hours after.",
        {"event": "Product Added", "within": "3d", "then_not": {"event": "Order Completed", "within": "4h"}},
    ),
    Starter(
        "inactive-7-days",
        "Inactive for 7 days",
        "Did something once, and did not sign in for a week. Put your own event in place of Signed In.",
        {"event": "Signed In", "last": {"before": "-7d"}},
    ),
    Starter(
        "inactive-30-days",
        "Inactive for 30 days",
        "Did something once, and did not sign in for a month. Put your own event in place of Signed In.",
        {"event": "Signed In", "last": {"before": "-30d"}},
    ),
    Starter(
        "new-this-week",
        "New this week",
        "Signed up in the last seven days.",
        {"event": "Signed Up", "within": "7d"},
    ),
    Starter(
        "power-users",
        "Power users",
        "Did what your product is for at least ten times in two weeks. Put your own event in place of Project Created.",
        {"event": "Project Created", "count": {"gte": 10}, "within": "14d"},
    ),
    Starter(
        "pricing-visited",
        "Looked at pricing, not upgraded",
        "Visited the pricing page in the last two weeks and has not upgraded since.",
        {"page": "Pricing", "within": "14d", "then_not": {"event": "Plan Upgraded", "within": "1d"}},
    ),
)
