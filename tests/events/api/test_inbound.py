from __future__ import annotations

import pytest

from events.api.inbound import BODY_LIMIT, Sampler, mask, masked


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b'{"writeKey":"pk_abcdefghijklmnop"}', '{"writeKey":"pk_ab…op"}'),
        (b'{"batch":[{"write_key" : "pk_abcdefghijklmnop"}]}', '{"batch":[{"write_key" : "pk_ab…op"}]}'),
        (b'{"apiKey":"short"}', '{"apiKey":"…"}'),
        (rb'{"password":"a\"b"}', '{"password":"…"}'),
        (b'{"writeKey":"pk_abcdefghijklmn', '{"writeKey":"pk_ab…mn'),
        (b'{"plan":"pro"}', '{"plan":"pro"}'),
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
