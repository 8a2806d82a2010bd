"""Kinds that other rooms add: what is read becomes a question or a node, and mistakes keep their place. No database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from events.conditions import ConditionError, Foreign, Not, Performed, What, kinds, parse
from events.conditions.kinds import Kind


def read(tree: Mapping[str, Any]) -> Any:
    match tree["weather"]:
        case "sun":
            return "sun"
        case "storm":
            return parse({"event": "Storm Seen", "count": tree["count"]})
        case "hail":
            raise ValueError("must not be so large", "size")
    raise ValueError("must be sun or storm")


@pytest.fixture(autouse=True)
def weather(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(kinds, "_kinds", {})
    kinds.add(Kind("weather", frozenset({"size", "count"}), read))
    yield


def test_what_is_read_is_a_question_or_a_node() -> None:
    assert parse({"not": {"weather": "sun"}}) == Not(Foreign("weather", "sun"))
    node = parse({"weather": "storm", "count": {"gte": 2}})
    assert isinstance(node, Performed)
    assert node.what == What("Storm Seen")


@pytest.mark.parametrize(
    ("tree", "path", "message"),
    [
        ({"weather": "snow"}, "all[0].weather", "must be sun or storm"),
        ({"weather": "hail", "size": 9}, "all[0].size", "must not be so large"),
        ({"weather": "storm", "count": {"gte": -1}}, "all[0].count.gte", "must be a whole number from 0 to 10,000"),
        ({"weather": "sun", "wind": 3}, "all[0].wind", "is not known here; known are count, size, weather"),
    ],
)
def test_a_mistake_keeps_its_place(tree: object, path: str, message: str) -> None:
    with pytest.raises(ConditionError) as error:
        parse({"all": [tree]})
    assert (error.value.path, error.value.message) == (path, message)
