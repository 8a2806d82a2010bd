from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events import catalog, retention
from events.models import EventCount, EventDefinition, PropertyStat, Violation
from events.schemas import Schema
from tests.factories import make_event, make_profile, planned

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def stats(name: str) -> dict[str, PropertyStat]:
    return {stat.path: stat for stat in catalog.properties(name)}


def test_names_properties_and_traits_are_learned_with_types_shares_and_examples() -> None:
    ada, bob = make_profile(), make_profile()
    make_event(ada, properties={"price": 3, "plan": "pro", "cart": {"size": 2}, "note": None})
    make_event(bob, properties={"price": "4", "plan": "pro", "coupon": ""})
    make_event(ada, "", {"first_name": "Ada", "vip": True}, type="identify")
    assert catalog.learn() == 3
    assert catalog.names() == ["Order Completed"]
    assert catalog.names("order") == ["Order Completed"]
    definition = EventDefinition.objects.get(name="Order Completed")
    assert (definition.observed, definition.last_seen_at is not None) == (2, True)
    found = stats("Order Completed")
    assert found["price"].types == {"number": 1, "string": 1}
    assert {path: stat.filled for path, stat in found.items()} == {
        "price": 2, "plan": 2, "cart": 1, "cart.size": 1, "note": 0, "coupon": 0,
    }  # fmt: skip
    assert found["plan"].examples == ["pro"]
    assert {stat.path for stat in catalog.traits()} == {"first_name", "vip"}


def test_no_example_tells_of_one_person_or_of_what_is_personal() -> None:
    ada, bob = make_profile(), make_profile()
    for person in (ada, bob):
        make_event(person, properties={"email": "a@b.example", "orderId": "7", "contact": "x@y.example", "size": "M"})
    make_event(ada, properties={"size": "only hers"})
    catalog.learn()
    assert {stat.path: stat.examples for stat in catalog.properties("Order Completed")} == {
        "email": [], "orderId": [], "contact": [], "size": ["M"],
    }  # fmt: skip


def test_learning_goes_on_where_it_stopped_and_leaves_test_people_out() -> None:
    ada = make_profile()
    make_event(ada)
    make_event(make_profile(is_test=True), "Only A Test")
    assert [catalog.learn(), catalog.learn()] == [1, 0]
    make_event(ada)
    assert catalog.learn() == 1
    assert EventDefinition.objects.get().observed == 2


def test_what_is_learned_and_what_it_costs_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "SAMPLE", 20)
    monkeypatch.setattr(catalog, "MAX_NAMES", 10)
    monkeypatch.setattr(catalog, "MAX_PATHS", 30)
    planned("Wide")
    ada = make_profile()

    def deep(levels: int) -> dict[str, Any]:
        return {"in": deep(levels - 1)} if levels else {}

    def noise(turn: int) -> None:
        for n in range(30):
            make_event(ada, f"Name {turn} {n}", {"x": 1})
            make_event(ada, "Wide", {f"key {turn} {n} {k}": k for k in range(20)} | {"k" * 500: 1} | deep(50))

    def statements() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert catalog.learn() == 20
        return len(asked.captured_queries)

    noise(1)
    first = statements()
    noise(2)
    # The first names cost an insert; a run that meets only known ones or has no room costs less.
    assert statements() <= first
    assert EventDefinition.objects.count() == 10
    assert PropertyStat.objects.filter(definition__name="Wide").count() == 30
    assert not PropertyStat.objects.filter(path__contains="in.in.in.in").exists()


def test_a_flood_of_names_keeps_no_name_out_that_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "MAX_NAMES", 10)
    ada = make_profile()
    for n in range(20):
        make_event(ada, f"Clicked {n}")
        EventCount.objects.create(hour=timezone.now(), name=f"Clicked {n}", count=1)
    planned("Wanted", description="Comes once a year.")
    for _ in range(3):
        make_event(ada, "Signed Up")
    catalog.learn()
    assert {"Wanted", "Signed Up"} <= set(catalog.names())
    for name in ("Order Completed", "Order Completed", "Clicked Again", "Signed Up"):
        make_event(ada, name)
    catalog.learn()
    assert {"Wanted", "Signed Up", "Order Completed"} <= set(catalog.names())
    assert "Clicked Again" not in catalog.names()
    assert EventDefinition.objects.count() == 10


def test_figures_slide_so_that_they_are_about_recent_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "SLIDE", 4)
    ada = make_profile()
    for _ in range(4):
        make_event(ada, properties={"old": 1})
    catalog.learn()
    make_event(ada, properties={"new": 1})
    make_event(ada, properties={"new": 1})
    catalog.learn()
    found = stats("Order Completed")
    assert EventDefinition.objects.get().observed == 3
    assert (found["old"].filled, found["new"].filled) == (2, 1)


def test_what_conditions_can_ask_for_is_offered_the_usual_first() -> None:
    ada = make_profile()
    for n in range(3):
        make_event(ada, properties={"total": n, "coupon": "" if n else "X"})
    make_event(ada, "", {"plan": "pro", "total": 1}, type="identify")
    EventCount.objects.create(hour=timezone.now(), name="Order Completed", count=3)
    EventCount.objects.create(hour=timezone.now(), name="[identify]", count=30)
    planned("Invited")
    planned("order_done", rename_to="Order Completed")
    catalog.learn()
    assert catalog.events_to_choose(9) == ["Order Completed", "Invited"]
    assert catalog.events_to_choose(1) == ["Order Completed"]


def test_names_are_complete_even_where_no_sample_has_them() -> None:
    EventCount.objects.create(hour=timezone.now(), name="Rare", count=1)
    EventCount.objects.create(hour=timezone.now(), name="[throttled] Rare", count=1)
    catalog.learn()
    assert catalog.names() == ["Rare"]


def test_the_nearest_name_is_suggested_for_a_misspelled_one() -> None:
    known = ["Order Completed", "Signed Up"]
    assert catalog.spelled_like("order complete", known) == "Order Completed"
    assert catalog.spelled_like("Something Else", known) == ""


def test_what_was_seen_keeps_to_the_schema_that_is_suggested() -> None:
    ada = make_profile()
    seen = [{"price": 1, "name": "x"}, {"price": 2.5, "tags": ["a"], "name": None}]
    for properties in seen:
        make_event(ada, properties=properties)
    catalog.learn()
    suggested = catalog.suggested_schema(EventDefinition.objects.get())
    assert suggested is not None
    assert suggested["required"] == ["price"]
    schema = Schema(suggested)
    assert [schema.flaws(text) for text in (b'{"price": 1, "name": "x"}', b'{"price": 2.5, "name": null}')] == [[], []]
    assert [flaw.path for flaw in schema.flaws(b'{"price": "dear"}')] == ["price"]


def test_violations_are_forgotten_after_a_week() -> None:
    old, new = (Violation.objects.create(name="A", message="m", occurred_at=NOW - timedelta(days=d)) for d in (8, 6))
    retention.forget(NOW, 1e12)
    assert list(Violation.objects.all()) == [new]
    assert old.pk != new.pk
