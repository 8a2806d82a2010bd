"""Cut a file into rows, from any byte on. Pure.

A row knows where it ends, so that reading can stop after it and go on there later. A row that cannot be read is a row
with an error: it takes one line with it, and the next one is read again.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

DELIMITERS = (",", ";", "\t", "|")
# Longer than any row that could be taken: a quote that is never closed must not swallow the file.
MAX_ROW = 64 * 1024
BOM = b"\xef\xbb\xbf"


class RowError(ValueError):
    """Raised for a row, or a file, that cannot be read; says what to do."""


@dataclass(frozen=True, slots=True)
class RawRow:
    """``text`` is the row as it stands in the file, ``end`` where it ends, in bytes from where reading began.

    ``error`` says why it cannot be read.
    """

    text: str
    end: int
    error: str = ""


def lines(data: bytes, last: bool) -> Iterator[RawRow]:
    """Yield the lines of NDJSON. Without ``last`` the rest that has no end yet is left."""
    start = 0
    while start < len(data):
        stop = data.find(b"\n", start)
        if stop < 0 and not last and len(data) - start < MAX_ROW:
            return
        end = len(data) if stop < 0 else stop + 1
        yield _row(data[start:end], end)
        start = end


def records(data: bytes, last: bool, delimiter: str = "") -> Iterator[RawRow]:
    """Yield the records of CSV, in which a quoted field may run over several lines.

    Without a ``delimiter`` any of ``DELIMITERS`` parts the fields: for a header, which tells it.
    """
    shape = _record_shape(delimiter or "".join(DELIMITERS))
    start = 0
    while start < len(data):
        end = _record_end(data, start, last, shape)
        if end is None:
            return
        if end > 0:
            yield _row(data[start:end], end)
        else:
            # No closing quote in reach: give up this line alone.
            end = _line_end(data, start)
            yield RawRow(
                _text(data[start:end])[0], end, "A quoted field is not closed: look for a stray quotation mark."
            )
        start = end


def _record_shape(delimiters: str) -> re.Pattern[bytes]:
    """Match one record with its end. A quotation mark opens a field only as its first sign: 5" is a plain one.

    Possessive, so that no text takes longer than one pass.
    """
    signs = re.escape(delimiters.encode())
    field = rb'(?:"(?:[^"]++|"")*+"|(?!")[^\n' + signs + rb"]*+)"
    return re.compile(field + rb"(?:[" + signs + rb"]" + field + rb")*+\r?(?:\n|\Z)")


def _record_end(data: bytes, start: int, last: bool, shape: re.Pattern[bytes]) -> int | None:
    """Return where the record ends; None when more of the file is needed, 0 when its quotes never close."""
    stop = data.find(b"\n", start)
    if data.find(b'"', start, len(data) if stop < 0 else stop) < 0:
        if stop >= 0:
            return stop + 1
        return len(data) if last or len(data) - start >= MAX_ROW else None
    found = shape.match(data, start, start + MAX_ROW)
    end = found.end() if found else 0
    # What ends only because the view or the data do may go on behind them.
    if end and (data[end - 1 : end] == b"\n" or (last and end == len(data))):
        return end
    return None if not last and len(data) - start < MAX_ROW else 0


def _line_end(data: bytes, start: int) -> int:
    stop = data.find(b"\n", start)
    return len(data) if stop < 0 else stop + 1


def _row(raw: bytes, end: int) -> RawRow:
    text, error = _text(raw)
    if len(raw) > MAX_ROW:
        error = f"The row is longer than {MAX_ROW // 1024} KB."
    return RawRow(text, end, error)


def _text(raw: bytes) -> tuple[str, str]:
    raw = raw.removeprefix(BOM).rstrip(b"\r\n")
    try:
        return raw.decode(), ""
    except UnicodeDecodeError:
        return raw.decode(
            errors="replace"
        ), "The row is not UTF-8: choose the file's encoding at the upload, or save it as UTF-8."


def named_delimiter(line: str) -> str:
    """Return the sign that a first line ``sep=;`` names, as spreadsheets write it; "" for any other line."""
    name, _, sign = line.partition("=")
    return sign if name == "sep" and sign in DELIMITERS else ""


def find_delimiter(header: str) -> str:
    """Return the sign that parts the columns: the one that cuts the header into most of them."""
    return max(DELIMITERS, key=lambda sign: _count_cells(header, sign))


def _count_cells(text: str, delimiter: str) -> int:
    """Count the cells; none where the sign cannot be the delimiter, as it would cut quoted names apart."""
    try:
        return len(cells(text, delimiter))
    except RowError:
        return 0


def cells(text: str, delimiter: str) -> list[str]:
    """Return the cells of one record. Raises RowError."""
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise RowError(f"The row is not CSV: {error}.") from None


def record_object(text: str, header: Sequence[str], delimiter: str) -> dict[str, str]:
    """Return a record's cells by column. Raises RowError."""
    found = cells(text.replace("\0", "\N{REPLACEMENT CHARACTER}"), delimiter)
    if len(found) > len(header):
        raise RowError(f"The row has {len(found)} cells, the first line names {len(header)} columns.")
    return dict(zip(header, found, strict=False))
