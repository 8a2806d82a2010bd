"""Take files in: store the upload, check it without storing anything, then run it; each can be stopped at any moment.

A slice of rows is stored in one transaction together with the place where the next one begins. A worker that is killed
leaves a whole number of slices behind, and the next one goes on from there: no row is lost, none counts twice.
"""

from __future__ import annotations

import codecs
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, astuple, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.db import OperationalError, transaction
from django.db.models import DateTimeField, Exists, Func, OuterRef, Q
from django.utils import timezone

from events import ingest, nudges
from events.api.customerio.identifiers import is_email
from events.api.refusal import Refusal
from events.ingest import Item
from events.models import Identity, Import, ImportChunk, ImportFailure, ImportPerson, Segment
from events.transfers import listing, reading, rows
from events.transfers.reading import RawRow, RowError

logger = logging.getLogger(__name__)
State = Import.State
CHUNK = 1024 * 1024
MAX_SIZE = 512 * 1024 * 1024
SLICE_ROWS = 1000
SLICE_BYTES = 2 * CHUNK
# More than anybody will read; the number of failed rows is counted on.
FAILURES_KEPT = 10_000
PREVIEWED = 3
UTF_8 = "utf-8"
ENCODINGS = {UTF_8: "UTF-8", "cp1252": "Windows-1252 (Western Europe)", "utf-16": "UTF-16 (spreadsheets' Unicode text)"}
KEEP_FILES = timedelta(days=7)
ACTIVE = (State.CHECKING, State.RUNNING)


@dataclass(frozen=True, slots=True)
class Failure:
    """A row that cannot be taken, and what to do about it."""

    row: int
    field: str
    message: str
    raw: str


@dataclass(slots=True)
class Slice:
    """What was read in one go: the items with their rows' numbers and texts, the failures, where reading stopped.

    ``remarks`` are about rows that are taken all the same.
    """

    items: list[Item] = field(default_factory=list)
    texts: dict[int, str] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    remarks: list[Failure] = field(default_factory=list)
    count: int = 0
    end: int = 0


def store(upload: Import, pieces: Iterable[bytes], encoding: str = UTF_8, named_by: str = "") -> None:
    """Save an upload with its file and guess what its columns mean. Raises RowError for a file that is none.

    ``upload`` is new and has kind, format, source and file name; the file is kept as UTF-8, whatever its ``encoding``.
    ``named_by`` is what names the people in a file for a list, a key of ``rows.MEANINGS``; it is guessed if empty.
    """
    with transaction.atomic():
        upload.save()
        for piece in _even(pieces if encoding == UTF_8 else _as_utf_8(pieces, encoding)):
            ImportChunk.objects.create(upload=upload, offset=upload.size, data=piece)
            upload.size += len(piece)
            if upload.size > MAX_SIZE:
                raise RowError(f"The file is larger than {MAX_SIZE // CHUNK} MB: split it.")
        if upload.size == 0:
            raise RowError("The file is empty.")
        upload.columns = _layout(upload, named_by)
        upload.save(update_fields=["size", "columns"])


def _as_utf_8(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for piece in pieces:
            yield decoder.decode(piece).encode()
        yield decoder.decode(b"", final=True).encode()
    except UnicodeError:
        raise RowError(f"The file is not {ENCODINGS[encoding]}: choose another encoding.") from None


def _even(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield pieces of ``CHUNK`` bytes, the last one shorter."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        while len(waiting) >= CHUNK:
            yield bytes(waiting[:CHUNK])
            del waiting[:CHUNK]
    if waiting:
        yield bytes(waiting)


def _layout(upload: Import, named_by: str) -> dict[str, Any]:
    """Return what ``Import.columns`` holds: header, delimiter, where the data begin, and what each column means."""
    if upload.format == Import.Format.NDJSON:
        return {}
    records = reading.records(_window(upload, 0), last=True)
    first = next(records)
    delimiter = reading.named_delimiter(first.text)
    if delimiter:
        first = next(records, first)
    if first.error:
        raise RowError(first.error)
    delimiter = delimiter or reading.find_delimiter(first.text)
    cells, begin = reading.cells(first.text, delimiter), first.end
    if upload.listing and any(is_email(cell.strip()) for cell in cells):
        # Nobody has named the columns: these are people already.
        cells, begin = [""] * (len(cells) - 1) + [rows.UNNAMED.format(len(cells))], 0
    header = rows.header(cells)
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise RowError(f"Two columns are called “{twice}”: rename one of them.")
    guessed = rows.guess(upload.kind, header)
    columns = listing.meanings(header, guessed, named_by) if upload.listing else guessed
    meanings = [astuple(column) for column in columns.values()]
    return {"header": header, "delimiter": delimiter, "begin": begin, "meanings": meanings}


def begin(upload: Import, state: str) -> bool:
    """Let workers check (CHECKING) or run (RUNNING) an upload from its beginning. False when it is under way."""
    with transaction.atomic():
        # Files for one list begin one after the other, so that all agree on which came first.
        if upload.segment_id is not None:
            Segment.objects.select_for_update(no_key=True).filter(pk=upload.segment_id).first()
        found = Import.objects.filter(pk=upload.pk, state__in=(State.UPLOADED, State.CHECKED)).update(
            state=state,
            begun_at=Func(function="clock_timestamp", output_field=DateTimeField()),
            position=upload.columns.get("begin", 0),
            rows_done=0,
            rows_failed=0,
            rows_repeated=0,
            rows_known=0,
            rows_unknown=0,
            rows_doubled=0,
            people_moved=0,
            error="",
            finished_at=None,
        )
        if found:
            ImportFailure.objects.filter(upload=upload).delete()
            listing.forget_names(upload)
            nudges.nudge("imports")
    return bool(found)


def cancel(upload: Import) -> bool:
    """Stop after the slice that is being stored. What is stored stays."""
    found = Import.objects.filter(pk=upload.pk).exclude(state__in=(State.DONE, State.FAILED, State.CANCELLED))
    return bool(found.update(state=State.CANCELLED, finished_at=timezone.now()))


def work(deadline: float) -> bool:
    """Take slices of any import that waits, until none does or ``time.monotonic()`` passes ``deadline``.

    Says whether more is to be done.
    """
    while time.monotonic() < deadline:
        if not work_slice():
            return False
    return True


def work_slice() -> bool:
    """Check or store the next rows of one import, in one transaction. False when nothing waits.

    It is the turn of the one that is least far: nobody waits an hour for somebody else's large file. Only files for the
    same list wait for each other, as if they had been sent one by one.
    """
    before = Import.objects.filter(state=State.RUNNING, segment=OuterRef("segment"), begun_at__lt=OuterRef("begun_at"))
    with transaction.atomic():
        active = Import.objects.select_for_update(skip_locked=True).filter(state__in=ACTIVE)
        waiting = active.exclude(Q(Exists(before), state=State.RUNNING))
        upload = waiting.order_by("rows_done", "pk").first()
        if upload is None:
            return False
        try:
            with transaction.atomic():
                _advance(upload)
        except OperationalError:
            raise
        except Exception as error:
            _fail(upload, error)
    return True


def _fail(upload: Import, error: Exception) -> None:
    """Give an import up after an error that is no row's. What the error says may be personal: it is not logged."""
    logger.error("import %s failed at byte %s: %s", upload.pk, upload.position, type(error).__name__)
    Import.objects.filter(pk=upload.pk).update(
        state=State.FAILED, error=f"{type(error).__name__}: {error}", finished_at=timezone.now()
    )


def _advance(upload: Import) -> None:
    now = timezone.now()
    part = read_slice(upload, now)
    if upload.listing:
        _list(upload, part, now)
    elif upload.state == State.RUNNING and part.items:
        _store(upload, part, part.items, now)
    elif part.items:
        upload.rows_known += _known(part.items)
    _keep_failures(upload, [*part.failures, *part.remarks])
    upload.rows_done += part.count
    upload.rows_failed += len(part.failures)
    upload.position += part.end
    if (part.end == 0 or upload.position >= upload.size) and not _has_more_to_do(upload):
        upload.state = State.DONE if upload.state == State.RUNNING else State.CHECKED
        upload.finished_at = now
        listing.forget_names(upload)
    upload.save()


def _has_more_to_do(upload: Import) -> bool:
    """Say whether a file that is read to its end still has people to take out of its list, after taking out some."""
    replaces = upload.listing == Import.Listing.REPLACE and upload.state == State.RUNNING
    return replaces and listing.take_others_out(upload)


def _store(upload: Import, part: Slice, items: Sequence[Item], now: datetime) -> None:
    result = ingest.ingest(upload.source, items, now)
    upload.rows_repeated += result.repeated
    part.failures += [
        Failure(number, _column_of(upload, refusal.field), refusal.message, part.texts[number])
        for number, refusal in result.refused
    ]


def _list(upload: Import, part: Slice, now: datetime) -> None:
    def store(items: Sequence[Item]) -> None:
        if items:
            _store(upload, part, items, now)

    def fail(number: int, message: str) -> None:
        part.failures.append(Failure(number, "", message, part.texts[number]))

    def remark(number: int, message: str) -> None:
        part.remarks.append(Failure(number, "", message, part.texts[number]))

    listing.take(upload, part.items, store, fail, remark)


def read_slice(upload: Import, now: datetime) -> Slice:
    """Read the next rows from the upload's position on."""
    part = Slice()
    for raw in _raw_rows(upload, upload.position):
        part.end = raw.end
        if raw.text.strip() or raw.error:
            part.count += 1
            _take(upload, raw, upload.rows_done + part.count, now, part)
        if part.count == SLICE_ROWS:
            break
    return part


def _take(upload: Import, raw: RawRow, number: int, now: datetime, part: Slice) -> None:
    try:
        part.items.append(replace(rows.item(upload, number, rows.read(upload, raw), now), index=number))
        part.texts[number] = raw.text
    except Refusal as refusal:
        part.failures.append(Failure(number, _column_of(upload, refusal.field), refusal.message, raw.text))
    except RowError as error:
        part.failures.append(Failure(number, "", str(error), raw.text))


def _column_of(upload: Import, name: str) -> str:
    """Return the file's own name for a field of a call."""
    columns = rows.columns_of(upload.columns)
    return next((column for column, meant in columns.items() if rows.MEANINGS.get(meant.meaning) == name), name)


def _raw_rows(upload: Import, position: int) -> Iterator[RawRow]:
    data = _window(upload, position)
    last = position + len(data) >= upload.size
    if upload.format == Import.Format.NDJSON:
        return reading.lines(data, last)
    return reading.records(data, last, upload.columns["delimiter"])


def _window(upload: Import, position: int) -> bytes:
    """Return what a slice may need of the file: a chunk or two from ``position`` on."""
    first = position - position % CHUNK
    chunks = upload.chunks.filter(offset__gte=first, offset__lt=first + SLICE_BYTES).order_by("offset")
    return b"".join(bytes(data) for data in chunks.values_list("data", flat=True))[position - first :]


def _known(items: Sequence[Item]) -> int:
    """Count the rows about people who are known already."""
    ids = {item.user_id for item in items if item.user_id}
    known = set(Identity.objects.filter(kind=Identity.Kind.USER, value__in=ids).values_list("value", flat=True))
    return sum(item.user_id in known for item in items)


def _keep_failures(upload: Import, failures: Sequence[Failure]) -> None:
    room = max(0, FAILURES_KEPT - upload.rows_failed - upload.rows_doubled)
    ImportFailure.objects.bulk_create(ImportFailure(upload=upload, **asdict(failure)) for failure in failures[:room])


def preview(upload: Import) -> list[tuple[int, str, str]]:
    """Return the first rows as they are understood: (number, the call as indented JSON, what is wrong)."""
    shown = []
    now = timezone.now()
    for number, raw in enumerate(_raw_rows(upload, upload.columns.get("begin", 0)), start=1):
        try:
            call = rows.read(upload, raw)
            rows.item(upload, number, dict(call), now)
            shown.append((number, msgspec.json.format(msgspec.json.encode(call)).decode(), ""))
        except (Refusal, RowError) as error:
            shown.append((number, "", str(error)))
        if number == PREVIEWED:
            break
    return shown


def forget_files(before: datetime) -> None:
    """Delete the files of imports that ended before a time; what is told about them stays."""
    for model in (ImportChunk, ImportPerson):
        model.objects.filter(upload__finished_at__lt=before).exclude(upload__state__in=ACTIVE).delete()
