"""What a key is good for: from which web pages, and how many events a second.

Both are agreements with honest senders and a fence against a copied public key: browsers tell the truth about the page
that calls, other programs say nothing at all, and are let in.
"""

from __future__ import annotations

import logging
import math
import time

from django.core.cache import cache
from redis.exceptions import RedisError

from events.api.authentication import Caller
from events.api.refusal import Refusal
from events.models import SourceKey

logger = logging.getLogger(__name__)
# After a failure the cache is left alone this long: callers must not wait for a dead one again and again.
PAUSE_SECONDS = 2.0

_quiet_until = 0.0


def check_origin(caller: Caller, origin: str | None) -> None:
    """Refuse a browser that calls with a secret key, or from a page that a public key is not meant for.

    ``origin`` is the header of that name, which browsers send with every POST and servers never do. Raises Refusal.
    """
    if origin is None:
        return
    if caller.kind == SourceKey.Kind.SECRET:
        message = "A secret key does not belong into a web page: revoke it, and use a public key of this source there."
        raise Refusal("secret_key_in_browser", message, "Authorization", 403)
    if caller.allowed_origins and origin.lower() not in caller.allowed_origins:
        message = f"This key may not be used from {origin[:200]}: add that origin to the key, or use another key there."
        raise Refusal("origin_not_allowed", message, "Origin", 403)


def spend(caller: Caller, events: int) -> None:
    """Count events against the key's limit. Raises Refusal (429) when it is used up.

    A call is taken whole as long as anything is left, and what it took too much is waited for afterwards: a batch
    larger than the limit gets through, and the average holds. Without a cache there is no limit, for losing events
    would be worse. A key without a limit costs nothing.
    """
    global _quiet_until
    if caller.rate_limit is None or time.monotonic() < _quiet_until:
        return
    try:
        wait = _wait(caller.key_id, caller.rate_limit, events, time.time())
    except (RedisError, OSError) as error:
        _quiet_until = time.monotonic() + PAUSE_SECONDS
        logger.warning("rate limits are off, the cache does not answer: %s", error)
        return
    if wait > 0:
        seconds = math.ceil(wait)
        message = f"This key may send {caller.rate_limit:,} events a second. Please send this again in {seconds} s."
        raise Refusal("rate_limited", message, "Authorization", 429, retry_after=seconds)


def _wait(key_id: int, limit: int, events: int, now: float) -> float:
    """Return for how many seconds a key has to wait; 0 when the events were counted.

    Each second has a counter, which only grows, so that no two processes spend the same event. Who crosses the line,
    one call alone, notes until when the debt lasts.
    """
    second = int(now)
    counter, debt = f"limit:{key_id}:{second}", f"limit:{key_id}:debt"
    owed = float(cache.get(debt, 0.0)) - now
    if owed > 0:
        return owed
    cache.add(counter, 0, 2)
    spent = cache.incr(counter, events)
    if spent - events >= limit:
        return second + 1 - now
    if spent > limit:
        lasts = spent / limit
        cache.set(debt, second + lasts, math.ceil(lasts) + 1)
    return 0.0
