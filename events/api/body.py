"""Get at a request's bytes: unpacked, within bounds, whatever the Content-Type says."""

from __future__ import annotations

import zlib

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, UnreadablePostError

from events.api.refusal import Refusal

CALL_LIMIT = 32 * 1024
BATCH_LIMIT = 500 * 1024
_GZIP = 16 + zlib.MAX_WBITS


def received(request: HttpRequest) -> bytes:
    """Return the body as it came in, at most a few megabytes. Raises Refusal."""
    try:
        return request.body
    except RequestDataTooBig:
        raise too_large(BATCH_LIMIT) from None
    except UnreadablePostError:
        raise Refusal("incomplete_body", "The body ended early.", "body") from None


def unpacked(body: bytes, encoding: str, limit: int) -> bytes:
    """Undo the Content-Encoding; never unpacks more than ``limit`` bytes. Raises Refusal."""
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
