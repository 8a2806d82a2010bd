"""What a computed trait comes to: by tables, and against a slow reference."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.computed import definitions, writing
from events.models import ComputedTrait, Event, Profile
from tests.factories import make_profile

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
VIEWS = [
    (9, {"sku": "a", "price": 10, "name": "Lamp"}),
    (7, {"sku": "b", "price": 2.5}),
    (5, {"sku": "a", "price": 30, "name": "Lamp II"}),
    (3, {"sku": None, "price": "free"}),
    (2, {"sku": "c", "price": True}),
    (1, {"sku": "b", "price": 2.5}),
]


def view(person: Profile, days_ago: float, properties: dict[str, Any], **columns: Any) -> None:
    at = NOW - timedelta(days=days_ago)
    columns = {"name": "Viewed", "type": "track", "timestamp": at, "received_at": at, **columns}
    Event.objects.create(profile=person, properties=properties, **columns)


def make(function: str, **columns: Any) -> ComputedTrait:
    return ComputedTrait(**{"name": "it", "function": function, "event": "Viewed", **columns})


def value(row: ComputedTrait, person: Profile, now: datetime = NOW) -> Any:
    assert definitions.problems(row) == {}
    return writing.preview(definitions.read(row), [person.pk], now)[person.pk]


@pytest.mark.parametrize(
    ("function", "columns", "wanted"),
    [
        ("count", {}, 6),
        ("count", {"within": "4d"}, 3),
        ("count", {"within": "1h"}, None),
        ("count", {"where": {"property": "price", "gt": 5}}, 2),
        (
            "count",
            {"where": {"any": [{"property": "sku", "is": "c"}, {"not": {"property": "sku", "exists": True}}]}},
            2,
        ),
        ("sum", {"properties": ["price"]}, 45),
        ("min", {"properties": ["price"]}, 2.5),
        ("max", {"properties": ["price"]}, 30),
        ("average", {"properties": ["price"]}, 11.25),
        ("sum", {"properties": ["sku"]}, None),
        ("first", {"properties": ["sku"]}, "a"),
        ("last", {"properties": ["sku"]}, "b"),
        ("last", {"properties": ["sku"], "where": {"property": "price", "gt": 5}}, "a"),
        ("last", {"properties": ["nothing"]}, None),
        ("most_frequent", {"properties": ["sku"]}, "b"),
        ("last_values", {"properties": ["sku"]}, ["b", "c", "a"]),
        ("last_values", {"properties": ["sku"], "number": 2}, ["b", "c"]),
        ("last_values", {"properties": ["sku"], "within": "6d"}, ["b", "c", "a"]),
        ("last_values", {"properties": ["nothing"]}, None),
        (
            "last_values",
            {"properties": ["sku", "name"]},
            [{"sku": "b", "name": None}, {"sku": "c", "name": None}, {"sku": "a", "name": "Lamp II"}],
        ),
        ("distinct", {"properties": ["sku"]}, 3),
        ("first_time", {}, "2026-02-20T12:00:00.000000Z"),
        ("last_time", {}, "2026-02-28T12:00:00.000000Z"),
    ],
)
def test_each_function(function: str, columns: dict[str, Any], wanted: Any) -> None:
    ada = make_profile("ada")
    for days_ago, properties in VIEWS:
        view(ada, days_ago, properties)
    view(make_profile("ben"), 1, {"sku": "z", "price": 1000})
    view(ada, 1, {"sku": "z", "price": 1000}, name="Bought")
    view(ada, 1, {"sku": "z", "price": 1000}, type="page")
    assert value(make(function, **columns), ada) == wanted


def test_pages_and_nested_properties() -> None:
    ada = make_profile("ada")
    view(ada, 2, {"product": {"tags": ["x"]}}, type="page", name="Product")
    view(ada, 1, {"product": "none"}, type="page", name="Product")
    assert value(make("last", event_type="page", event="Product", properties=["product.tags"]), ada) == ["x"]


@pytest.mark.parametrize(
    ("columns", "field", "words"),
    [
        ({"name": "email"}, "name", "Choose another name"),
        ({"event": " "}, "event", "Name the event"),
        ({"within": "soon"}, "within", "10m, 24h, 30d"),
        ({"function": "sum"}, "properties", "Name the property"),
        ({"function": "sum", "properties": ["a", "b"]}, "properties", "one property"),
        ({"properties": ["a"]}, "properties", "Leave it empty"),
        ({"function": "last", "properties": ["a..b"]}, "properties", "dots"),
        ({"function": "last", "properties": ["a.id", "b.id"]}, "properties", "called id"),
        ({"function": "last", "properties": [f"p{n}" for n in range(11)]}, "properties", "At most 10"),
        ({"where": {"all": [{"property": "price"}]}}, "where", "all[0]"),
        ({"where": {"trait": "plan", "is": "pro"}}, "where", "properties"),
        ({"where": {"event": "Viewed"}}, "where", "event"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(columns: dict[str, Any], field: str, words: str) -> None:
    found = definitions.problems(make(**{"function": "count", **columns}))
    assert list(found) == [field]
    assert words in found[field]


def test_a_clock_that_is_ahead_counts_from_arrival_on() -> None:
    ada = make_profile("ada")
    view(ada, 0, {}, timestamp=NOW + timedelta(days=3), received_at=NOW - timedelta(hours=2))
    assert value(make("count"), ada) == 1
    assert value(make("count", within="3h"), ada) == 1
    assert value(make("count", within="2h"), ada) is None
    assert value(make("last_time"), ada) == "2026-03-01T10:00:00.000000Z"


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from(["a", "b", "", "1"]), st.sampled_from([0.5, 1.0])
)
EVENTS = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 3), st.dictionaries(st.sampled_from("xyz"), SCALARS)), max_size=12
)
ASKED = st.tuples(
    st.sampled_from(ComputedTrait.Function.values),
    st.sampled_from(["", "10d", "3h"]),
    st.sampled_from([None, {"property": "y", "exists": True}, {"property": "x", "gt": 0}]),
    st.integers(1, 3),
    st.booleans(),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(past=EVENTS, asked=st.lists(ASKED, min_size=4, max_size=8))
def test_the_value_is_what_the_reference_says(past: list[Any], asked: list[Any]) -> None:
    ada = make_profile()
    stored = []
    for days, hours, properties in past:
        view(ada, days + hours / 24, properties)
        stored.append((NOW - timedelta(days=days, hours=hours), properties))
    for function, within, where, number, shows_two in asked:
        row = make(function, within=within, where=where, number=number)
        if function not in definitions.WITHOUT_PROPERTY:
            row.properties = ["x", "y"] if shows_two and function in definitions.WITH_OBJECTS else ["x"]
        later = NOW
        for _ in range(3):
            assert close(value(row, ada, later), reference(row, stored, later)), (row.__dict__, later)
            at = turn(row, ada, later)
            if at is None:
                last = NOW + timedelta(days=400)
                assert close(value(row, ada, later), reference(row, stored, last)), "nothing changes any more"
                break
            assert at > later
            same = reference(row, stored, at - timedelta(microseconds=1))
            assert close(value(row, ada, later), same), "nothing changes before the named instant"
            later = at


def turn(row: ComputedTrait, person: Profile, now: datetime) -> datetime | None:
    (answer,) = writing._answers(definitions.read(row), [person.pk], now)
    return answer.look_at


def close(one: Any, other: Any) -> bool:
    if isinstance(other, Fraction):
        return isinstance(one, int | float) and not isinstance(one, bool) and abs(one - other) < 1e-9
    return canonical(one) == canonical(other)


def canonical(value: Any) -> str:
    """JSON in which 1 and 1.0 are one number, and true is none."""
    if isinstance(value, list):
        return f"[{','.join(map(canonical, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{key}:{canonical(value[key])}' for key in sorted(value))}}}"
    return (
        json.dumps(float(value))
        if isinstance(value, int | float) and not isinstance(value, bool)
        else json.dumps(value)
    )


SPANS = {"10d": timedelta(days=10), "3h": timedelta(hours=3)}


def reference(row: ComputedTrait, stored: list[tuple[datetime, dict[str, Any]]], now: datetime) -> Any:
    """Reckon literally, over plain lists, the oldest first; of equal instants in the order of the log."""
    found = sorted(stored, key=lambda each: each[0])
    if row.within:
        found = [each for each in found if each[0] > now - SPANS[row.within]]
    match row.where:
        case {"exists": True}:
            found = [each for each in found if each[1].get("y") is not None]
        case {"gt": _}:
            found = [each for each in found if is_number(each[1].get("x")) and each[1]["x"] > 0]
    if row.function == "count":
        return len(found) or None
    if row.function in ("first_time", "last_time"):
        times = [at for at, _ in found]
        return f"{times[0 if row.function == 'first_time' else -1]:%Y-%m-%dT%H:%M:%S.%fZ}" if times else None
    return of_values(row, [properties for _, properties in found if properties.get("x") is not None])


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def of_values(row: ComputedTrait, found: list[dict[str, Any]]) -> Any:
    numbers = [Fraction(each["x"]) for each in found if is_number(each["x"])]
    keys = [canonical(each["x"]) for each in found]
    shown = [
        each["x"] if len(row.properties) == 1 else {name: each.get(name) for name in row.properties} for each in found
    ]
    newest_first = list(dict.fromkeys(reversed(keys)))
    newest = {key: what for key, what in zip(keys, shown, strict=True)}  # noqa: C416
    if row.function == "distinct":
        return len(newest) or None
    if row.function == "last_values":
        return [newest[key] for key in newest_first[: row.number]] or None
    if row.function in ("first", "last"):
        return (shown[0] if row.function == "first" else shown[-1]) if shown else None
    if row.function == "most_frequent":
        often = Counter(keys)
        return newest[max(newest_first, key=lambda key: often[key])] if keys else None
    if not numbers:
        return None
    reckon = {"sum": sum, "min": min, "max": max, "average": lambda of: sum(of) / len(of)}[row.function]
    return Fraction(reckon(numbers))
