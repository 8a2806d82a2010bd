"""Names that nobody has met are warned of, with their place and the nearest known name; known ones never are."""

from __future__ import annotations

from typing import Any

import pytest

from events import catalog, unknown, vocabulary
from events.conditions.nodes import What
from events.models import Group, Segment
from events.vocabulary import About, Word
from tests.factories import make_event, make_profile

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def traffic() -> None:
    for number in range(2):
        ada = make_profile()
        make_event(
            ada, properties={"plan": "pro", "address": {"city": "Wien"}, "tags": ["a"]}, type="identify", name=""
        )
        make_event(ada, "Order Completed", {"total": number, "items": [{"sku": "A"}]})
        make_event(ada, "Pricing", {"path": "/pricing"}, type="page")
        make_event(ada, "Start", type="screen")
    Group.objects.create(type="company", key="acme", traits={"seats": 3})
    Segment.objects.create(slug="power-users", name="Power users")
    catalog.learn()


def found(tree: Any, at_hand: What | None = None) -> list[tuple[str, str]]:
    return [(each.path, each.nearest) for each in unknown.warnings(tree, at_hand)]


@pytest.mark.parametrize(
    ("tree", "warned"),
    [
        ({"trait": "plna", "is": 1}, [("trait", "plan")]),
        ({"trait": "Plan", "is": 1}, [("trait", "plan")]),
        ({"trait": "zzzzzz", "is": 1}, [("trait", "")]),
        ({"trait": "address.ctiy", "is": 1}, [("trait", "address.city")]),
        ({"all": [{"trait": "plan", "is": 1}, {"not": {"trait": "plna", "is": 1}}]}, [("all[1].not.trait", "plan")]),
        ({"event": "Order Complete"}, [("event", "Order Completed")]),
        ({"page": "Prcing"}, [("page", "Pricing")]),
        ({"screen": "Strat"}, [("screen", "Start")]),
        (
            {"event": "Order Completed", "where": {"any": [{"property": "totl", "gt": 3}]}},
            [("where.any[0].property", "total")],
        ),
        ({"page": "Pricing", "where": {"property": "pathh", "is": "x"}}, [("where.property", "path")]),
        ({"event": "Order Completed", "sum": {"property": "totla", "gt": 3}}, [("sum.property", "total")]),
        (
            {"sequence": [{"event": "Order Completed"}, {"event": "Ordr Completed"}], "same": "totl"},
            [("sequence[1].event", "Order Completed"), ("same", "total")],
        ),
        (
            {"event": "Order Completed", "then_not": {"event": "Gone", "within": "1d"}},
            [("then_not.event", "")],
        ),
        ({"group": "compny"}, [("group", "company")]),
        ({"group": "company", "trait": "seat", "gt": 1}, [("trait", "seats")]),
        ({"segment": "power-user"}, [("segment", "power-users")]),
        # Of what is itself unknown nothing more is said.
        ({"event": "Gone", "where": {"property": "x", "is": 1}}, [("event", "")]),
        ({"group": "tm", "trait": "x", "is": 1}, [("group", "")]),
    ],
)
def test_unknown_names_are_warned_of_with_the_nearest_known_one(tree: Any, warned: list[tuple[str, str]]) -> None:
    assert found(tree) == warned


@pytest.mark.parametrize(
    "tree",
    [
        {"trait": "plan", "is": 1},
        {"trait": "address", "exists": True},
        {"trait": "address.city", "is": 1},
        {"trait": "tags.0", "is": "a"},
        {"event": "Order Completed", "where": {"property": "items.0.sku", "is": "A"}},
        {"page": "Pricing", "where": {"property": "path", "is": "/"}},
        {"screen": "Start"},
        {"group": "company", "trait": "seats", "gt": 1},
        {"segment": "power-users"},
        {"event": "Segment Entered"},
        {"event": "Email Opened"},
        {"event": "Journey Started"},
        {"property": "anything", "is": 1},
    ],
)
def test_known_names_are_not_warned_of(tree: Any) -> None:
    assert found(tree) == []


def test_the_event_at_hand_knows_its_properties() -> None:
    tree = {"property": "totl", "gt": 3}
    assert found(tree, What("Order Completed")) == [("property", "total")]
    assert unknown.warnings(tree, What("Order Completed"))[0].message == (
        "No event “Order Completed” of late has had a property “totl”. Did you mean “total”?"
    )


def test_names_that_another_room_adds_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = {"trait": "orders_in_all", "gt": 3}
    assert found(tree) == [("trait", "")]
    monkeypatch.setitem(vocabulary._finders, "trait", [*vocabulary._finders["trait"]])
    vocabulary.register("trait", lambda about: [Word("orders_in_all", "number")])
    assert found(tree) == []


def test_braces_and_markup_in_names_stay_as_they_are() -> None:
    (one,) = unknown.warnings({"event": "{name} <b>"})
    assert one.message == "No event “{name} <b>” has come in yet."


def test_words_are_searched_by_beginning_then_by_part_then_by_spelling() -> None:
    words = [Word("Reorder"), Word("Order Completed"), Word("vip", label="Very important people")]
    assert [word.value for word in vocabulary.search(words, "ord", 9)] == ["Order Completed", "Reorder"]
    assert [word.value for word in vocabulary.search(words, "important", 9)] == ["vip"]
    assert [word.value for word in vocabulary.search(words, "Ordr Compleetd", 9)] == ["Order Completed"]
    assert len(vocabulary.search(words, "", 2)) == 2


def test_groups_are_hopped_through_by_type_and_a_sandbox_is_left_out() -> None:
    Group.objects.create(type="team", key="t", traits={"x": 1}, is_sandbox=True)
    assert [word.value for word in vocabulary.words("group")] == ["company", "team"]
    assert vocabulary.words("group_trait", About(group="team")) == []
    assert vocabulary.words("no such kind") == []
