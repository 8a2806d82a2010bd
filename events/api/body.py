"""Get at a request's bytes: unpacked, within bounds, whatever the Content-Type says."""

from __future__ import annotations

import zlib
from typing import Protocol

from django.http import HttpRequest, UnreadablePostError

from events.api.refusal import Refusal

CALL_LIMIT = 32 * 1024
BATCH_LIMIT = 500 * 1024
# RudderStack's libraries gather 4 MB, and notice it after the item that was too much.
RUDDERSTACK_LIMIT = 8 * 1024 * 1024
# Segment's Webhooks destination sends up to 4,000 events at once.
HOOK_LIMIT = 8 * 1024 * 1024
DRAIN_LIMIT, DRAIN_CHUNK = 64 * 1024 * 1024, 64 * 1024
_GZIP = 16 + zlib.MAX_WBITS


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def received(request: HttpRequest, limit: int = BATCH_LIMIT) -> bytes:
    """Return the body as it came in, and of one beyond all bounds the beginning. Raises Refusal.

    What is too much is read all the same: a server that closes on a client that is still sending looks broken to
    it, and it would try again.
    """
    stream = _stream(request)
    try:
        body = stream.read(limit + 1)
        rest = DRAIN_LIMIT if len(body) > limit else 0
        while rest > 0 and (chunk := stream.read(DRAIN_CHUNK)):
            rest -= len(chunk)
    except (OSError, UnreadablePostError):
        raise Refusal("incomplete_body", "The body ended early.", "body") from None
    return body


def _stream(request: HttpRequest) -> Readable:
    """Return where to read the body. Django takes a chunked one, which names no length, for empty."""
    length: str = request.META.get("CONTENT_LENGTH", "")
    if not length and request.META.get("wsgi.input_terminated"):
        stream: Readable = request.META["wsgi.input"]
        return stream
    return request


def unpacked(body: bytes, encoding: str, limit: int) -> bytes:
    """Undo the Content-Encoding; never unpacks more than ``limit`` bytes. Raises Refusal."""
    if len(body) > max(limit, BATCH_LIMIT):
        raise too_large(limit)
    match encoding.strip().lower():
        case "" | "identity":
            plain = body
        case "gzip" | "x-gzip":
            plain = _gunzip(body, limit)
        case _:
            raise Refusal("unknown_encoding", "Content-Encoding may be gzip or nothing.", "Content-Encoding")
    if len(plain) > limit:
        raise too_large(limit)
    return plain


def _gunzip(body: bytes, limit: int) -> bytes:
    stream = zlib.decompressobj(_GZIP)
    try:
        plain = stream.decompress(body, limit + 1)
    except zlib.error as error:
        raise Refusal("bad_gzip", f"The body is no gzip stream: {error}.", "body") from None
    if len(plain) <= limit and not stream.eof:
        raise Refusal("bad_gzip", "The gzip stream ended early.", "body")
    return plain


def too_large(limit: int) -> Refusal:
    return Refusal("too_large", f"At most {limit // 1024} KB (unpacked) can be taken at once.", "body")
