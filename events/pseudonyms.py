"""Recognise an id or an address again without keeping it: an HMAC-SHA256 under the installation's own key.

The key is ``PSEUDONYM_KEY``. With another key nobody who was suppressed is recognised any more, so it has to stay.
"""

from __future__ import annotations

import hashlib
import hmac

from django.conf import settings

_BLOCK = 64

# The same in SQL, for ids that are in the database's hands anyway; its parameters are ``pads()``.
DIGEST = "sha256(%(outer)s::bytea || sha256(%(inner)s::bytea || convert_to({}, 'UTF8')))"


def digest(text: str) -> bytes:
    """Return what stands for ``text``: 32 bytes that tell nobody without the key what it was."""
    return hmac.digest(_key(), text.encode(), "sha256")


def pads() -> dict[str, bytes]:
    """Return the parameters that ``DIGEST`` needs (RFC 2104)."""
    key = _key().ljust(_BLOCK, b"\0")
    return {"inner": bytes(byte ^ 0x36 for byte in key), "outer": bytes(byte ^ 0x5C for byte in key)}


def _key() -> bytes:
    return hashlib.sha256(f"events.pseudonyms:{settings.PSEUDONYM_KEY}".encode()).digest()
