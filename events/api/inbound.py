"""Keep calls as they came in and were answered, for the debugger: all that were refused, some of the others.

Keys and passwords are masked. The number of accepted calls kept is bounded per second and process, so that a busy
source is not slowed down by its own diary.
"""

from __future__ import annotations

import re
import time

from django.db import DatabaseError
from django.http import HttpRequest

from events import origin, suppression
from events.api.refusal import Refusal
from events.models import InboundRequest, Source

BODY_LIMIT = 32 * 1024
KEPT_PER_SECOND = 20
_OPENERS = (
    "write_?key|api_?key|secret(?:_?key)?|client_?secret|password|passwd|authorization|(?:access|refresh|auth)_?token"
)
# In JSON, and in a form.
_SECRET = re.compile(
    rf'("(?:{_OPENERS})"\s*:\s*"|(?:^|&)(?:{_OPENERS})=)((?:(?<=")(?:[^"\\]|\\.)*)|(?<==)[^&"\s]*)', re.IGNORECASE
)


# Headers that may open a door, in whole or in part.
_OPENS = re.compile(r"auth|cookie|credential|key|password|secret|session|signature|token", re.IGNORECASE)
# Where a caller sits.
_ADDRESS = re.compile(r"forwarded|real-ip|client-ip|connecting-ip", re.IGNORECASE)
MAX_HEADERS = 50
HEADER_LIMIT = 500


class Sampler:
    """Say yes to the first few questions of each second. Threads may squeeze in one or two more; that is fine."""

    def __init__(self, per_second: int) -> None:
        self.per_second = per_second
        self._second = 0
        self._taken = 0

    def take(self, now: float) -> bool:
        if int(now) != self._second:
            self._second, self._taken = int(now), 0
        self._taken += 1
        return self._taken <= self.per_second


_accepted = Sampler(KEPT_PER_SECOND)


def sampled() -> bool:
    """Say whether an accepted call that has nothing remarkable is to be kept."""
    return _accepted.take(clock())


def worth_keeping(refusal: Refusal) -> bool:
    """Say whether a refused call is written down. Those above a rate limit must not cost more than an accepted one."""
    return refusal.status != 503 and (refusal.status != 429 or sampled())


def clock() -> float:
    """Return the time by which samplers count."""
    return time.monotonic()


def describe(
    request: HttpRequest, body: bytes, status: int, answer: dict[str, object], source: Source | None, rejected: int = 0
) -> InboundRequest:
    """Make the row; does not save it."""
    return InboundRequest(
        source=source,
        method=(request.method or "")[:8],
        # Without the query, where keys and people may stand: of calls by address alone it is the body.
        path=_plain(request.path)[:1000],
        headers=_headers(request, source),
        client=_plain(_user_agent(request, source))[:500],
        body=masked(origin.without_unwanted(source, body) if source else body),
        status=status,
        answer=answer,
        rejected=rejected,
    )


def _user_agent(request: HttpRequest, source: Source | None) -> str:
    return request.headers.get("User-Agent", "") if source is None or source.store_user_agent else ""


def _headers(request: HttpRequest, source: Source | None) -> dict[str, str]:
    """Return the headers to show: secrets masked, addresses and browsers only where the source keeps them."""
    if source is not None and not source.store_user_agent:
        return {}
    kept = list(request.headers.items())[:MAX_HEADERS]
    return {
        name[:100]: _plain(mask_header(value) if _OPENS.search(name) else _without_query(name, value))[:HEADER_LIMIT]
        for name, value in kept
        if (source is not None and source.store_ip) or not _ADDRESS.search(name)
    }


def mask_header(value: str) -> str:
    """Mask a header's secret, and leave the scheme before it."""
    scheme, blank, credentials = value.partition(" ")
    return f"{scheme} {mask(credentials)}" if blank and scheme.isalpha() else mask(value)


def _without_query(name: str, value: str) -> str:
    return value.partition("?")[0] if name.lower() == "referer" else value


def keep(row: InboundRequest) -> None:
    """Save a row that stands alone, unless it names anybody suppressed.

    A database that cannot take it now does not spoil the answer.
    """
    try:
        if not suppression.concerns(row):
            row.save(force_insert=True)
    except DatabaseError:
        return


def masked(body: bytes) -> str:
    """Return the body as text, cut, with secrets masked."""
    return _SECRET.sub(lambda found: found[1] + mask(found[2]), _plain(body[:BODY_LIMIT].decode(errors="replace")))


def mask(secret: str) -> str:
    """Leave enough of a key to recognise it."""
    return f"{secret[:5]}…{secret[-2:]}" if len(secret) >= 16 else "…"


def _plain(text: str) -> str:
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")
