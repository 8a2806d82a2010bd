"""JSON as bytes: make it fit to be stored without reading and writing every value anew.

Values travel from the request into the log as the bytes they came in, so numbers keep every digit. What PostgreSQL
cannot hold is replaced or found here; nothing in this file knows what the JSON means.
"""

from __future__ import annotations

import re

# NUL and half a surrogate pair are legal escapes in JSON, and no text that a database can store.
_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(u0000|u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def storable(text: bytes) -> bytes:
    """Return JSON whose NUL characters, lone surrogates and stray bytes have become U+FFFD."""
    try:
        text.decode()
    except UnicodeDecodeError:
        text = text.decode(errors="replace").encode()
    if _SUSPECT.search(text) is None:
        return text
    return _ESCAPE.sub(lambda escape: rb"\ufffd" if escape[1] else escape[0], text)
