"""What passes between Python and PostgreSQL by our own adapters is what psycopg's would have passed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import DataError, connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.adapters import FlatListDumper, TimeLoader

pytestmark = pytest.mark.django_db
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
WHOLE_NUMBERS = st.integers(-(2**63), 2**63 - 1)
TIMES = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))


def there_and_back(values: list[Any], kind: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT %s::{kind}[]", [values])
        return cursor.fetchone()[0]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.tuples(st.lists(TEXTS), st.just("text")),
        st.tuples(st.lists(st.none() | TEXTS), st.just("text")),
        st.tuples(st.lists(WHOLE_NUMBERS), st.just("bigint")),
        st.tuples(st.lists(st.none() | WHOLE_NUMBERS), st.just("bigint")),
        st.tuples(st.lists(st.booleans()), st.just("boolean")),
        st.tuples(st.lists(TIMES), st.just("timestamptz")),
    )
)
def test_lists_come_back_as_they_went(case: tuple[list[Any], str]) -> None:
    assert there_and_back(*case) == case[0]


def test_our_adapters_are_used() -> None:
    connection.ensure_connection()
    adapters = connection.connection.adapters
    assert adapters.get_loader(adapters.types["timestamptz"].oid, 0) is TimeLoader
    assert adapters.get_dumper(list, "s") is FlatListDumper


def test_what_no_adapter_can_pass_on_is_an_error_that_says_so() -> None:
    with pytest.raises(DataError, match="NUL"):
        there_and_back(["a\0"], "text")
    with connection.cursor() as cursor, pytest.raises(DataError, match="infinity"):
        cursor.execute("SELECT 'infinity'::timestamptz")
        cursor.fetchone()


def test_whatever_zone_the_server_writes_in_the_instant_is_right() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT '2026-06-01 12:00:00.5+02'::timestamptz")
        assert cursor.fetchone()[0] == datetime(2026, 6, 1, 10, 0, 0, 500_000, UTC)
        cursor.execute("SET TIME ZONE 'Asia/Kolkata'")
        cursor.execute("SELECT '2026-06-01 12:00:00+02'::timestamptz")
        assert cursor.fetchone()[0] == datetime(2026, 6, 1, 10, tzinfo=UTC)
        cursor.execute("RESET TIME ZONE")
