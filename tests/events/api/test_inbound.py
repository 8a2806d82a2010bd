from __future__ import annotations

from typing import Any

import pytest
from django.test import RequestFactory

from events.api.inbound import BODY_LIMIT, Sampler, describe, mask, mask_header, masked
from events.models import Source


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b'{"writeKey":"pk_abcdefghijklmnop"}', '{"writeKey":"pk_ab…op"}'),
        (b'{"batch":[{"write_key" : "pk_abcdefghijklmnop"}]}', '{"batch":[{"write_key" : "pk_ab…op"}]}'),
        (b'{"apiKey":"short"}', '{"apiKey":"…"}'),
        (rb'{"password":"a\"b"}', '{"password":"…"}'),
        (b'{"writeKey":"pk_abcdefghijklmn', '{"writeKey":"pk_ab…mn'),
        (b'{"plan":"pro"}', '{"plan":"pro"}'),
        (b'{"access_token":"abcdefghijklmnopq","n":1}', '{"access_token":"abcde\u2026pq","n":1}'),
        (b'{"clientSecret":"s", "token":"of a device"}', '{"clientSecret":"\u2026", "token":"of a device"}'),
        (b"user=ada&password=opensesame&n=1", "user=ada&password=\u2026&n=1"),
        (b'{"url":"https://a.example/?b=1&api_key=opensesame"}', '{"url":"https://a.example/?b=1&api_key=\u2026"}'),
        (b"a\xff\0b", "a\ufffd\ufffdb"),
    ],
)
def test_secrets_are_masked_and_the_rest_is_shown(body: bytes, shown: str) -> None:
    assert masked(body) == shown


def test_a_long_body_is_cut() -> None:
    assert len(masked(b"x" * 100_000)) == BODY_LIMIT


def test_a_mask_never_shows_most_of_a_secret() -> None:
    for length in range(40):
        secret = "s" * length
        assert mask(secret).count("s") <= length / 2


def test_a_sampler_takes_so_many_a_second() -> None:
    sampler = Sampler(3)
    assert [sampler.take(now) for now in (1.0, 1.1, 1.2, 1.9, 2.0, 2.5)] == [True, True, True, False, True, True]


def headers(source: Source | None, **sent: str) -> dict[str, Any]:
    named = {name.replace("_", "-"): value for name, value in sent.items()}
    request = RequestFactory().post("/v1/track?writeKey=pk_abcdefghijklmnop", headers=named)
    row = describe(request, b"{}", 200, {}, source)
    assert "pk_" not in row.path
    return dict(row.headers)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("Basic cGtfYWJjZGVmZ2hpamtsbW5vcDo=", "Basic cGtfY…o="),
        ("Bearer short", "Bearer …"),
        ("sk_abcdefghijklmnop", "sk_ab…op"),
        ("a b", "a …"),
    ],
)
def test_what_opens_a_door_is_masked(value: str, shown: str) -> None:
    assert mask_header(value) == shown


def test_headers_are_kept_without_secrets_and_without_the_query_of_a_page() -> None:
    kept = headers(
        Source(),
        Authorization="Basic cGtfYWJjZGVmZ2hpamtsbW5vcDo=",
        Cookie="sessionid=abcdefghijklmnop",
        X_Api_Key="sk_abcdefghijklmnop",
        X_Signature="0123456789abcdef0123",
        Referer="https://shop.example/a?email=ada@example.com",
        X_Forwarded_For="203.0.113.9",
        X_Shop_Topic="orders/paid",
    )
    assert kept["X-Shop-Topic"] == "orders/paid"
    assert kept["Referer"] == "https://shop.example/a"
    assert kept["X-Forwarded-For"] == "203.0.113.9"
    for name in ("Authorization", "Cookie", "X-Api-Key", "X-Signature"):
        assert "…" in kept[name], name


def test_addresses_and_browsers_are_kept_only_where_the_source_keeps_them() -> None:
    assert "X-Forwarded-For" not in headers(Source(store_ip=False), X_Forwarded_For="203.0.113.9")
    assert "X-Forwarded-For" not in headers(None, X_Forwarded_For="203.0.113.9")
    assert headers(Source(store_user_agent=False), User_Agent="Ada's browser") == {}
