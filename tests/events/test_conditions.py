"""Conditions are read whole, and a mistake is named with its place in the tree."""

from datetime import datetime, timedelta
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
        ({"event": "X", "count": 3}, "count"),
        ({"event": "X", "count": {"gte": -1}}, "count.gte"),
        ({"event": "X", "count": {"gte": 2.5}}, "count.gte"),
        ({"event": "X", "count": {"gte": 1, "lt": 3}}, "count"),
        ({"event": "X", "sum": {"gt": 3}}, "sum.property"),
        ({"event": "X", "avg": {"property": "total", "contains": 3}}, "avg"),
        ({"event": "X", "first": {"is": "2026-01-01"}}, "first"),
        ({"event": "X", "last": {"before": "soon"}}, "last.before"),
        ({"event": "X", "count": {"gte": 1}, "sum": {"property": "x", "gt": 1}}, "sum"),
        ({"event": "X", "within": "1d", "since": "2026-01-01"}, "since"),
        ({"event": "X", "since": "2026-02-30"}, "since"),
        ({"event": "X", "then_not": {"event": "Y"}}, "then_not.within"),
        ({"event": "X", "then_not": "Y"}, "then_not"),
        (
            {"event": "X", "then_not": {"event": "Y", "within": "1d", "where": {"trait": "x", "is": 1}}},
            "then_not.where",
        ),
        ({"sequence": [{"event": "X"}]}, "sequence"),
        ({"sequence": [{"event": "X"}, {"trait": "x", "is": 1}]}, "sequence[1]"),
        ({"all": [{"sequence": [{"event": "X"}, {"event": "Y", "count": {"gt": 1}}]}]}, "all[0].sequence[1].count"),
        ({"page": ""}, "page"),
        ({"trait": "x", "before": 5}, "before"),
        ({"trait": "x", "within_last": "-3d"}, "within_last"),
        ({"trait": "x", "is": "a\x00b"}, "is"),
        ({"trait": "x", "in": ["a", "\ud800"]}, "in"),
        ({"trait": "x", "in": [["a"]]}, "in"),
        ({"trait": "x", "gt": float("inf")}, "gt"),
        ({"trait": "x\x00", "gt": 1}, "trait"),
        ({"not": {"not": {"any": 3}}}, "not.not.any"),
    ],
)
def test_a_mistake_is_named_with_its_place(tree: Any, place: str) -> None:
    with pytest.raises(ConditionError) as error:
        parse(tree)
    assert error.value.path == place
    assert error.value.message


def test_an_operator_that_was_nearly_right_is_suggested() -> None:
    with pytest.raises(ConditionError, match="instead of contain perhaps contains"):
        parse({"trait": "x", "contain": "y"})


def test_days_and_spans_are_moments() -> None:
    found = [parse({"trait": "x", key: value}) for key, value in (("before", "2026-05-01"), ("after", "2026-05-01"))]
    assert [node.value for node in found if isinstance(node, Compare)] == [
        datetime(2026, 5, 1),
        datetime(2026, 5, 1, 23, 59, 59, 999999),
    ]
    assert parse({"event": "X", "within": "2w"}) == parse({"event": "X", "since": "-2w"})


def test_bottomless_nesting_is_refused() -> None:
    tree: dict[str, Any] = {"trait": "x", "is": 1}
    for _ in range(2000):
        tree = {"not": tree}
    with pytest.raises(ConditionError, match="levels deep"):
        parse(tree)
