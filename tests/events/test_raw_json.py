from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.raw_json import MAX_DEPTH, flaw, mend, storable

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def nested(depth: int) -> bytes:
    return b'{"a":' + b"[" * (depth - 1) + b"1" + b"]" * (depth - 1) + b"}"


@given(VALUES, st.booleans())
def test_sound_json_is_left_as_it_is(value: object, escaped: bool) -> None:
    text = json.dumps(value, ensure_ascii=escaped).replace("\\u0000", "").replace("\0", "")
    try:
        body = text.encode()
    except UnicodeEncodeError:
        return
    if "\\ud" not in text:
        assert storable(body) == body
    assert flaw(body) is None or "number" in str(flaw(body))
    assert json.loads(mend(body)) == json.loads(body)


@pytest.mark.parametrize(
    ("given_text", "stored"),
    [
        (rb'"a\u0000b"', rb'"a\ufffdb"'),
        (rb'"\\u0000"', rb'"\\u0000"'),
        (rb'"\\\u0000"', rb'"\\\ufffd"'),
        (rb'"\ud83d\ude00"', rb'"\ud83d\ude00"'),
        (rb'"\ud83d"', rb'"\ufffd"'),
        (rb'"\ude00\ud83d"', rb'"\ufffd\ufffd"'),
        (rb'"\uD83Dx\uDE00"', rb'"\ufffdx\ufffd"'),
        (b'"\xff\xed\xa0\x80"', '"\ufffd\ufffd\ufffd\ufffd"'.encode()),
    ],
)
def test_what_no_database_can_hold_is_replaced(given_text: bytes, stored: bytes) -> None:
    assert storable(given_text) == stored


def test_numbers_that_are_none_become_null() -> None:
    mended = mend(rb'{"a": NaN, "b": [-Infinity, Infinity], "NaN": "NaN \" NaN"}')
    assert json.loads(mended) == {"a": None, "b": [None, None], "NaN": 'NaN " NaN'}


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 1000, 20_000])
def test_what_is_nested_too_deeply_can_be_read_after_mending_and_is_found(depth: int) -> None:
    mended = mend(b"[" + nested(depth) + b', {"b": [1]}]')
    deep, sound = json.loads(mended)
    assert sound == {"b": [1]}
    assert flaw(json.dumps(deep).encode()) == f"is nested more than {MAX_DEPTH} levels deep"


def test_the_deepest_allowed_nesting_is_no_flaw() -> None:
    assert flaw(nested(MAX_DEPTH)) is None
    assert flaw(b'{"wide": [' + b",".join([b"[1]"] * 1000) + b"]}") is None


@pytest.mark.parametrize(
    "number",
    ["1e400", "-1E+400", "1e-400", "0e999999999", "9" * 310, "0." + "0" * 350 + "1", "1" * 2000, "0." + "1" * 500],
)
def test_numbers_beyond_a_double_are_found(number: str) -> None:
    assert flaw(f'{{"a": [1, {number}]}}'.encode()) == "holds a number that is too large or too long"


@pytest.mark.parametrize("number", ["1e308", "-1.5e-300", "12345678901234567890123456789", "9" * 300, "0.1" * 1])
def test_large_and_precise_numbers_are_no_flaw(number: str) -> None:
    assert flaw(f'{{"a": {number}, "id": "3e999", "b": ":1e400"}}'.encode()) is None


@pytest.mark.parametrize(
    "hostile",
    [
        b'"' + b'\\"' * 250_000,
        b'"' * 500_000,
        b"[" * 500_000,
        b'{"a":"' + b"\\" * 499_999,
        b"1" * 500_000,
        b"[1e" * 160_000,
    ],
    ids=["escapes", "quotes", "brackets", "backslashes", "digits", "exponents"],
)
def test_hostile_input_takes_no_more_than_linear_time(hostile: bytes) -> None:
    started = time.process_time()
    storable(hostile)
    mend(hostile)
    flaw(hostile)
    assert time.process_time() - started < 5
