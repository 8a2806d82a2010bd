"""Conditions as simple rows, and back."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import QueryDict

from campaigns.admin import rows
from campaigns.admin.rows import Row, Rows
from events.conditions import parse

SIMPLE = [
    {"trait": "plan", "is": "pro"},
    {"trait": "address.city", "is_not": "Graz"},
    {"property": "amount", "gt": 30},
    {"property": "amount", "lte": 2.5},
    {"trait": "newsletter", "is": True},
    {"trait": "zip", "is": "0815"},
    {"trait": "zip", "is": "1010"},
    {"trait": "answer", "is": "true"},
    {"trait": "note", "is": ""},
    {"trait": "quote", "is": 'say "no"'},
    {"trait": "quote", "is": '"no"'},
    {"trait": "email", "contains": "@example.com"},
    {"trait": "email", "starts": "42"},
    {"trait": "plan", "in": ["pro", "team", 3]},
    {"trait": "phone", "exists": True},
    {"trait": "phone", "exists": False},
    {"all": [{"trait": "plan", "is": "pro"}, {"property": "amount", "gte": 1}]},
    {"any": [{"trait": "plan", "is": "pro"}, {"property": "amount", "lt": 1}]},
]

BEYOND = [
    {"not": {"trait": "plan", "is": "pro"}},
    {"event": "Order Completed", "within": "24h"},
    {"all": [{"any": [{"trait": "plan", "is": "pro"}]}, {"trait": "a", "is": 1}]},
    {"trait": ["odd.key", "x"], "is": "y"},
    {"trait": "plan", "in": ["a, b", "c"]},
    {"trait": "big", "is": 1e300},
]


def as_posted(shown: Rows) -> QueryDict:
    posted = QueryDict(mutable=True)
    posted["trigger-match"] = shown.match
    for row in shown.rows:
        for name in ("subject", "name", "operator", "value"):
            posted.appendlist(f"trigger-{name}", getattr(row, name))
    if shown.kept is not None:
        posted["trigger-kept"] = shown.kept_text
    return posted


@pytest.mark.parametrize("condition", SIMPLE, ids=str)
def test_a_simple_condition_goes_through_rows_unchanged(condition: dict[str, Any]) -> None:
    shown = rows.show(condition)
    assert shown.kept is None and not shown.bad
    back = rows.tree(rows.read(as_posted(shown), "trigger"))
    assert back == condition and repr(back) == repr(condition)
    parse(back)


@pytest.mark.parametrize("condition", BEYOND, ids=str)
def test_what_rows_cannot_say_is_kept_as_json(condition: dict[str, Any]) -> None:
    shown = rows.show(condition)
    assert shown.kept == condition and not shown.rows
    assert rows.tree(rows.read(as_posted(shown), "trigger")) == condition


def test_no_condition_is_no_rows() -> None:
    assert rows.show(None) == Rows()
    assert rows.tree(Rows()) is None
    assert rows.tree(Rows(rows=(Row(), Row()))) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [("30", 30), ("-2.5", -2.5), ("007", "007"), ("TRUE", True), ('"30"', "30"), ("pro", "pro"), ("1e5", "1e5")],
)
def test_a_typed_value_is_read_as_what_it_looks_like(text: str, value: Any) -> None:
    found = rows.guess(text)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (Row("trait", "", "is", "pro"), "Name the field"),
        (Row("trait", "plan", "is", " "), "Give a value for plan"),
        (Row("property", "amount", "gt", "a lot"), "amount: “is more than” needs a number"),
        (Row("colour", "plan", "is", "pro"), "not a known comparison"),
        (Row("trait", "plan", "resembles", "pro"), "not a known comparison"),
    ],
)
def test_a_wrong_row_says_what_is_wrong_and_keeps_what_was_typed(row: Row, message: str) -> None:
    read = rows.read(as_posted(Rows(rows=(row,))), "trigger").rows[0]
    assert message in read.error
    assert (read.name, read.value) == (row.name, row.value)


def test_json_that_is_none_stays_on_the_page_with_the_mistake() -> None:
    posted = QueryDict(mutable=True)
    posted["trigger-kept"] = '{"not": '
    read = rows.read(posted, "trigger")
    assert read.bad and read.kept == '{"not": ' and "not JSON" in read.errors[0]


def test_conditions_are_said_in_words() -> None:
    condition = {"any": [{"property": "amount", "gt": 30}, {"trait": "phone", "exists": False}]}
    assert rows.words(condition) == "the event’s amount is more than 30 or phone has no value"
