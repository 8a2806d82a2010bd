"""Files are cut into rows wherever reading begins, and a broken row costs itself alone."""

from __future__ import annotations

import csv
import io
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.transfers import reading

CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=12)


def texts(data: bytes, last: bool = True) -> list[str]:
    return [row.text for row in reading.records(data, last)]


def test_a_quoted_field_may_hold_delimiters_quotes_and_line_breaks() -> None:
    rows = list(reading.records(b'a,"x\r\n,""y"""\r\nb,c', last=True))
    assert [reading.cells(row.text, ",") for row in rows] == [["a", 'x\r\n,"y"'], ["b", "c"]]
    assert [row.end for row in rows] == [15, 18]


def test_a_row_without_its_end_waits_for_more_of_the_file() -> None:
    assert texts(b"a,b\nc,", last=False) == ["a,b"]
    assert texts(b'a,b\n"c\nd', last=False) == ["a,b"]
    assert [row.text for row in reading.lines(b'{"a":1}\n{"b"', last=False)] == ['{"a":1}']


def test_a_quote_that_never_closes_costs_one_line() -> None:
    rows = list(reading.records(b'a,b\n"c,d\ne,f\ng,h', last=True))
    assert [(row.text, bool(row.error)) for row in rows] == [
        ("a,b", False),
        ('"c,d', True),
        ("e,f", False),
        ("g,h", False),
    ]


def test_a_quotation_mark_within_a_field_is_a_sign_like_any_other() -> None:
    rows = list(reading.records(b'1,5" screen\n2,foo\n3,6" tv\n"4",""""\n', last=True, delimiter=","))
    assert [reading.cells(row.text, ",") for row in rows] == [
        ["1", '5" screen'],
        ["2", "foo"],
        ["3", '6" tv'],
        ["4", '"'],
    ]


def test_signs_behind_a_closing_quote_cost_their_line_alone() -> None:
    rows = list(reading.records(b'"a"x,"b\nc,d\n"e","f\ng"', last=True, delimiter=","))
    assert [(row.text, bool(row.error)) for row in rows] == [('"a"x,"b', True), ("c,d", False), ('"e","f\ng"', False)]


def test_many_quotes_take_one_pass() -> None:
    data = b'"' + b'""' * (reading.MAX_ROW // 2 - 10) + b'x",' * 2 + b"\n" + b'"",' * 20_000 + b'"x\na,b'
    started = time.monotonic()
    assert [row.text for row in reading.records(data, last=True)][-1] == "a,b"
    assert time.monotonic() - started < 1


def test_what_is_not_utf_8_is_said_so() -> None:
    (bad, good) = reading.records("Zoë\n".encode("latin-1") + "Zoë".encode(), last=True)
    assert "UTF-8" in bad.error
    assert (good.text, good.error) == ("Zoë", "")


def test_the_mark_that_spreadsheets_put_first_is_no_part_of_a_name() -> None:
    assert texts(b"\xef\xbb\xbfid,name\n") == ["id,name"]


def test_a_row_beyond_all_bounds_is_an_error() -> None:
    (row, after) = reading.lines(b"x" * (reading.MAX_ROW + 1) + b"\n{}", last=True)
    assert "longer" in row.error
    assert after.text == "{}"


@pytest.mark.parametrize(
    ("header", "sign"),
    [("a,b", ","), ("a;b;c", ";"), ("a\tb", "\t"), ("only", ","), ('"a";"b"', ";"), ('"a","b; c; d"', ",")],
)
def test_the_delimiter_is_found(header: str, sign: str) -> None:
    assert reading.find_delimiter(header) == sign


def test_more_cells_than_columns_are_an_error_that_counts_them() -> None:
    with pytest.raises(reading.RowError, match="3 cells.*2 columns"):
        reading.record_object("1,2,3", ["a", "b"], ",")


@given(st.lists(st.lists(CELL, min_size=1, max_size=4), min_size=1, max_size=8), st.integers(0, 200))
def test_reading_in_two_goes_finds_the_same_rows_as_in_one(table: list[list[str]], cut: int) -> None:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, quoting=csv.QUOTE_ALL).writerows(table)
    data = buffer.getvalue().encode()
    whole = list(reading.records(data, last=True))
    assert [reading.cells(row.text, ",") for row in whole] == table
    first = list(reading.records(data[:cut], last=False))
    position = first[-1].end if first else 0
    rest = list(reading.records(data[position:], last=True))
    assert [row.text for row in first + rest] == [row.text for row in whole]
