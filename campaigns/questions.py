"""What conditions ask about campaigns."""

from __future__ import annotations

from collections.abc import Iterator

from campaigns.models import Campaign


def names() -> Iterator[tuple[str, str]]:
    """Yield the short name and the name of every campaign."""
    yield from Campaign.objects.order_by("name").values_list("slug", "name")
