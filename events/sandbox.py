"""Keep a sandbox source's people apart: their ids get a prefix that no other source can use.

So whatever a sandbox reports makes people of its own, never touches a real one, and can be read back by the prefixed
id. They are test people, so that they count in no figure, and get mail through the built-in mailbox only.
"""

from __future__ import annotations

PREFIX = "sandbox:"


def own(value: str) -> str:
    """Return the id of a sandbox's person or group for the ``value`` it was reported with."""
    return PREFIX + value


def is_own(value: str) -> bool:
    return value.startswith(PREFIX)
