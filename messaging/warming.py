"""How many messages a new sender may send on a day: mailbox providers trust it slowly."""

from __future__ import annotations

from datetime import date

from messaging.models import Provider

GROWTH = 1.5
# From here on a sender counts as known.
WARM = 100_000


def allowed_today(provider: Provider, today: date) -> int | None:
    """Return how many a warming sender may send today; None when it is warm, or was never cold."""
    start = provider.warm_up_from
    if start is None or today < start:
        return None
    count = int(provider.warm_up_first * GROWTH ** min((today - start).days, 60))
    return count if count < WARM else None
