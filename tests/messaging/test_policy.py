"""Whether a message may be sent, from facts alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from messaging.policy import Facts, ProviderState, decide, is_address
from messaging.reasons import Reason

GOOD = Facts("ada@example.com", suppressed=False, unsubscribed=False, purpose="marketing", provider=ProviderState.READY)


def test_sends_when_nothing_speaks_against_it() -> None:
    assert decide(GOOD).send


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"address": ""}, Reason.NO_ADDRESS),
        ({"address": "ada"}, Reason.BAD_ADDRESS),
        ({"suppressed": True}, Reason.SUPPRESSED),
        ({"unsubscribed": True}, Reason.UNSUBSCRIBED),
        ({"provider": ProviderState.MISSING}, Reason.NO_PROVIDER),
        ({"provider": ProviderState.DISABLED}, Reason.PROVIDER_DISABLED),
    ],
)
def test_skips_with_the_reason(change: dict[str, object], reason: Reason) -> None:
    verdict = decide(replace(GOOD, **change))  # type: ignore[arg-type]
    assert (verdict.send, verdict.reason) == (False, reason)


def test_an_unsubscribed_person_still_gets_receipts() -> None:
    assert decide(replace(GOOD, unsubscribed=True, purpose="transactional")).send


def test_a_suppressed_address_gets_no_receipts_either() -> None:
    assert decide(replace(GOOD, suppressed=True, purpose="transactional")).reason is Reason.SUPPRESSED


def test_what_the_person_wants_is_named_before_what_the_installation_lacks() -> None:
    facts = replace(GOOD, unsubscribed=True, provider=ProviderState.MISSING)
    assert decide(facts).reason is Reason.UNSUBSCRIBED


@pytest.mark.parametrize("address", ["a@b.c", "ada.l+tag@mail.example.com", "ä@exämple.at", "o'hara@example.ie"])
def test_takes_addresses_that_exist_in_the_wild(address: str) -> None:
    assert is_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "ada",
        "@example.com",
        "ada@",
        "a b@example.com",
        "a@b@example.com",
        "a@example.com, b@example.com",
        "Ada <a@example.com>",
        "a@example.com\nBcc: b@example.com",
        "a..b@example.com",
        ".a@example.com",
        "x" * 65 + "@example.com",
        "a@" + "x" * 253,
        "a@example.com\0",
    ],
)
def test_refuses_what_is_not_one_address(address: str) -> None:
    assert not is_address(address)
