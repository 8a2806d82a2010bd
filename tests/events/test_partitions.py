"""The log's months all have what the log has."""

from __future__ import annotations

from datetime import date

import pytest
from django.db import connection

from events import partitions

pytestmark = pytest.mark.django_db(transaction=True)
BROKEN = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass"
PARTS = """
SELECT t.relname, i.indisvalid FROM pg_inherits h JOIN pg_index i ON i.indexrelid = h.inhrelid
JOIN pg_class t ON t.oid = i.indrelid WHERE h.inhparent = %s::regclass
"""


def parts(index: str) -> dict[str, bool]:
    with connection.cursor() as cursor:
        cursor.execute(PARTS, [index])
        return dict(cursor.fetchall())


def test_an_index_reaches_months_of_before_and_of_later_and_may_be_made_again() -> None:
    with connection.cursor() as cursor:
        partitions.add_index("event_by_kind", "(type)")
        try:
            assert set(parts("event_by_kind")) == {*partitions.months(), partitions.DEFAULT}
            month = partitions.ensure(date(2019, 5, 1), back=0, ahead=0)
            assert parts("event_by_kind").pop(month[0])
            cursor.execute("DROP INDEX event_by_kind")
            cursor.execute("CREATE INDEX events_event_default_by_kind ON events_event_default (type)")
            cursor.execute(BROKEN, ["events_event_default_by_kind"])
            partitions.add_index("event_by_kind", "(type)")
            assert all(parts("event_by_kind").values())
        finally:
            cursor.execute("DROP INDEX IF EXISTS event_by_kind")
            cursor.execute("DROP TABLE IF EXISTS events_event_2019_05")


def test_the_index_for_questions_about_everybody_is_everywhere() -> None:
    found = parts("event_name_time")
    assert set(found) == {*partitions.months(), partitions.DEFAULT}
    assert all(found.values())
