"""What a row of a file comes to as a call."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from events.api.refusal import Refusal
from events.models import Import
from events.transfers import rows
from events.transfers.reading import RawRow, RowError
from events.transfers.rows import Column

NOW = datetime(2026, 5, 1, tzinfo=UTC)
PROFILES, EVENTS = Import.Kind.PROFILES, Import.Kind.EVENTS


def csv_upload(kind: str, header: list[str], **columns: Any) -> Import:
    meanings = [(column.meaning, column.name) for column in rows.guess(kind, header).values()]
    layout = {"header": header, "delimiter": ",", "begin": 0, "meanings": meanings}
    return Import(pk=7, kind=kind, format=Import.Format.CSV, columns=layout, **columns)


def ndjson_upload(kind: str, **columns: Any) -> Import:
    return Import(pk=7, kind=kind, format=Import.Format.NDJSON, **columns)


def read(upload: Import, text: str) -> rows.Item:
    return rows.item(upload, 1, rows.read(upload, RawRow(text, len(text))), NOW)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("36", 36),
        ("-1.50", -1.5),
        ("007", "007"),
        ("+43 1 234", "+43 1 234"),
        ("1e5", "1e5"),
        ("true", True),
        ("True", "True"),
        ('["a", 1]', ["a", 1]),
        ('{"city": "Graz"}', {"city": "Graz"}),
        ("[draft", "[draft"),
        ("'=1+1", "=1+1"),
        ("'s Hertogenbosch", "'s Hertogenbosch"),
        ("2026-01-31", "2026-01-31"),
    ],
)
def test_a_cell_is_read_as_what_it_looks_like(text: str, value: Any) -> None:
    assert json.loads(msgspec.json.encode(rows.typed(text))) == value


def test_a_row_of_people_is_an_identify_that_is_no_sign_of_life() -> None:
    item = read(csv_upload(PROFILES, ["Customer ID", "email", "age", "note"]), "42,ada@example.com,36,")
    assert (item.type, item.user_id, item.active, item.pending) == ("identify", "42", False, False)
    assert json.loads(item.properties) == {"email": "ada@example.com", "age": 36}


def test_a_column_of_people_called_timestamp_is_a_trait() -> None:
    assert rows.guess(PROFILES, ["id", "timestamp"])["timestamp"] == Column("word", "timestamp")
    assert rows.guess(EVENTS, ["id", "timestamp"])["timestamp"] == Column("timestamp")


def test_the_first_column_that_fits_a_meaning_gets_it() -> None:
    guessed = rows.guess(EVENTS, ["user_id", "id", "event"])
    assert [guessed[name].meaning for name in guessed] == ["user_id", "word", "event"]


@pytest.mark.parametrize("time", ["2026-01-31T09:30:00Z", "1769851800", "1769851800000", "2026-01-31 10:30:00+01:00"])
def test_times_are_read_as_files_have_them(time: str) -> None:
    item = read(csv_upload(EVENTS, ["user_id", "event", "timestamp"]), f"42,Ordered,{time}")
    assert item.timestamp == datetime(2026, 1, 31, 9, 30, tzinfo=UTC)


def test_ndjson_takes_calls_of_the_tracking_api_and_plain_fields() -> None:
    call = '{"type": "track", "userId": "42", "event": "Ordered", "properties": {"total": 1.50}}'
    plain = '{"user_id": "42", "event": "Ordered", "total": 1.50}'
    own = '{"type": "track", "user_id": "42", "event": "Ordered", "properties": {"total": 1.50}}'
    for line in (call, plain, own):
        item = read(ndjson_upload(EVENTS), line)
        assert (item.user_id, item.name) == ("42", "Ordered"), line
        assert item.properties.replace(b" ", b"") == b'{"total":1.50}', line


@pytest.mark.parametrize(
    ("upload", "text"),
    [
        (csv_upload(PROFILES, ["E-mail address", "plan"]), " ada@example.com ,pro"),
        (csv_upload(EVENTS, ["email", "event"]), "ada@example.com,Ordered"),
        (ndjson_upload(PROFILES), '{"email": "ada@example.com"}'),
        (ndjson_upload(PROFILES), '{"user_id": null, "anonymous_ids": [], "traits": {"email": "ada@example.com"}}'),
        (ndjson_upload(EVENTS), '{"email": "ada@example.com", "event": "Ordered"}'),
        (ndjson_upload(EVENTS), '{"type": "track", "userId": null, "email": "ada@example.com", "event": "Ordered"}'),
    ],
)
def test_an_email_says_who_is_meant_where_no_id_does(upload: Import, text: str) -> None:
    item = read(upload, text)
    assert (item.user_id, item.anonymous_id, item.email) == (None, None, "ada@example.com")


@pytest.mark.parametrize(
    ("upload", "text"),
    [
        (csv_upload(PROFILES, ["user_id", "email"]), "42,ada@example.com"),
        (ndjson_upload(PROFILES), '{"user_id": "42", "email": "ada@example.com"}'),
        (ndjson_upload(EVENTS), '{"user_id": "42", "event": "Ordered", "email": "ada@example.com"}'),
        (ndjson_upload(EVENTS), '{"type": "track", "userId": "42", "event": "Ordered", "email": "ada@example.com"}'),
    ],
)
def test_an_email_beside_an_id_is_what_is_known_of_them(upload: Import, text: str) -> None:
    item = read(upload, text)
    assert (item.user_id, item.email) == ("42", None)
    assert json.loads(item.properties) == {"email": "ada@example.com"}


def test_columns_that_an_export_tells_about_people_are_left_out() -> None:
    guessed = rows.guess(PROFILES, ["user_id", "first_seen_at", "last_seen_at", "traits.user_id"])
    assert [column.meaning for column in guessed.values()] == ["user_id", "ignore", "ignore", "word"]
    assert guessed["traits.user_id"].name == "user_id"


def test_numbers_of_ndjson_keep_every_digit() -> None:
    item = read(ndjson_upload(PROFILES), '{"user_id": 42, "balance": 12345678901234567890.10}')
    assert item.properties == b'{"balance":12345678901234567890.10}'


def test_an_event_with_a_time_has_the_same_id_in_every_file_and_one_without_has_its_row() -> None:
    text = '{"user_id": "42", "event": "Ordered", "timestamp": "2026-01-31T00:00:00Z"}'
    upload, other = ndjson_upload(EVENTS), ndjson_upload(EVENTS)
    other.pk = 8
    assert read(upload, text).message_id == read(other, text).message_id
    without = text.replace(', "timestamp": "2026-01-31T00:00:00Z"', "")
    assert read(upload, without).message_id == "import-7-1"
    assert read(other, without).message_id == "import-8-1"


def test_nothing_starts_a_campaign_unless_asked() -> None:
    text = '{"user_id": "42", "event": "Ordered"}'
    assert not read(ndjson_upload(EVENTS), text).pending
    assert read(ndjson_upload(EVENTS, triggers=True), text).pending


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ('{"event": "Ordered"}', "userId"),
        ('{"user_id": "  ", "event": "Ordered"}', "userId"),
        ('{"email": "ada", "event": "Ordered"}', "email"),
        ('{"user_id": "42"}', "event"),
        ('{"user_id": "42", "event": "Ordered", "timestamp": "yesterday"}', "timestamp"),
        ('{"user_id": "42", "type": "sing", "event": "x"}', "type"),
        ('{"user_id": ["42"], "event": "Ordered"}', "userId"),
        ("[1]", "body"),
        ("nonsense", "body"),
    ],
)
def test_what_cannot_be_taken_names_the_field(line: str, field: str) -> None:
    with pytest.raises(Refusal) as caught:
        read(ndjson_upload(EVENTS), line)
    assert caught.value.field == field


def test_a_row_that_could_not_be_read_is_an_error() -> None:
    with pytest.raises(RowError, match="stray"):
        rows.read(ndjson_upload(EVENTS), RawRow("x", 1, "stray"))
