"""The mapping as a form: what is typed, what is stored, and back again."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import QueryDict

from events import mapping
from events.admin import hook_trial
from events.admin.mapping_form import Call, Word, act, posted, rows, slots, tree

CALL = {"type": "track", "user_id": "$.u", "event": "Paid"}


def form(**fields: Any) -> QueryDict:
    data = QueryDict(mutable=True)
    for name, value in fields.items():
        data.setlist(name.replace("_0_", "0-"), value if isinstance(value, list) else [value])
    return data


@pytest.mark.parametrize(
    "stored",
    [
        mapping.DEFAULT,
        {"calls": [CALL]},
        {"calls": [CALL, {"type": "identify", "user_id": "$.u", "traits": {"email": "$.mail"}, "everything": True}]},
        {"calls": [{**CALL, "properties": {"a": "$.a", "b": "{{ payload.b }}"}}]},
        {"calls": [{**CALL, "only_when": {"value": "$.topic", "is": "paid"}}]},
        {"calls": [{**CALL, "only_when": {"value": "$.topic", "is_not": "paid"}}]},
        {"calls": [{**CALL, "only_when": {"value": "$.topic", "in": ["paid", "sent"]}}]},
        {"calls": [{**CALL, "only_when": {"value": "$.topic", "exists": True}}]},
        {"calls": [{**CALL, "only_when": {"value": "$.topic", "exists": False}}]},
    ],
)
def test_a_stored_mapping_survives_the_form(stored: Any) -> None:
    assert tree(rows(stored)) == stored
    mapping.parse(stored)


@pytest.mark.parametrize("stored", [None, [], {"calls": 5}, {"calls": [5]}, {"calls": [{"properties": 5}]}])
def test_a_mapping_that_is_none_still_opens(stored: Any) -> None:
    assert isinstance(tree(rows(stored)), dict)


def test_what_was_typed_becomes_a_mapping() -> None:
    data = form(
        calls="1",
        c_0_type="track",
        c_0_user_id=" $.u ",
        c_0_event="Paid",
        c_0_everything="1",
        c_0_name=["total", "", "x"],
        c_0_expression=["$.sum", "", ""],
        c_0_test="in",
        c_0_value="$.topic",
        c_0_operand="paid, sent,",
    )
    assert tree(posted(data)) == {
        "calls": [
            {
                **CALL,
                "properties": {"total": "$.sum", "x": ""},
                "everything": True,
                "only_when": {"value": "$.topic", "in": ["paid", "sent"]},
            }
        ]
    }


@pytest.mark.parametrize("count", ["", "x", "-1", "99999999"])
def test_a_count_that_nobody_typed_does_no_harm(count: str) -> None:
    assert posted(form(calls=count)) == []


def test_buttons_add_and_remove_and_ignore_what_is_not_there() -> None:
    calls = rows({"calls": [CALL]})
    for action in ("add-word:0", "add-word:0", "remove-word:0:0", "add-call", "remove-call:0", "remove-call:0"):
        act(calls, action)
    assert len(calls) == 1 and calls[0].words == []
    for action in ("remove-word:0:7", "remove-call:7", "add-word:7", "nonsense", "add-word:²", "remove-word:0"):
        act(calls, action)
    assert len(calls) == 1 and calls[0].words == []
    for _ in range(20):
        act(calls, "add-call")
    assert len(calls) == mapping.MAX_CALLS


def test_every_problem_has_its_place_beside_a_field() -> None:
    calls = [
        Call(
            "track", {"user_id": "user_id", "event": "$."}, words=[Word("a", "$."), Word("a", "$.b"), Word("", "$.c")]
        ),
        Call("identify", {"user_id": "$.u"}, test="is", value="", operand="x"),
    ]
    found = hook_trial.problems(calls)
    assert set(found) == {
        "hook-0-user_id",
        "hook-0-event",
        "hook-0-word-1",
        "hook-0-word-2",
        "hook-1-only_when",
    }
    assert set(found) <= set(slots(calls).values())


# --- The try-out ----------------------------------------------------------------------------------------------------
def run(stored: Any, text: str, **headers: str) -> hook_trial.Trial:
    return hook_trial.run(rows(stored), text, headers)


def test_a_trial_shows_what_the_payload_becomes_and_what_each_field_finds() -> None:
    trial = run(mapping.DEFAULT, '{"user_id": 7, "event": "Paid", "sum": 10.50}')
    line = trial.lines[0][0]
    assert line.item is not None and (line.item.name, line.item.user_id) == ("Paid", "7")
    assert line.call == {"type": "track", "userId": 7, "event": "Paid", "properties": {"sum": 10.5}}
    assert trial.notes["hook-0-user_id"].text == "→ 7"
    assert trial.notes["hook-0-timestamp"].text == "→ nothing in this payload"
    assert trial.is_usable


def test_a_trial_uses_the_checks_that_a_real_call_meets() -> None:
    trial = run(mapping.DEFAULT, '{"user_id": "u", "event": "Paid", "timestamp": "soon"}')
    assert trial.notes["hook-0-timestamp"].is_bad
    refusal = trial.lines[0][0].refusal
    assert refusal is not None and "ISO 8601" in refusal.message


def test_a_trial_says_when_a_condition_does_not_hold() -> None:
    line = run({"calls": [{**CALL, "only_when": {"value": "$.a", "exists": True}}]}, '{"u": 1}').lines[0][0]
    assert (line.call, line.item, line.refusal) == (None, None, None)


def test_headers_of_the_kept_call_can_be_used() -> None:
    trial = run({"calls": [{**CALL, "event": "{{ headers.x_topic }}"}]}, '{"u": 1}', **{"X-Topic": "paid"})
    item = trial.lines[0][0].item
    assert item is not None and item.name == "paid"


@pytest.mark.parametrize(("text", "words"), [("", "Paste a payload"), ("{", "not JSON"), ("5", "JSON object")])
def test_what_is_no_payload_is_said_beside_it(text: str, words: str) -> None:
    trial = run(mapping.DEFAULT, text)
    assert words in trial.payload_problem and not trial.lines


def test_of_a_list_the_first_few_are_tried() -> None:
    trial = run(mapping.DEFAULT, '[{"user_id": 1, "event": "e"}' + ',{"user_id": 1, "event": "e"}' * 7 + "]")
    assert (len(trial.lines), trial.more) == (hook_trial.SHOWN, 3)


def test_every_value_of_the_payload_is_suggested_by_a_path_that_finds_it() -> None:
    trial = run(mapping.DEFAULT, '{"a": {"b c": 1, "it\'s": 2}, "list": [{"x": 3}, {"x": 4}], "none": null}')
    assert trial.paths == ["$.a['b c']", '$.a["it\'s"]', "$.list[*]", "$.list[0].x", "$.none"]
