"""How many parts a text message has: carriers count and bill each. Pure.

160 letters of GSM 03.38 fit one, 153 each of several; with one letter beyond that alphabet 70 and 67 (UTF-16).
"""

from __future__ import annotations

from dataclasses import dataclass

BASIC = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# These take two places.
EXTENDED = set("^{}\\[~]|€\f")


@dataclass(frozen=True, slots=True)
class Segments:
    """``left`` is how many more fit the last part; ``odd`` are letters that make every part shorter."""

    count: int
    units: int
    left: int
    odd: str


def count(text: str) -> Segments:
    """Return the parts of ``text``; an empty one has none."""
    odd = "".join(dict.fromkeys(letter for letter in text if letter not in BASIC and letter not in EXTENDED))
    if odd:
        units, alone, each = sum(1 + (ord(letter) > 0xFFFF) for letter in text), 70, 67
    else:
        units, alone, each = sum(1 + (letter in EXTENDED) for letter in text), 160, 153
    parts = 0 if not units else 1 if units <= alone else -(-units // each)
    room = alone if parts <= 1 else parts * each
    return Segments(parts, units, room - units, odd)
