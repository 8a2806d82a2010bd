"""The filters our users know from Customer.io and Shopify."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine

from events import liquid_engine
from events.liquid_engine import Fault


def run(source: str, **variables: Any) -> str:
    return liquid_engine.run(source, variables, {}, escape=False)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ 0 | date: '%Y-%m-%d %H:%M' }}", "1970-01-01 00:00"),
        ("{{ 1772452800 | date: '%d.%m.%Y %H:%M', 'Europe/Vienna' }}", "02.03.2026 13:00"),
        ("{{ 1772452800123 | date: '%Y-%m-%d' }}", "2026-03-02"),
        ("{{ '1772452800' | date: '%Y-%m-%d' }}", "2026-03-02"),
        ("{{ '2026-03-02T10:00:00Z' | date: '%H:%M', 'America/New_York' }}", "05:00"),
        ("{{ '2026-03-02T10:00:00Z' | timezone: 'America/New_York' | date: '%H:%M %Z' }}", "05:00 EST"),
        ("{{ '2026-03-02 10:00' | date: '%H:%M', 'Asia/Tokyo' }}", "19:00"),
        ("{{ 'March 14, 2016' | date: '%b %d, %y' }}", "Mar 14, 16"),
        ("{{ '2026-03-02T10:00:00+02:00' | date: '%H:%M' }}", "10:00"),
        ("{{ 'soon' | date: '%Y' }}", "soon"),
        ("{{ nothing | date: '%Y' }}", ""),
        ("{{ '2026-03-02' | date: '%A', nothing }}", "Monday"),
    ],
)
def test_date(source: str, text: str) -> None:
    assert run(source) == text


@time_machine.travel("2026-03-02T23:30:00Z", tick=False)
def test_now_is_in_utc_unless_a_zone_is_named() -> None:
    assert run("{{ 'now' | date: '%d %H:%M' }}") == "02 23:30"
    assert run("{{ 'today' | date: '%d', 'Europe/Vienna' }}") == "03"


def test_an_unknown_zone_is_an_error_that_names_it() -> None:
    with pytest.raises(Fault, match="there is no time zone 'Mars/Base'"):
        run("{{ 0 | date: '%Y', 'Mars/Base' }}")


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ 1234.5 | currency }}", "$1,234.50"),
        ("{{ 1234.5 | currency: 'EUR' }}", "€1,234.50"),
        ("{{ 1234 | currency: 'JPY' }}", "¥1,234"),
        ("{{ 1234 | currency: 'SEK' }}", "SEK 1,234.00"),
        ("{{ minus | currency }}", "-$3.00"),
        ("{{ '19.99' | currency }}", "$19.99"),
        ("{{ 'free' | currency }}", "free"),
        ("{{ 1234.5 | rounded_currency }}", "$1,234"),
        ("{{ 123450 | money }}", "$1,234.50"),
        ("{{ 1234567.891 | format_number }}", "1,234,567.891"),
        ("{{ 1234567.891 | format_number: 2 }}", "1,234,567.89"),
    ],
)
def test_numbers(source: str, text: str) -> None:
    assert run(source, minus=-3) == text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ 'ada lovelace' | titlecase }}", "Ada Lovelace"),
        (
            "{{ 1 | pluralize: 'item', 'items' }} {{ 2 | pluralize: 'item', 'items' }} {{ 0 | pluralize: 'day' }}",
            "item items days",
        ),
        ("{{ list | json }}", '[{"a": 1}, null]'),
        ("{{ nothing | to_json }}", "null"),
        ("{{ 'a' | md5 }}", "0cc175b9c0f1b6a831c399e269772661"),
        ("{{ 'a' | sha1 }}", "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"),
        ("{{ 'a-b-c' | split: '-' | join: '+' }}", "a+b+c"),
        ("{{ 'a.b' | replace: '.', '-' }}", "a-b"),
    ],
)
def test_text(source: str, text: str) -> None:
    assert run(source, list=[{"a": 1}, None]) == text
