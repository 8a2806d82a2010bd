"""What people read who do not read JSON."""

from typing import Any

import pytest

from events.conditions import parse
from events.conditions.words import say


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"trait": "plan", "is": "pro"}, "plan is “pro”"),
        ({"trait": "address.city", "in": ["Graz", "Wien"]}, "address.city is one of “Graz”, “Wien”"),
        ({"trait": "vip", "is": True}, "vip is true"),
        ({"trait": "age", "exists": False}, "age is not known"),
        ({"property": "amount", "gte": 10000}, "the event’s amount is at least 10,000"),
        ({"trait": "born", "before": "2000-01-01"}, "born is before 1 January 2000"),
        ({"trait": "trial_ends", "within_next": "3d"}, "trial_ends is in the next 3 days"),
        ({"trait": "seen", "before": "-2w"}, "seen is before 14 days ago"),
        ({"group": "company", "trait": "plan", "is": "pro"}, "belongs to a company whose plan is “pro”"),
        ({"event": "Order Completed"}, "did “Order Completed”"),
        ({"page": "Pricing", "within": "7d"}, "saw the page “Pricing” in the last 7 days"),
        ({"not": {"event": "Bought", "within": "36h"}}, "did not do “Bought” in the last 36 hours"),
        (
            {"event": "Viewed", "count": {"gte": 3}, "within": "10m", "where": {"property": "price", "gt": 30}},
            "did “Viewed” where price is more than 30 at least 3 times in the last 10 minutes",
        ),
        ({"event": "Bought", "count": {"is": 0}}, "did not do “Bought”"),
        (
            {"event": "Bought", "sum": {"property": "total", "gt": 500}, "since": "2026-01-01"},
            "the sum of total in “Bought” since 1 January 2026 is more than 500",
        ),
        ({"event": "Bought", "first": {"within_last": "1d"}}, "did “Bought” for the first time in the last 1 day"),
        (
            {"event": "Added", "then_not": {"event": "Bought", "within": "1h", "same": "cart"}, "within": "2d"},
            "did “Added” in the last 2 days and for 1 hour after it no “Bought” with the same cart",
        ),
        ({"sequence": [{"event": "A"}, {"event": "B"}], "within": "2d"}, "did “A”, then “B” within 2 days"),
        (
            {"all": [{"trait": "a", "is": 1}, {"any": [{"trait": "b", "is": 2}, {"not": {"trait": "c", "is": 3}}]}]},
            "a is 1 and (b is 2 or not: c is 3)",
        ),
    ],
)
def test_a_condition_is_said_in_words(tree: dict[str, Any], words: str) -> None:
    assert say(parse(tree)) == words
