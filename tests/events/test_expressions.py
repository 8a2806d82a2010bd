"""Where in a payload a value is to be found."""

from __future__ import annotations

import pytest

from events.expressions import ExpressionError, Payload, as_text, parse

PAYLOAD = Payload(
    b'{"user": {"id": 7, "na.me": "Ada"}, "total": 10.50, "big": 12345678901234567890.123, "none": null, "empty": "",'
    b'"items": [{"sku": "A"}, {"sku": "B", "tags": [1, 2]}, {"other": 1}], "true": true, "first name": "Ada"}',
    {"x_shop_topic": "orders/paid"},
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$.user.id", b"7"),
        ("$.total", b"10.50"),
        ("$.big", b"12345678901234567890.123"),
        ("$.true", b"true"),
        ("$.none", b"null"),
        ("$.user['na.me']", b'"Ada"'),
        ('$["first name"]', b'"Ada"'),
        ("$.items[0].sku", b'"A"'),
        ("$.items[-2].sku", b'"B"'),
        ("$.items[*].sku", b'["A","B"]'),
        ("$.items[*].tags[*]", b"[[1,2]]"),
        ("$.items[1].tags", b"[1, 2]"),
        ("$", PAYLOAD.raw),
        ("$.items[9].sku", None),
        ("$.items.sku", None),
        ("$.user[0]", None),
        ("$.user.id.deeper", None),
        ("$.nothing", None),
        ("$[0]", None),
        ("$.nothing or $.none or $.empty or $.user.id", b"7"),
        ("$.nothing or $.none", b"null"),
        ("Order Completed", b'"Order Completed"'),
        ("$5 off", b'"$5 off"'),
        ("{{ payload.user.id }}", b'"7"'),
        ("{{ payload.total }} {{ headers.x_shop_topic }}", b'"10.50 orders/paid"'),
        ("{{ payload.total | times: 2 }}", b'"21.0"'),
        ("{% if payload.total > 20 %}yes{% endif %}", None),
        ("{{ payload.items[0] | json }}", b'"{\\"sku\\": \\"A\\"}"'),
    ],
)
def test_a_value_is_found_as_it_stands_in_the_payload(text: str, value: bytes | None) -> None:
    assert parse(text).find(PAYLOAD) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("$.", "cannot be read from “.” on"),
        ("$..sku", "$.order.items[0].sku"),
        ("$.items[?(@.a)]", "cannot be read"),
        ("$.a or nothing", "cannot be read"),
        ("$.a b", "cannot be read"),
        ("{{ payload.user", "This Liquid cannot be read"),
        ("{% include 'x' %}", "This Liquid cannot be read"),
        ("x" * 2001, "2,000 characters"),
    ],
)
def test_what_cannot_be_read_says_how_to_write_it(text: str, words: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert words in str(caught.value)


def test_liquid_that_does_too_much_is_stopped() -> None:
    greedy = parse("{% for a in (1..9999) %}{% for b in (1..9999) %}{{ payload.total }}{% endfor %}{% endfor %}")
    with pytest.raises(ExpressionError, match="does too much"):
        greedy.find(PAYLOAD)


@pytest.mark.parametrize(
    ("text", "field"),
    [("$.total", "total"), ("$.none or $.total", "total"), ("$.user.id", None), ("$.nothing", None), ("total", None)],
)
def test_an_expression_knows_which_field_of_the_payload_it_took_whole(text: str, field: str | None) -> None:
    assert parse(text).used(PAYLOAD) == field


@pytest.mark.parametrize(
    ("raw", "text"), [(b'"a\\u00e9"', "aé"), (b"10.50", "10.50"), (b"true", "true"), (b"null", None), (None, None)]
)
def test_values_read_as_people_write_them(raw: bytes | None, text: str | None) -> None:
    assert as_text(raw) == text
