"""Addresses that are not to be written to, as files: read from what other services export, and written.

A file is a CSV with a header, or one address a line. Columns go by the names that mail services give them; what a
reason says decides the cause: bounced, reported as spam, unsubscribed (then only marketing is kept away), else by hand.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from django.http import StreamingHttpResponse

from events.models import Import
from events.transfers import exports, files
from events.transfers.exports import Row
from messaging import lists, policy
from messaging.lists import Struck
from messaging.models import Suppression

MOST_BYTES = 20 * 1024 * 1024
MOST_ROWS = 500_000
BATCH = 5_000
SHOWN = 20
MAX_REASON = 500
COLUMNS = ("channel", "address", "cause", "reason", "since")

ADDRESS = ("address", "email", "email address", "email_address", "recipient", "phone", "number")
CAUSE = ("cause",)
REASON = ("reason", "type", "detail", "description", "suppression reason", "suppressionreason", "status")
CHANNEL = ("channel",)
# The first that a reason holds decides.
CAUSES = (
    (("spam", "complain", "abuse"), Suppression.Cause.COMPLAINT),
    (("unsub", "opt-out", "opt out", "optout", "left"), Suppression.Cause.LEFT),
    (("bounce", "invalid", "hard", "not exist", "unknown"), Suppression.Cause.BOUNCE),
)


class Unreadable(ValueError):
    """Raised for a file of which nothing can be taken; the message says why, and what to do."""


@dataclass(slots=True)
class Taken:
    """How many rows of a file were ``new``, how many on the list already (``known``); ``refused`` ones with reasons."""

    new: int = 0
    known: int = 0
    refused: int = 0
    examples: list[str] = field(default_factory=list)


def take(content: bytes) -> Taken:
    """Put the addresses of a file on the list. Raises Unreadable. A row that cannot be read hides no other."""
    taken = Taken()
    every = _rows(content)
    while rows := list(islice(every, BATCH)):
        struck = []
        for number, address, cause, reason, channel in rows:
            if refusal := _refusal(address, channel):
                taken.refused += 1
                if len(taken.examples) < SHOWN:
                    taken.examples.append(f"Line {number}: {refusal}")
            else:
                struck.append(Struck(address, cause_of(cause or reason), reason[:MAX_REASON], channel=channel))
        new = lists.suppress(struck)
        taken.new += new
        taken.known += len(struck) - new
    return taken


def cause_of(reason: str) -> Suppression.Cause:
    """Return the cause that another service's words come to."""
    words = reason.lower()
    return next((cause for parts, cause in CAUSES if any(part in words for part in parts)), Suppression.Cause.MANUAL)


def _refusal(address: str, channel: str) -> str:
    """Return what is wrong with a row, "" for nothing."""
    if channel not in ("email", "sms"):
        return f"“{channel[:30]}” is no channel: email or sms."
    if not address:
        return "There is no address."
    if not policy.is_reachable(channel, address):
        what = "email address" if channel == "email" else "number with its country, such as +43660123456"
        return f"“{address[:80]}” is no {what}."
    return ""


def _rows(content: bytes) -> Iterator[tuple[int, str, str, str, str]]:
    """Yield line number, address, cause, reason and channel of each row that is not empty."""
    if len(content) > MOST_BYTES:
        raise Unreadable(f"The file is larger than {MOST_BYTES // 1024 // 1024} MB: split it.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    text = text.replace("\0", "")
    first = text.lstrip().partition("\n")[0]
    delimiter = max(",;\t", key=first.count) if any(mark in first for mark in ",;\t") else ","
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    header = next(reader, None)
    if not header or not any(cell.strip() for cell in header):
        raise Unreadable("The file is empty.")
    names = [cell.strip().lower() for cell in header]
    at = next((names.index(name) for name in ADDRESS if name in names), None)
    if at is None:
        if len(header) > 1 and not policy.is_address(header[0].strip()):
            raise Unreadable("No column is called email or address: name one in the first line.")
        at, names = 0, []
        yield 1, *_cells(header, 0, [])
    for line in reader:
        if reader.line_num > MOST_ROWS:
            raise Unreadable(f"What comes after line {MOST_ROWS:,} was not read: split the file, and import the rest.")
        if any(cell.strip() for cell in line):
            yield reader.line_num, *_cells(line, at, names)


def _cells(line: list[str], at: int, names: list[str]) -> tuple[str, str, str, str]:
    address = line[at].strip() if at < len(line) else ""
    channel = _cell(line, names, CHANNEL).lower()
    if not channel:
        channel = "email" if "@" in address or not address.lstrip("+").isdigit() else "sms"
    address = policy.plain_number(address) if channel == "sms" else address.lower()
    return address, _cell(line, names, CAUSE), " ".join(_cell(line, names, REASON).split()), channel


def _cell(line: list[str], names: list[str], wanted: tuple[str, ...]) -> str:
    for name in wanted:
        if name in names and names.index(name) < len(line):
            return line[names.index(name)].strip()
    return ""


def download(file_format: str) -> StreamingHttpResponse:
    """Return the whole list as a file that streams. Addresses of erased people are not known any more, and left out."""
    rows = _stored()
    pieces = exports.ndjson(rows) if file_format == Import.Format.NDJSON else exports.csv_file(rows, COLUMNS)
    return files.attachment("suppressions", file_format, pieces)


def _stored() -> Iterator[Row]:
    """Yield the list in keyset batches, oldest first."""
    after = 0
    readable = Suppression.objects.exclude(address__startswith=lists.DISGUISED).order_by("pk")
    while found := list(readable.filter(pk__gt=after)[:BATCH]):
        after = found[-1].pk
        for row in found:
            values = (row.channel, row.address, row.cause, row.detail, row.created_at)
            yield dict(zip(COLUMNS, values, strict=True))
