"""Hand an export out as a download: one place that says which columns a file has and what it is called."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import StreamingHttpResponse
from django.utils import timezone

from events.models import Import, Segment
from events.transfers import exports
from events.transfers.exports import Period

CONTENT_TYPES = {Import.Format.CSV: "text/csv; charset=utf-8", Import.Format.NDJSON: "application/x-ndjson"}
PROFILE_COLUMNS = ("user_id", "anonymous_id", "first_seen_at", "last_seen_at")
EVENT_COLUMNS = ("type", "event", "user_id", "anonymous_id", "email", "timestamp", "message_id")


def download(kind: str, file_format: str, period: Period) -> StreamingHttpResponse:
    """Return people, or the events of ``period``, as a file that streams. Nobody may keep a copy on the way."""
    return attachment(kind, file_format, _pieces(kind, file_format, period))


def members(segment: Segment) -> StreamingHttpResponse:
    """Return who is in a segment, as a CSV that streams."""
    people = exports.csv_file(exports.profiles(segment.pk), PROFILE_COLUMNS, "traits", exports.trait_names())
    return attachment(f"segment-{segment.slug}", Import.Format.CSV, people)


def attachment(kind: str, file_format: str, pieces: Iterator[bytes]) -> StreamingHttpResponse:
    """Return ``pieces`` of a file named by what is in it and today."""
    name = f"{kind}-{timezone.now():%Y-%m-%d}.{file_format}"
    return StreamingHttpResponse(
        pieces,
        content_type=CONTENT_TYPES[Import.Format(file_format)],
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )


def _pieces(kind: str, file_format: str, period: Period) -> Iterator[bytes]:
    rows = exports.profiles() if kind == Import.Kind.PROFILES else exports.events(period)
    if file_format == Import.Format.NDJSON:
        return exports.ndjson(rows)
    if kind == Import.Kind.PROFILES:
        return exports.csv_file(rows, PROFILE_COLUMNS, "traits", exports.trait_names())
    return exports.csv_file(rows, EVENT_COLUMNS, "properties", exports.property_names(period))
