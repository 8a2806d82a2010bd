"""Editing a draft: where steps go, and what their ids are."""

from __future__ import annotations

from typing import Any

import pytest

from campaigns.admin import draft as drafts
from campaigns.admin import sorts
from campaigns.admin.draft import Place
from campaigns.admin.sorts import SORTS
from campaigns.engine.boxes import BUILDERS


def step(step_id: str) -> dict[str, Any]:
    return {"id": step_id, "kind": "exit"}


def sample() -> drafts.Draft:
    """a, split(p: b | else: c), d"""
    paths = [
        {"id": "p", "if": {"trait": "plan", "is": "pro"}, "steps": [step("b")]},
        {"id": "else", "steps": [step("c")]},
    ]
    return drafts.opened({"steps": [step("a"), {"id": "split", "kind": "branch", "paths": paths}, step("d")]})


def outline(draft: drafts.Draft) -> str:
    def say(steps: list[dict[str, Any]]) -> str:
        return " ".join(
            found["id"] + "".join(f"({path['id']}: {say(path['steps'])})" for path in drafts.paths(found))
            for found in steps
        )

    return say(draft["steps"])


def test_moving_down_visits_every_place_in_reading_order() -> None:
    draft, seen = sample(), []
    for _ in range(8):
        draft = drafts.move(draft, "a", +1)
        seen.append(outline(draft))
    assert seen == [
        "split(p: a b)(else: c) d",
        "split(p: b a)(else: c) d",
        "split(p: b)(else: a c) d",
        "split(p: b)(else: c a) d",
        "split(p: b)(else: c) a d",
        "split(p: b)(else: c) d a",
        "split(p: b)(else: c) d a",
        "split(p: b)(else: c) d a",
    ]


def test_moving_up_is_moving_down_backwards() -> None:
    draft = drafts.move(drafts.move(sample(), "a", +1), "a", -1)
    assert draft == sample()


def test_a_branch_moves_with_all_it_holds_and_never_into_itself() -> None:
    assert outline(drafts.move(sample(), "split", +1)) == "a d split(p: b)(else: c)"
    assert outline(drafts.move(sample(), "split", -1)) == "split(p: b)(else: c) a d"


def test_a_step_is_added_where_it_was_asked_for_with_an_id_never_used_before() -> None:
    draft, first = drafts.add(sample(), "send", Place("split/p", 1), taken=["mail"])
    draft, second = drafts.add(draft, "send", Place("", 0), taken=["mail"])
    assert (first, second) == ("mail-2", "mail-3")
    assert outline(draft) == "mail-3 a split(p: b mail-2)(else: c) d"


@pytest.mark.parametrize("place", [Place("nowhere/else", 0), Place("split/q", 0)])
def test_a_place_that_is_gone_changes_nothing(place: Place) -> None:
    draft, step_id = drafts.add(sample(), "send", place, taken=[])
    assert (draft, step_id) == (sample(), "")


def test_a_new_branch_has_a_path_and_everybody_else() -> None:
    draft, step_id = drafts.add(sample(), "branch", Place("", 0), taken=[])
    step = drafts.find(draft, step_id) or {}
    assert [drafts.is_else(step, path) for path in drafts.paths(step)] == [False, True]


def test_every_sort_that_is_offered_can_be_added_and_opened_unchanged() -> None:
    for name, sort in SORTS.items():
        draft, step_id = drafts.add(sample(), name, Place("", 0), taken=[])
        step = drafts.find(draft, step_id)
        assert step and sorts.of(step) is sort and step["kind"] in BUILDERS
        assert drafts.opened(draft) == draft


def test_a_path_of_a_split_is_added_at_the_end_and_any_can_be_removed() -> None:
    draft, step_id = drafts.add({"steps": []}, "split", Place("", 0), taken=[])
    draft, path_id = drafts.add_path(draft, step_id)
    assert outline(draft) == f"chance(a: )(b: )({path_id}: )"
    assert outline(drafts.remove_path(draft, step_id, "a")) == f"chance(b: )({path_id}: )"


def test_a_path_is_added_before_everybody_else_who_cannot_be_removed() -> None:
    draft, path_id = drafts.add_path(sample(), "split")
    assert outline(draft) == f"a split(p: b)({path_id}: )(else: c) d"
    assert outline(drafts.remove_path(draft, "split", "p")) == f"a split({path_id}: )(else: c) d"
    assert drafts.remove_path(draft, "split", "else") == draft


def test_removing_a_branch_removes_what_it_holds() -> None:
    assert outline(drafts.remove(sample(), "split")) == "a d"
    assert drafts.remove(sample(), "unknown") == sample()


def test_edits_leave_the_given_draft_alone() -> None:
    draft = sample()
    drafts.move(draft, "a", +1)
    drafts.remove(draft, "a")
    drafts.add(draft, "send", Place("", 0), taken=[])
    drafts.add_path(draft, "split")
    assert draft == sample()


@pytest.mark.parametrize(
    "broken",
    [
        None,
        [],
        {},
        {"steps": "x", "trigger": 3, "goal": [], "speed": "fast"},
        {"steps": [3, {"kind": "branch", "paths": 1}]},
    ],
)
def test_any_draft_can_be_opened(broken: Any) -> None:
    opened = drafts.opened(broken)
    assert opened["speed"] == 1 and opened["trigger"]["event"] == ""
    assert drafts.opened(opened) == opened


def test_ids_that_are_missing_or_come_twice_are_given_anew() -> None:
    draft = drafts.opened({"steps": [{"kind": "delay"}, {"id": "a", "kind": "exit"}, {"id": "a", "kind": "exit"}]})
    assert [found["id"] for found in drafts.walk(draft)] == ["wait", "a", "end"]


def test_equal_drafts_share_a_revision_whatever_the_order_of_their_keys() -> None:
    assert drafts.revision({"a": 1, "b": [2]}) == drafts.revision({"b": [2], "a": 1})
    assert drafts.revision({"a": 1}) != drafts.revision({"a": 2})
