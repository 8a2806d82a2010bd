from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.api.parsing import MAX_ITEMS, parse_batch, parse_call, write_key
from events.api.refusal import Refusal
from events.ingest import Item
from events.raw_json import MAX_DEPTH, storable

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def call(kind: str, **fields: Any) -> Item:
    return parse_call(kind, json.dumps(fields).encode(), NOW)


def track(**fields: Any) -> Item:
    return call("track", **{"userId": "u", "event": "Hi"} | fields)


def refused(kind: str = "track", **fields: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        call(kind, **fields)
    return caught.value


def batch(*items: Any, **shared: Any) -> tuple[list[Item], list[tuple[int, str]]]:
    parsed = parse_batch(json.dumps({"batch": items, **shared}).encode(), NOW)
    return parsed.items, [(index, refusal.field) for index, refusal in parsed.rejected]


# --- The parts of a call ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "fields", "name", "words"),
    [
        ("track", {"event": "Hi", "properties": {"a": 1}, "traits": {"no": 1}}, "Hi", {"a": 1}),
        ("page", {"name": "Home", "category": "Docs", "properties": {"url": "/"}}, "Home", {"url": "/"}),
        ("page", {"category": "Docs"}, "Docs", {}),
        ("page", {}, "", {}),
        ("screen", {"name": "Home", "properties": None}, "Home", {}),
        ("identify", {"traits": {"plan": "pro"}}, "", {"plan": "pro"}),
        ("group", {"groupId": 17, "traits": {"seats": 5}}, "17", {"seats": 5}),
        ("alias", {"previousId": "old"}, "old", {}),
    ],
)
def test_each_kind_has_its_name_and_words(kind: str, fields: dict[str, Any], name: str, words: dict[str, Any]) -> None:
    item = call(kind, userId="u", **fields)
    assert (item.type, item.name, json.loads(item.properties)) == (kind, name, words)


def test_what_else_is_said_is_kept() -> None:
    item = track(_metadata={"a": [1]}, category="x", version=2, integrations={}, writeKey="pk", originalTimestamp=None)
    assert json.loads(item.extra) == {"_metadata": {"a": [1]}, "category": "x", "version": 2}


@pytest.mark.parametrize(
    ("given_id", "stored"),
    [
        ("u", "u"),
        (17, "17"),
        (-1, "-1"),
        (12345678901234567890, "12345678901234567890"),
        (1.5, "1.5"),
        ("ü/ 漢", "ü/ 漢"),
    ],
)
def test_ids_are_texts(given_id: Any, stored: str) -> None:
    item = call("identify", userId=given_id, anonymousId=given_id, messageId=given_id)
    assert (item.user_id, item.anonymous_id, item.message_id) == (stored, stored, stored)


@pytest.mark.parametrize("nothing", ["", "  ", "undefined", "null", "NaN", "None", "[object Object]"])
def test_what_programs_write_for_nothing_is_no_id(nothing: str) -> None:
    item = call("track", event="Hi", userId=nothing, anonymousId="a", messageId=nothing)
    assert (item.user_id, item.anonymous_id, item.repeatable) == (None, "a", False)
    assert refused(event="Hi", userId=nothing).field == "userId"
    assert refused("alias", userId="u", previousId=nothing).field == "previousId"


@pytest.mark.parametrize("field", ["userId", "anonymousId", "messageId"])
@pytest.mark.parametrize(
    "bad",
    [True, [], {}, "a\0b", "a\ud800b", "x" * 513, ["u"]],
    ids=["bool", "list", "object", "nul", "surrogate", "long", "listed"],
)
def test_other_ids_are_refused(field: str, bad: Any) -> None:
    body = storable(json.dumps({"userId": "u", "anonymousId": "a", "event": "Hi", field: bad}).encode())
    with pytest.raises(Refusal) as caught:
        parse_call("track", body, NOW)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("kind", "fields", "field"),
    [
        ("track", {"event": "Hi"}, "userId"),
        ("track", {"event": "Hi", "userId": "", "anonymousId": None}, "userId"),
        ("track", {"userId": "u"}, "event"),
        ("track", {"userId": "u", "event": " "}, "event"),
        ("track", {"userId": "u", "event": 5}, "event"),
        ("track", {"userId": "u", "event": "x" * 5000}, "event"),
        ("track", {"userId": "u", "event": "Hi", "properties": []}, "properties"),
        ("track", {"userId": "u", "event": "Hi", "properties": "a"}, "properties"),
        ("track", {"userId": "u", "event": "Hi", "context": 1}, "context"),
        ("track", {"userId": "u", "event": "Hi", "integrations": []}, "integrations"),
        ("track", {"userId": "u", "event": "Hi", "timestamp": "yesterday"}, "timestamp"),
        ("track", {"userId": "u", "event": "Hi", "timestamp": 1700000000}, "timestamp"),
        ("track", {"userId": "u", "event": "Hi", "timestamp": "2026-13-01T00:00:00Z"}, "timestamp"),
        (
            "track",
            {"userId": "u", "event": "Hi", "originalTimestamp": "0001-01-01T00:00:00+05:00"},
            "originalTimestamp",
        ),
        ("identify", {"userId": "u", "traits": [1]}, "traits"),
        ("identify", {"userId": "u", "context": {"traits": 1}}, "traits"),
        ("page", {"userId": "u", "name": {}}, "name"),
        ("group", {"userId": "u"}, "groupId"),
        ("alias", {"previousId": "p", "anonymousId": "a"}, "userId"),
        ("alias", {"userId": "u"}, "previousId"),
        ("alias", {"userId": "u", "previousId": True}, "previousId"),
    ],
)
def test_a_mistake_is_named(kind: str, fields: dict[str, Any], field: str) -> None:
    assert refused(kind, **fields).field == field


@pytest.mark.parametrize("body", [b"", b"{", b"null", b"[]", b'"text"', b"{}{}", b'{"a": 01}', b"\xff", b"{'a': 1}"])
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        parse_call("track", body, NOW)
    assert caught.value.field == "body" or body == b"{}"


def test_numbers_that_json_does_not_have_become_null() -> None:
    item = parse_call("track", b'{"userId": "u", "event": "Hi", "properties": {"a": NaN, "b": [-Infinity]}}', NOW)
    assert json.loads(item.properties) == {"a": None, "b": [None]}


@pytest.mark.parametrize("value", ["1e400", "[" * MAX_DEPTH + "]" * MAX_DEPTH, "[" * 9000 + "]" * 9000])
def test_what_cannot_be_kept_exactly_is_refused(value: str) -> None:
    with pytest.raises(Refusal):
        parse_call("track", f'{{"userId": "u", "event": "Hi", "properties": {{"a": {value}}}}}'.encode(), NOW)


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ('{"sound": 1, "price": %s}', "properties.price"),
        ('{"cart": {"total": [1, %s]}}', "properties.cart.total"),
        ('{"a": {"b": {"c": {"d": {"e": {"f": %s}}}}}}', "properties.a.b.c.d"),
        ('{"%s": 1}' % ("x" * 600) + ', "context": {"n": %s}', "context.n"),
        ('{"%s": %%s}' % ("x" * 600), "properties"),
    ],
)
def test_a_number_that_no_reader_gets_through_is_refused_by_its_place(words: str, place: str) -> None:
    call = f'{{"userId": "u", "event": "Hi", "properties": {words.replace("%s", "9" * 5_000)}}}'
    with pytest.raises(Refusal) as caught:
        parse_call("track", call.encode(), NOW)
    assert caught.value.field == place
    assert f"a number that is too large or too long, in {place}." in caught.value.message


# --- Traits and context ----------------------------------------------------------------------------------------------


def test_traits_in_the_context_count_and_root_traits_win() -> None:
    item = call("identify", userId="u", traits={"plan": "pro"}, context={"traits": {"plan": "free", "age": 30}})
    assert {name: json.loads(bytes(value)) for name, value in item.traits.items()} == {"plan": "pro", "age": 30}
    assert json.loads(item.properties) == {"plan": "pro"}
    assert json.loads(item.context) == {"traits": {"plan": "free", "age": 30}}


def test_traits_that_come_in_the_context_alone_are_the_words_of_the_call() -> None:
    item = call("identify", userId="u", context={"traits": {"plan": "free"}})
    assert json.loads(item.properties) == {"plan": "free"}


def test_only_an_identify_speaks_of_the_persons_traits() -> None:
    assert not track(context={"traits": {"plan": "free"}}).traits
    assert not call("group", userId="u", groupId="g", traits={"plan": "free"}).traits


def test_a_device_tells_its_zone_and_language_and_whether_it_is_active() -> None:
    item = track(context={"timezone": "europe/vienna", "locale": "de-AT", "active": False})
    assert (item.time_zone, item.language, item.active) == ("Europe/Vienna", "de-AT", False)
    odd = track(context={"timezone": "Mars/Base", "locale": 5, "active": "no"})
    assert (odd.time_zone, odd.language, odd.active) == ("", "", True)


@pytest.mark.parametrize(
    ("integrations", "pending"),
    [
        ({}, True),
        (None, True),
        ({"All": False}, False),
        ({"All": False, "Cuebird": True}, True),
        ({"All": False, "Cuebird": {"x": 1}}, True),
        ({"All": False, "cuebird": True}, False),
        ({"Cuebird": False}, False),
        ({"Mixpanel": False}, True),
    ],
)
def test_integrations_say_whether_campaigns_see_it(integrations: Any, pending: bool) -> None:
    assert track(integrations=integrations).pending is pending
    items, _ = batch({"type": "track", "userId": "u", "event": "Hi"}, integrations=integrations)
    assert items[0].pending is pending


# --- Time ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05.123456789+02:00", datetime(2026, 1, 2, 1, 4, 5, 123456, tzinfo=UTC)),
        ("2026-01-02t03:04:05z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02 03:04:05", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02", datetime(2026, 1, 2, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_times_without_a_sent_at_are_kept_as_given(text: str, at: datetime) -> None:
    assert track(timestamp=text).timestamp == at
    assert track(originalTimestamp=text).timestamp == at


@pytest.mark.parametrize("skew", [timedelta(hours=1), timedelta(hours=-1), timedelta(days=400)])
def test_a_wrong_clock_is_corrected_by_what_it_says_at_sending(skew: timedelta) -> None:
    happened, sent = NOW - timedelta(minutes=5), NOW
    times = {"timestamp": (happened + skew).isoformat()}
    sent_at = (sent + skew).isoformat()
    assert track(**times, sentAt=sent_at).timestamp == happened
    hi = {"type": "track", "userId": "u", "event": "Hi", **times}
    items, _ = batch(hi, {**hi, "sentAt": (sent + skew + timedelta(minutes=1)).isoformat()}, sentAt=sent_at)
    assert [item.timestamp for item in items] == [happened, happened - timedelta(minutes=1)]


@pytest.mark.parametrize(
    ("ago", "sent"),
    [
        # A constant in the library, long past or far ahead, and a replay of history.
        (timedelta(0), datetime(2020, 1, 1, tzinfo=UTC)),
        (timedelta(0), datetime(2099, 1, 1, tzinfo=UTC)),
        (timedelta(days=500), NOW - timedelta(days=400)),
    ],
)
def test_a_sent_at_that_the_event_belies_corrects_nothing(ago: timedelta, sent: datetime) -> None:
    assert track(timestamp=(NOW - ago).isoformat(), sentAt=sent.isoformat()).timestamp == NOW - ago


def test_history_is_imported_with_its_own_times() -> None:
    at = NOW - timedelta(days=800)
    assert track(timestamp=at.isoformat(), sentAt=NOW.isoformat()).timestamp == at


def test_a_device_that_was_off_line_for_weeks_with_a_wrong_clock_is_corrected() -> None:
    at, skew = NOW - timedelta(days=20), timedelta(days=20_000)
    assert track(timestamp=(at - skew).isoformat(), sentAt=(NOW - skew).isoformat()).timestamp == at


def test_without_a_time_it_is_now() -> None:
    assert track().timestamp == track(timestamp=None, sentAt="2020-01-01T00:00:00Z").timestamp == NOW


@pytest.mark.parametrize("sent_at", ["soon", 5, None, {}, "9999-12-31T23:59:59Z"])
def test_a_sent_at_that_makes_no_sense_corrects_nothing(sent_at: Any) -> None:
    at = "0001-01-02T00:00:00+00:00"
    assert track(timestamp=at, sentAt=sent_at).timestamp.isoformat() == at


# --- Batches ---------------------------------------------------------------------------------------------------------

HI = {"type": "track", "userId": "u", "event": "Hi"}


def test_bad_items_are_dropped_alone() -> None:
    items, rejected = batch(
        HI,
        5,
        None,
        [HI],
        {**HI, "type": "nope"},
        {**HI, "type": 5},
        {**HI, "userId": None},
        {**HI, "timestamp": "x"},
        HI,
    )
    assert len(items) == 2
    assert rejected == [
        (1, "batch"),
        (2, "batch"),
        (3, "batch"),
        (4, "type"),
        (5, "type"),
        (6, "userId"),
        (7, "timestamp"),
    ]


@pytest.mark.parametrize("bad", [None, 5, {}, "x"])
def test_a_batch_without_its_list_is_refused(bad: Any) -> None:
    for body in ({"batch": bad}, {"sentAt": bad}):
        with pytest.raises(Refusal) as caught:
            parse_batch(json.dumps(body).encode(), NOW)
        assert caught.value.field == "batch"


def test_an_empty_batch_is_fine() -> None:
    assert batch() == ([], [])


def test_context_of_the_batch_holds_for_items_that_say_nothing_else() -> None:
    items, _ = batch(HI, {**HI, "context": {"ip": "::2", "os": {}}}, context={"ip": "::1", "timezone": "UTC"})
    assert [json.loads(item.context) for item in items] == [
        {"ip": "::1", "timezone": "UTC"},
        {"ip": "::2", "timezone": "UTC", "os": {}},
    ]


def test_a_batch_whose_shared_parts_make_no_sense_is_still_read() -> None:
    items, rejected = batch(HI, context=5, integrations="x", sentAt=[])
    assert (len(items), rejected) == (1, [])


@pytest.mark.parametrize("name", ["context", "integrations"])
@pytest.mark.parametrize("value", ['"' + "x" * 9000 + '"', "1e999", "[" * 300 + "]" * 300])
def test_shared_parts_that_cannot_be_stored_with_every_item_are_refused(name: str, value: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse_batch(f'{{"batch": [{json.dumps(HI)}], "{name}": {{"a": {value}}}}}'.encode(), NOW)
    assert caught.value.field == name


def test_items_that_are_too_large_or_too_many_are_dropped_alone() -> None:
    frame = len(json.dumps({**HI, "properties": {"x": ""}}))
    fits = {**HI, "properties": {"x": "y" * (32 * 1024 - frame)}}
    items, rejected = batch(fits, {**HI, "properties": {"x": "y" * (32 * 1024 - frame + 1)}}, HI)
    assert (len(items), rejected) == (2, [(1, "batch")])
    items, rejected = batch(*[HI] * (MAX_ITEMS + 2))
    assert (len(items), rejected) == (MAX_ITEMS, [(MAX_ITEMS, "batch"), (MAX_ITEMS + 1, "batch")])


def test_an_item_that_no_reader_gets_through_is_dropped_alone() -> None:
    good = json.dumps(HI)
    deep = '{"type": "track", "userId": "u", "event": "Hi", "properties": {"a": %s}}' % ("[" * 5000 + "]" * 5000)
    broken = '{"type": "track", "userId": "u", "event": "Hi", "properties": {"a": NaN, "b": 1e999}}'
    parsed = parse_batch(f'{{"batch": [{good}, {deep}, {broken}, {good}]}}'.encode(), NOW)
    assert len(parsed.items) == 2
    assert [index for index, _ in parsed.rejected] == [1, 2]


def test_message_ids_are_made_up_where_there_are_none() -> None:
    items, _ = batch(HI, HI, {**HI, "messageId": "m"})
    assert len({item.message_id for item in items}) == 3
    assert [item.repeatable for item in items] == [False, False, True]


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (b'{"writeKey": "pk_1"}', "pk_1"),
        (b'{"writeKey": 5}', ""),
        (b'{"writeKey": null}', ""),
        (b"{}", ""),
        (b"{", ""),
        (b'{"writeKey": "pk_1", "a": NaN}', "pk_1"),
    ],
)
def test_the_write_key_is_found_in_the_body(body: bytes, key: str) -> None:
    assert write_key(body) == key


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["u", "track", "2026-01-01"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ("type", "userId", "anonymousId", "previousId", "groupId", "event", "name", "messageId", "timestamp", "sentAt")
ANYTHING = JSON | st.dictionaries(st.sampled_from([*FIELDS, "properties", "traits", "context", "integrations"]), JSON)


@settings(max_examples=150, deadline=None)
@given(st.lists(ANYTHING, max_size=5), st.integers(0, 5), ANYTHING, ANYTHING)
def test_no_bad_item_takes_a_good_one_with_it(items: list[Any], place: int, context: Any, sent_at: Any) -> None:
    good = {"type": "track", "userId": "good", "event": "Good", "messageId": "good"}
    body = {"batch": [*items[:place], good, *items[place:]], "context": context, "sentAt": sent_at}
    parsed = parse_batch(json.dumps(body).encode(), NOW)
    assert len(parsed.items) + len(parsed.rejected) == len(items) + 1
    assert "good" in [item.message_id for item in parsed.items]
    for item in parsed.items:
        assert item.timestamp.tzinfo is not None
        for part in (item.properties, item.context, item.extra):
            assert isinstance(json.loads(part), dict)


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=200) | st.text(max_size=200).map(lambda text: f'{{"batch": [{text}]}}'.encode(errors="replace"))
)
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for read in (lambda: parse_batch(body, NOW), lambda: parse_call("track", body, NOW)):
        try:
            read()
        except Refusal as refusal:
            assert refusal.status == 400 and refusal.message and refusal.code
