"""Any JSON into calls: what a mapping says, and what it says when something is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from events.expressions import Payload
from events.mapping import DEFAULT, MappingError, apply, parse

TRACK = {"type": "track", "user_id": "$.user", "event": "Paid"}


def calls(tree: Any, payload: Any) -> list[Any]:
    """Each outcome as a call, a problem's place, or None."""
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    outcomes = apply(parse(tree), Payload(raw, {}))
    return [
        json.loads(outcome.call) if outcome.call else outcome.problem.path if outcome.problem else None
        for outcome in outcomes
    ]


def one(payload: Any, **changes: Any) -> Any:
    return calls({"calls": [{**TRACK, **changes}]}, payload)[0]


def test_a_cart_needs_no_mapping() -> None:
    cart = {"user_id": "12345", "product_id": "98765", "event": "add_to_cart"}
    made = {"type": "track", "userId": "12345", "event": "add_to_cart", "properties": {"product_id": "98765"}}
    assert calls({}, cart) == calls(DEFAULT, cart) == [made]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"userId": 7, "type": "x"}, {"userId": 7, "event": "x", "properties": {}}),
        (
            {"customer": {"id": "c"}, "name": "x"},
            {"userId": "c", "event": "x", "properties": {"customer": {"id": "c"}}},
        ),
        ({"anonymousId": "a", "event_name": "x"}, {"anonymousId": "a", "event": "x", "properties": {}}),
        (
            {"user_id": "", "userId": "u", "event": "x", "name": "n"},
            {"userId": "u", "event": "x", "properties": {"user_id": "", "name": "n"}},
        ),
        (
            {"user_id": "u", "event": "x", "message_id": "m", "timestamp": "2026-01-02T03:04:05Z"},
            {
                "userId": "u",
                "event": "x",
                "messageId": "m",
                "timestamp": "2026-01-02T03:04:05Z",
                "properties": {},
            },
        ),
    ],
)
def test_the_usual_names_are_understood_without_a_mapping(payload: Any, expected: Any) -> None:
    assert calls({}, payload) == [{"type": "track", **expected}]


def test_one_payload_may_make_several_calls_each_with_its_own_message_id() -> None:
    tree = {
        "calls": [
            {"type": "identify", "user_id": "$.u", "message_id": "$.id", "traits": {"email": "$.mail"}},
            {"type": "track", "user_id": "$.u", "message_id": "$.id", "event": "Paid", "properties": {"sum": "$.sum"}},
        ]
    }
    assert calls(tree, b'{"u": "ada", "id": 5, "mail": "a@b.example", "sum": 10.50}') == [
        {"type": "identify", "userId": "ada", "messageId": 5, "traits": {"email": "a@b.example"}},
        {"type": "track", "userId": "ada", "messageId": "5:2", "event": "Paid", "properties": {"sum": 10.5}},
    ]


def test_named_properties_stand_beside_everything_else_and_win() -> None:
    payload = {"user": "ada", "sum": 1, "plan": "pro"}
    assert one(payload, properties={"sum": "$.plan"})["properties"] == {"sum": "pro"}
    made = one(payload, properties={"sum": "$.plan", "none": "$.none"}, everything=True)
    assert made["properties"] == {"sum": "pro", "plan": "pro"}


@pytest.mark.parametrize(
    ("value", "time"),
    [
        (1767323045, "2026-01-02T03:04:05+00:00"),
        ("1767323045", "2026-01-02T03:04:05+00:00"),
        (1767323045500, "2026-01-02T03:04:05.500000+00:00"),
        ("2026-01-02", "2026-01-02"),
        ("yesterday", "yesterday"),
    ],
)
def test_unix_times_are_times_too(value: Any, time: str) -> None:
    assert one({"user": "ada", "at": value}, timestamp="$.at")["timestamp"] == time


def test_a_time_beyond_all_calendars_is_named() -> None:
    assert one({"user": "ada", "at": 1e300}, timestamp="$.at") == "calls[0].timestamp"


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"value": "$.topic", "is": "paid"}, True),
        ({"value": "$.topic", "is": "sent"}, False),
        ({"value": "$.topic", "is_not": "sent"}, True),
        ({"value": "$.nothing", "is_not": "sent"}, True),
        ({"value": "$.sum", "is": "30"}, True),
        ({"value": "$.sum", "is": 30.0}, True),
        ({"value": "$.live", "is": True}, True),
        ({"value": "$.live", "is": "false"}, False),
        ({"value": "$.topic", "in": ["sent", "paid"]}, True),
        ({"value": "$.topic", "in": ["sent"]}, False),
        ({"value": "$.topic", "exists": True}, True),
        ({"value": "$.none", "exists": True}, False),
        ({"value": "$.nothing", "exists": False}, True),
        ({"value": "{% if payload.sum > 20 %}yes{% endif %}", "exists": True}, True),
        ({"value": "{% if payload.sum > 40 %}yes{% endif %}", "exists": True}, False),
    ],
)
def test_a_call_is_made_only_when_its_condition_holds(condition: Any, holds: bool) -> None:
    payload = {"user": "ada", "topic": "paid", "sum": 30, "live": True, "none": None}
    assert (one(payload, only_when=condition) is not None) == holds


def test_what_a_payload_lacks_is_named_with_what_to_do() -> None:
    outcome = apply(parse({"calls": [{**TRACK, "user_id": "$.who or $.uid"}]}), Payload(b'{"user": "ada"}'))[0]
    assert outcome.problem is not None
    assert outcome.problem.path == "calls[0].user_id"
    assert "Nothing was found at $.who or $.uid. Point user_id at" in outcome.problem.message
    assert one({"user": "ada"}, event="$.event") == "calls[0].event"
    assert one({"user": "ada"}, properties={"x": "{{ payload.user | truncate: 'x' }}"}) == "calls[0].properties.x"


@pytest.mark.parametrize(
    ("tree", "place", "words"),
    [
        ({"calls": []}, "calls", "needs a list"),
        ([1], "calls", "needs a list"),
        ({"calls": [TRACK] * 11}, "calls", "10 calls"),
        ({"calls": [5]}, "calls[0].type", "track, identify"),
        ({"calls": [{**TRACK, "type": "page"}]}, "calls[0].type", "track, identify"),
        ({"calls": [{**TRACK, "userid": "x"}]}, "calls[0].userid", "A call has no userid"),
        ({"calls": [{"type": "track", "event": "x"}]}, "calls[0].user_id", "$.user_id"),
        ({"calls": [{"type": "track", "user_id": "$.u"}]}, "calls[0].event", "$.event"),
        ({"calls": [TRACK, {**TRACK, "user_id": "user_id"}]}, "calls[1].user_id", "Write $.user_id to look it up"),
        ({"calls": [{**TRACK, "event": "$."}]}, "calls[0].event", "cannot be read"),
        ({"calls": [{**TRACK, "event": 5}]}, "calls[0].event", "Say where the value is"),
        ({"calls": [{**TRACK, "properties": {"a": ""}}]}, "calls[0].properties.a", "Say where the value is"),
        ({"calls": [{**TRACK, "properties": "all"}]}, "calls[0].properties", "has to be an object"),
        ({"calls": [{**TRACK, "only_when": "paid"}]}, "calls[0].only_when", "Write {"),
        ({"calls": [{**TRACK, "only_when": {"value": "$.a", "gt": 5}}]}, "calls[0].only_when", "Write {"),
        ({"calls": [{**TRACK, "only_when": {"value": "$.a", "is": [1]}}]}, "calls[0].only_when", "compare with"),
        ({"calls": [{**TRACK, "only_when": {"value": "$.a", "exists": "x"}}]}, "calls[0].only_when", "yes or no"),
    ],
)
def test_a_mapping_that_cannot_be_used_names_the_place(tree: Any, place: str, words: str) -> None:
    with pytest.raises(MappingError) as caught:
        parse(tree)
    assert place in [problem.path for problem in caught.value.problems]
    assert words in str(caught.value)
