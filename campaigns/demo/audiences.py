"""The demo's segments and computed traits, as unsaved rows."""

from __future__ import annotations

from events.models import ComputedTrait, Segment


def segments() -> list[Segment]:
    """Return who the demo's people can be, by what they did and by what they did not."""
    return [
        Segment(
            name="Looked at prices, not bought",
            slug="looked-at-prices",
            description="Visited the pricing page in the last two weeks and ordered nothing in that time.",
            condition={
                "all": [
                    {"event": "Visited Pricing Page", "within": "14d"},
                    {"not": {"event": "Order Completed", "within": "14d"}},
                ]
            },
        ),
        Segment(
            name="Customers",
            slug="customers",
            description="Has ordered at least once.",
            condition={"event": "Order Completed"},
        ),
    ]


def computed_traits() -> list[ComputedTrait]:
    """Return what is reckoned of the demo's people: a list for templates, and a number for conditions."""
    function = ComputedTrait.Function
    return [
        ComputedTrait(
            name="recent_plans",
            description="The plans whose prices somebody has looked at, the last one first.",
            function=function.LAST_VALUES,
            event="Visited Pricing Page",
            properties=["plan_name"],
            number=3,
        ),
        ComputedTrait(
            name="money_spent",
            description="What somebody has paid in all.",
            function=function.SUM,
            event="Order Completed",
            properties=["total"],
        ),
    ]
