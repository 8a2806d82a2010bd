"""What holds for a provider at the moment: how many messages a new sender may send, and under which name it rests."""

from __future__ import annotations

from datetime import date
from urllib.parse import urlsplit

from messaging.models import Provider
from messaging.names import ChannelName

# Mailbox providers trust a new sender slowly: half as many again each day.
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


def rest_key(provider: Provider, address: str) -> str:
    """Return under which name a provider rests: of webhooks each host by itself."""
    host = f":{urlsplit(address).netloc}" if provider.channel == ChannelName.WEBHOOK else ""
    return f"rest:{provider.pk}{host}"[:300]
