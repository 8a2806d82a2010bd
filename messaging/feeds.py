"""Read JSON from addresses of one's own for templates, once for many messages, with something to fall back on.

Asked while a message is written, outside of any transaction. An answer is kept for as long as its feed says, for all
workers; one that failed is not asked again for a moment, so that a feed that is down slows nobody down for long.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from requests import RequestException, Session

from events import encryption, liquid_engine
from messaging import deadlines, outward
from messaging.errors import SendError, TemplateError
from messaging.models import Feed

# To connect, and to answer; in seconds. A message waits for it.
TIMEOUT = (2.0, 3.0)
MAX_ANSWER = 256 * 1024
FAILED_FOR = 20
HEADERS = {"Accept": "application/json"}

_mine = threading.local()
_offline: ContextVar[bool] = ContextVar("offline", default=False)


@contextmanager
def offline() -> Iterator[None]:
    """Ask nobody in this block: what is kept counts, else the fall-back."""
    token = _offline.set(True)
    try:
        yield
    finally:
        _offline.reset(token)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a feed said: its ``data``, or the ``problem`` in words."""

    data: Any = None
    problem: str = ""

    @property
    def pretty(self) -> str:
        """The answer as people read it, its beginning."""
        return json.dumps(self.data, indent=2, ensure_ascii=False)[:20_000]


class Reader:
    """The feeds that a batch of messages reads. One statement for all of them, none when there are none."""

    def __init__(self, names: Iterable[str]) -> None:
        wanted = set(names)
        self.feeds = {feed.slug: feed for feed in Feed.objects.filter(slug__in=wanted)} if wanted else {}

    def read(self, names: Iterable[str], variables: Mapping[str, object]) -> dict[str, Any]:
        """Return the answers by name. Raises SendError when one fails that has no fall-back, TemplateError for
        a name that is none and for an address that is not valid Liquid."""
        return {name: self._read(name, variables) for name in names}

    def _read(self, name: str, variables: Mapping[str, object]) -> Any:
        feed = self.feeds.get(name)
        if feed is None:
            raise TemplateError("html", 0, f"there is no feed “{name}”")
        answer = ask(feed, address(feed, variables))
        if not answer.problem:
            return answer.data
        if feed.fallback is None:
            raise SendError(f"The feed “{name}” did not answer: {answer.problem}", permanent=False)
        return feed.fallback


def address(feed: Feed, variables: Mapping[str, object]) -> str:
    """Return the address that ``feed`` is asked at for somebody. Raises TemplateError."""
    try:
        return liquid_engine.run(feed.url, variables, {}, escape=False).strip()
    except liquid_engine.Fault as fault:
        raise TemplateError("html", 0, f"the address of the feed “{feed}”: {fault.message}") from fault


def ask(feed: Feed, url: str) -> Answer:
    """Return what ``url`` says, from the cache where it was asked lately."""
    key = f"feed:{feed.pk}:{feed.updated_at.timestamp()}:{hashlib.sha256(url.encode()).hexdigest()}"
    kept = cache.get(key)
    if kept is not None:
        return Answer(*kept)
    if _offline.get():
        return Answer(problem="nothing is asked while a campaign is tried out")
    answer = fetch(feed, url)
    cache.set(key, (answer.data, answer.problem), FAILED_FOR if answer.problem else feed.keep_seconds)
    return answer


def fetch(feed: Feed, url: str) -> Answer:
    """Ask ``url`` now, whatever is kept."""
    headers = dict(HEADERS)
    if feed.secret:
        headers["Authorization"] = encryption.decrypt(feed.secret)
    try:
        with deadlines.watched():
            response = _session().get(url, headers=headers, timeout=TIMEOUT, stream=True)
            body = outward.body_of(response, MAX_ANSWER)
    except (RequestException, ValueError) as error:
        return Answer(problem=outward.words(error))
    if response.status_code != 200:
        return Answer(problem=f"It answered {response.status_code}")
    try:
        return Answer(json.loads(body))
    except ValueError as error:
        return Answer(problem=f"Its answer is no JSON: {error}"[:300])


def _session() -> Session:
    session: Session | None = _mine.__dict__.get("session")
    if session is None:
        session = _mine.__dict__["session"] = outward.session()
    return session
