from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import msgspec
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from events import counts, plan, violations
from events.api.inbound import Sampler
from events.ingest import Item, Result, ingest
from events.models import (
    AcceptedMessage,
    ComputedTrait,
    Event,
    InboundRequest,
    Profile,
    Source,
    SuppressedId,
    Violation,
)
from events.schemas import Schema
from events.suppression import add
from tests.factories import make_event, make_key, make_profile, make_source, planned
from tests.tracking import send

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
PRICED = {"type": "object", "required": ["price"], "properties": {"price": {"type": "number"}}}
_numbers = count()


def track(name: str = "Order Completed", at: float = 0, *, user: str = "u", **properties: Any) -> Item:
    when = NOW + timedelta(seconds=at)
    words = json.dumps(properties).encode()
    return Item("track", f"t{next(_numbers)}", when, user_id=user, name=name, properties=words)


def call(name: str = "Order Completed", **properties: Any) -> dict[str, Any]:
    return {"type": "track", "userId": "u", "event": name, "properties": properties}


def names() -> list[str]:
    return list(Event.objects.order_by("timestamp", "id").values_list("name", flat=True))


# --- Nothing planned, and what a change takes --------------------------------------------------------------------


def test_where_nothing_is_planned_screening_asks_nothing_and_hands_back_the_very_items() -> None:
    items = [track(), track()]
    with CaptureQueriesContext(connection) as asked:
        screened = plan.screen(make_source_row(), items)
    assert screened.items is items
    assert not asked.captured_queries


def make_source_row() -> Source:
    return Source(pk=1, name="Not stored")


def test_a_changed_plan_counts_within_two_seconds_and_is_read_once_until_then() -> None:
    planned("Old", rename_to="New")
    with CaptureQueriesContext(connection) as asked:
        assert [plan.screen(make_source_row(), [track("Old")]).items[0].name for _ in range(5)] == ["New"] * 5
    assert len(asked.captured_queries) == 2
    assert 0 < plan.memory.until - time.monotonic() <= 2


def test_an_unchanged_schema_is_not_made_ready_again() -> None:
    planned("Order Completed", schema=PRICED)
    first = plan.memory.current()["Order Completed"].schema
    plan.memory.until = 0
    assert plan.memory.current()["Order Completed"].schema is first
    planned("Order Completed", schema={"type": "object"})
    assert plan.memory.current()["Order Completed"].schema is not first


def test_a_schema_that_cannot_be_used_refuses_nothing() -> None:
    planned("Order Completed", schema={"type": "nonsense"}, schema_mode="block")
    assert ingest(make_source(), [track()], NOW).accepted == 1


# --- Rename ------------------------------------------------------------------------------------------------------


def test_a_renamed_event_is_stored_under_the_new_name_and_keeps_the_old_one() -> None:
    planned("order complete", rename_to="Order Completed")
    send("track", {"userId": "u", "event": "order complete", "messageId": "m", "anything": 1}, make_key())
    event = Event.objects.get()
    assert (event.name, event.extra) == ("Order Completed", {"anything": 1, "original_event": "order complete"})


def test_a_renamed_event_keeps_to_the_schema_of_its_new_name() -> None:
    planned("order complete", rename_to="Order Completed")
    planned("Order Completed", schema=PRICED, schema_mode="block")
    result = ingest(make_source(), [track("order complete"), track("order complete", price=1)], NOW)
    assert (result.accepted, len(result.refused)) == (1, 1)
    assert Violation.objects.get().name == "Order Completed"


# --- Schemas -----------------------------------------------------------------------------------------------------


def test_a_warning_stores_the_event_and_the_violation_with_a_sample() -> None:
    planned("Order Completed", schema=PRICED)
    source = make_source()
    assert ingest(source, [track(price="dear")], NOW) == Result(1, 0)
    violation = Violation.objects.get()
    assert (violation.source, violation.name, violation.path) == (source, "Order Completed", "price")
    assert violation.message == 'the value is not of type "number"'
    assert not violation.blocked
    assert violation.sample["properties"] == {"price": "dear"}
    assert violation.sample["user_id"] == "u"


def test_a_schema_that_is_switched_off_checks_nothing() -> None:
    planned("Order Completed", schema=PRICED, schema_mode="off")
    assert ingest(make_source(), [track()], NOW).accepted == 1
    assert not Violation.objects.exists()


def test_a_blocked_item_of_a_batch_is_dropped_alone_and_the_answer_names_index_and_property() -> None:
    planned("Order Completed", schema=PRICED, schema_mode="block")
    batch = [call(price=1), call(price="dear"), {"type": "nonsense"}, call("Other"), call()]
    answer = send("batch", {"batch": batch}, make_key())
    assert answer.status_code == 200
    told = answer.json()
    assert told["rejected_count"] == 3
    assert [(one["index"], one["code"], one["field"]) for one in told["rejected"]] == [
        (1, "schema_violation", "properties.price"),
        (2, "invalid_value", "type"),
        (4, "schema_violation", "properties.price"),
    ]
    assert told["rejected"][0]["message"] == (
        'Order Completed does not keep to the tracking plan: the value is not of type "number".'
    )
    assert sorted(names()) == ["Order Completed", "Other"]
    kept = InboundRequest.objects.get()
    assert (kept.accepted, kept.rejected, kept.answer) == (2, 3, told)


def test_a_blocked_call_is_answered_400_and_does_not_use_up_its_message_id() -> None:
    planned("Order Completed", schema=PRICED, schema_mode="block")
    key = make_key()
    bad, good = ({**call(), "properties": words, "messageId": "m"} for words in ({}, {"price": 1}))
    answer = send("track", bad, key)
    assert (answer.status_code, answer.json()["code"]) == (400, "schema_violation")
    assert not AcceptedMessage.objects.exists()
    assert not Profile.objects.exists()
    assert send("track", good, key).json() == {"success": True}
    assert Event.objects.get().properties == {"price": 1}


def test_traits_and_pages_have_schemas_under_their_kind() -> None:
    planned("[identify]", schema={"properties": {"age": {"type": "integer"}}}, schema_mode="block")
    planned("[page]", schema={"required": ["url"]}, schema_mode="block")
    key = make_key()
    answers = [
        send("identify", {"userId": "u", "traits": {"age": "old"}}, key),
        send("page", {"userId": "u", "name": "Home"}, key),
    ]
    assert [answer.json()["field"] for answer in answers] == ["traits.age", "properties.url"]
    assert not Event.objects.exists()


def test_a_flood_of_violations_is_noted_to_a_bound_by_two_statements(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(violations, "_sampler", Sampler(20))
    monkeypatch.setattr(violations, "clock", lambda: 7.0)
    planned("Order Completed", schema=PRICED, schema_mode="block")
    source = make_source()
    plan.memory.current()
    with CaptureQueriesContext(connection) as asked:
        refused = plan.screen(source, [track() for _ in range(500)]).refused
        plan.screen(source, [track() for _ in range(500)])
    assert len(refused) == 500
    assert Violation.objects.count() == 20
    assert len(asked.captured_queries) == 2


def test_a_large_sample_is_not_kept() -> None:
    planned("Order Completed", schema=PRICED)
    ingest(make_source(), [track(note="x" * 10_000)], NOW)
    assert Violation.objects.get().sample["properties"] == "too large to be kept here"


def test_nothing_is_noted_about_suppressed_people() -> None:
    planned("Order Completed", schema=PRICED, schema_mode="block")
    add([["u"]])
    assert SuppressedId.objects.exists()
    ingest(make_source(), [track(), track(user="v")], NOW)
    assert [row.sample["user_id"] for row in Violation.objects.all()] == ["v"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    schema=st.dictionaries(st.sampled_from(["a", "b", "c"]), st.sampled_from(["number", "string", "null", "array"])),
    words=st.lists(st.dictionaries(st.sampled_from(["a", "b", "c"]), VALUES), min_size=1, max_size=12),
)
def test_whatever_a_batch_holds_the_good_items_are_stored_and_the_bad_ones_named(
    schema: dict[str, str], words: list[dict[str, Any]]
) -> None:
    rule = {"required": sorted(schema), "properties": {name: {"type": kind} for name, kind in schema.items()}}
    planned("Order Completed", schema=rule, schema_mode="block")
    good = {index for index, said in enumerate(words) if _keeps_to(schema, said)}
    before = set(Event.objects.values_list("pk", flat=True))
    batch = [{**call(), "properties": said, "messageId": f"{time.monotonic_ns()}-{n}"} for n, said in enumerate(words)]
    answer = send("batch", {"batch": batch}, make_key())
    assert answer.status_code == 200
    refused = {one["index"] for one in answer.json().get("rejected", [])}
    assert refused == set(range(len(words))) - good
    stored = Event.objects.exclude(pk__in=before).order_by("pk").values_list("message_id", flat=True)
    assert set(stored) == {batch[index]["messageId"] for index in good}


def _keeps_to(schema: dict[str, str], said: dict[str, Any]) -> bool:
    kinds = {"number": (int, float), "string": (str,), "null": (type(None),), "array": (list,)}
    return all(
        name in said and isinstance(said[name], kinds[kind]) and not isinstance(said[name], bool)
        for name, kind in schema.items()
    )


def test_a_schema_holds_against_numbers_that_no_double_can_tell() -> None:
    assert Schema(PRICED).flaws(b'{"price": 123456789012345678901234567890}') == []


# --- Throttle ----------------------------------------------------------------------------------------------------


def test_of_one_persons_events_that_follow_close_only_the_first_is_stored() -> None:
    planned("Scrolled", throttle_seconds=10)
    items = [track("Scrolled", at) for at in (0, 4, 9.9, 10, 12, 25)]
    others = [track("Scrolled", 1, user="v"), track("Clicked", 1), track("Clicked", 2)]
    source = make_source()
    assert ingest(source, [*items, *others], NOW) == Result(accepted=6, repeated=0, throttled=3)
    kept = Event.objects.filter(name="Scrolled", profile__user_id="u").values_list("timestamp", flat=True)
    assert sorted((at - NOW).total_seconds() for at in kept) == [0, 10, 25]
    # And across requests, also those that come late.
    assert ingest(source, [track("Scrolled", at) for at in (-3, 31, 36)], NOW).throttled == 2
    assert counts.per_hour(["[throttled] Scrolled"], NOW) == [(NOW, "[throttled] Scrolled", 5)]
    assert counts.per_hour(None, NOW) == []


def test_what_was_throttled_is_answered_200_and_shown_in_the_debugger() -> None:
    planned("Scrolled", throttle_seconds=3600)
    key = make_key()
    answers = [send("track", call("Scrolled"), key) for _ in range(3)]
    assert [answer.json() for answer in answers] == [{"success": True}] * 3
    assert list(InboundRequest.objects.order_by("pk").values_list("accepted", "throttled", "rejected")) == [
        (1, 0, 0),
        (0, 1, 0),
        (0, 1, 0),
    ]
    assert Event.objects.count() == 1


def test_a_throttled_message_that_is_sent_again_stays_away() -> None:
    planned("Scrolled", throttle_seconds=10)
    source, items = make_source(), [track("Scrolled", 0), track("Scrolled", 5)]
    ingest(source, items, NOW)
    planned("Scrolled", throttle_seconds=None)
    assert ingest(source, items, NOW) == Result(0, 2)


def test_throttling_costs_three_statements_however_large_the_batch_and_none_without_a_throttled_name() -> None:
    planned("Scrolled", throttle_seconds=10)
    source = make_source()
    ingest(source, [track("Scrolled", user=f"u{n}") for n in range(50)], NOW)
    plan.memory.current()

    def statements(items: list[Item]) -> int:
        with CaptureQueriesContext(connection) as asked:
            ingest(source, items, NOW)
        return len(asked.captured_queries)

    one = statements([track("Scrolled", 1, user="u1")])
    many = statements([track("Scrolled", 2, user=f"u{n}") for n in range(50)])
    assert one == many
    plain = statements([track("Clicked", 3, user="u1")])
    kept = statements([track("Scrolled", 3600, user="u1")])
    assert kept - plain == 2


def test_throttling_finds_its_way_by_index_in_a_full_log() -> None:
    """The look-up is written so that it cannot become a join over the log; with rows in it, the plan says so."""
    from events import throttle

    profile = make_profile()
    make_event(profile)
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + throttle.NEAR, ["[]"])
        shown = "\n".join(row[0] for row in cursor.fetchall())
    assert "Limit" in shown
    assert "Hash" not in shown


def test_who_says_what_a_computed_trait_is_is_told_in_the_violations(monkeypatch: pytest.MonkeyPatch) -> None:
    ComputedTrait.objects.create(name="views", function="count", event="Viewed", state="live")
    monkeypatch.setattr(plan.memory, "until", 0.0)
    monkeypatch.setattr(violations, "_sampler", Sampler(20))
    said = {"views": msgspec.Raw(b"900"), "plan": msgspec.Raw(b'"pro"')}
    ingest(make_source(), [Item("identify", "i1", NOW, user_id="ada", traits=said)], NOW)
    assert Profile.objects.get(user_id="ada").traits == {"plan": "pro"}
    (violation,) = Violation.objects.all()
    assert (violation.path, violation.blocked) == ("views", False)
    assert "computed from events" in violation.message
