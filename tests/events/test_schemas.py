from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from events.schemas import MAX_FLAWS, Schema, SchemaError


@pytest.mark.parametrize(
    ("schema", "properties", "path", "message"),
    [
        ({"required": ["price"]}, b"{}", "price", '"price" is a required property'),
        (
            {"properties": {"a": {"type": "number"}}},
            b'{"a": "ada@example.com"}',
            "a",
            'the value is not of type "number"',
        ),
        (
            {"properties": {"a": {}}, "additionalProperties": False},
            b'{"odd": 1}',
            "odd",
            "Additional properties are not allowed ('odd' was unexpected)",
        ),
        (
            {"properties": {"l": {"items": {"required": ["sku"]}}}},
            b'{"l": [{}]}',
            "l.0.sku",
            '"sku" is a required property',
        ),
    ],
)
def test_a_flaw_names_the_property_and_not_its_value(
    schema: dict[str, Any], properties: bytes, path: str, message: str
) -> None:
    (flaw,) = Schema(schema).flaws(properties)
    assert (flaw.path, flaw.message) == (path, message)


def test_formats_are_checked() -> None:
    schema = Schema({"properties": {"email": {"format": "email"}}})
    assert [flaw.path for flaw in schema.flaws(b'{"email": "ada"}')] == ["email"]
    assert not schema.flaws(b'{"email": "ada@example.com"}')


def test_of_many_flaws_the_first_few_are_told() -> None:
    schema = Schema({"properties": {name: {"type": "null"} for name in "abcdefg"}})
    assert len(schema.flaws(b'{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6, "g": 7}')) == MAX_FLAWS


@pytest.mark.parametrize(
    "schema", [5, [], {"type": "nonsense"}, {"pattern": "(?=a)b"}, {"$ref": "#/$defs/none"}, {"x": "y" * 70_000}]
)
def test_a_schema_that_cannot_be_used_is_refused_in_words(schema: Any) -> None:
    with pytest.raises(SchemaError, match="schema"):
        Schema(schema)


def test_a_schema_nested_beyond_all_bounds_is_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(3000):
        schema = {"properties": {"a": schema}}
    with pytest.raises(SchemaError, match="nested"):
        Schema(schema)


def test_a_schema_elsewhere_is_never_fetched() -> None:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        for schema in ({"$ref": f"http://127.0.0.1:{server.server_port}/a"}, {"$ref": "file:///etc/hostname"}):
            with pytest.raises(SchemaError):
                Schema(schema)
    finally:
        server.shutdown()
    assert asked == []


def test_a_schema_may_lead_to_itself_and_a_deep_value_is_held_against_it() -> None:
    schema = Schema({"properties": {"in": {"$ref": "#"}, "n": {"type": "number"}}})
    deep = b'{"in":' * 150 + b'{"n": "no"}' + b"}" * 150
    assert [flaw.message for flaw in schema.flaws(deep)] == ['the value is not of type "number"']
