"""Which campaigns use a computed trait, and where in them."""

from __future__ import annotations

from collections.abc import Iterator

from campaigns import segments
from events.computed.usage import mentions
from events.segments.usage import Use


def uses(name: str) -> Iterator[Use]:
    """Yield the campaigns that speak of the trait ``name``, their templates left out. Three statements."""
    return segments.using(lambda tree: mentions(tree, name))
