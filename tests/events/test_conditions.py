"""Conditions are read whole, and a mistake is named with its place in the tree."""

from datetime import timedelta
from typing import Any

import pytest

from events.conditions import AllOf, Compare, ConditionError, Not, Performed, What, parse


def test_a_tree_is_parsed_into_its_parts() -> None:
    tree = {
        "all": [
            {"trait": "address.city", "is": "Graz"},
            {"not": {"event": "Order Completed", "within": "24h", "where": {"property": "total", "gte": 10}}},
        ]
    }
    assert parse(tree) == AllOf(
        (
            Compare("trait", ("address", "city"), "is", "Graz"),
            Not(Performed(What("Order Completed", Compare("property", ("total",), "gte", 10)), timedelta(hours=-24))),
        )
    )


def test_a_list_of_keys_reaches_keys_with_dots() -> None:
    assert parse({"trait": ["a.b"], "exists": True}) == Compare("trait", ("a.b",), "exists", True)


@pytest.mark.parametrize(
    ("tree", "place"),
    [
        ("plan is pro", ""),
        ({}, ""),
        ({"all": []}, "all"),
        ({"any": [{"trait": "x", "is": 1}, {"trait": "x"}]}, "any[1]"),
        ({"trait": "x", "is": 1, "gt": 2}, ""),
        ({"trait": "x", "like": "y"}, ""),
        ({"all": [{"property": "x", "gt": "ten"}]}, "all[0].gt"),
        ({"property": "x", "gt": True}, "gt"),
        ({"trait": "", "is": 1}, "trait"),
        ({"trait": "x", "in": []}, "in"),
        ({"group": "", "trait": "x", "is": 1}, "group"),
        ({"group": "company", "is": 1}, "is"),
        ({"all": [{"group": "company", "trait": "x", "gt": "ten"}]}, "all[0].gt"),
        ({"not": {"group": "company", "trait": "x"}}, "not"),
        ({"event": "A", "where": {"group": "company"}}, "where"),
        ({"trait": "x", "exists": "yes"}, "exists"),
        ({"event": "X", "within": "a while"}, "within"),
        ({"event": "X", "where": {"trait": "plan", "is": "pro"}}, "where"),
        ({"event": "X", "times": 3}, "times"),
        ({"not": {"not": {"any": 3}}}, "not.not.any"),
    ],
)
def test_a_mistake_is_named_with_its_place(tree: Any, place: str) -> None:
    with pytest.raises(ConditionError) as error:
        parse(tree)
    assert error.value.path == place
    assert error.value.message


def test_bottomless_nesting_is_refused() -> None:
    tree: dict[str, Any] = {"trait": "x", "is": 1}
    for _ in range(2000):
        tree = {"not": tree}
    with pytest.raises(ConditionError, match="levels deep"):
        parse(tree)
