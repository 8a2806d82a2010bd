"""Chance that can be repeated: the same names always draw the same number. Pure."""

from __future__ import annotations

import hashlib


def draw(*names: object) -> float:
    """Return a number from 0 up to, not including, 1 that looks random and depends on ``names`` alone."""
    digest = hashlib.blake2b(repr(names).encode(), digest_size=7).digest()
    return (int.from_bytes(digest, "big") >> 3) / 2**53


def pick(weights: list[int], *names: object) -> int:
    """Return a place in ``weights``, each as likely as its weight says. Their sum has to be positive."""
    mark = draw(*names) * sum(weights)
    for place, weight in enumerate(weights):
        mark -= weight
        if mark < 0:
            return place
    return len(weights) - 1
