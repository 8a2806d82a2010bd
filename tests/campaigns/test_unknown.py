"""A draft's names that nobody has met are shown before it is published, and keep nobody from it."""

from __future__ import annotations

from typing import Any

import pytest

from campaigns import unknown
from events import catalog
from tests.factories import make_event, make_profile

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def traffic() -> None:
    for name in ("Signed Up", "Order Completed"):
        make_event(make_profile(), name, {"total": 3})
    make_event(make_profile(), properties={"plan": "pro"}, type="identify", name="")
    catalog.learn()


def found(draft: dict[str, Any]) -> list[str]:
    return [problem.path for problem in unknown.warnings(draft)]


def test_names_are_looked_for_wherever_a_draft_has_conditions() -> None:
    branch = {"kind": "branch", "paths": [{"if": {"trait": "plna", "is": "pro"}, "steps": []}, {"steps": []}]}
    draft = {
        "trigger": {"event": "Sined Up", "where": {"trait": "plan", "is": "pro"}},
        "goal": {"event": "Order Completed", "where": {"all": [{"property": "totl", "gt": 1}]}},
        "exits": [
            {"when": "event", "event": "Order Complted", "where": {"property": "totl", "gt": 1}},
            {"when": "condition", "if": {"any": [{"trait": "plan", "is": "pro"}, {"trait": "plann", "is": "pro"}]}},
            {"when": "unsubscribe"},
            3,
        ],
        "steps": [{"kind": "branch", "paths": [{"if": {"trait": "plan", "is": 1}, "steps": [branch]}]}],
    }
    assert found(draft) == [
        "trigger.event",
        "goal.where.all[0].property",
        "exits[0].event",
        "exits[1].if.any[1].trait",
        "steps[0].paths[0].steps[0].paths[0].if.trait",
    ]


@pytest.mark.parametrize(
    "draft",
    [
        {},
        {"trigger": None, "goal": 3, "steps": "x"},
        {"trigger": {"event": 3, "where": 4}, "steps": [3, {"paths": 4}, {"paths": [5, {"if": 6, "steps": 7}]}]},
        {"trigger": {"event": "Signed Up", "where": {"trait": "plan"}}},
    ],
)
def test_what_cannot_be_read_is_passed_over(draft: dict[str, Any]) -> None:
    assert found(draft) == []
