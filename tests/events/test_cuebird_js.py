"""What holds for the browser snippet without a browser."""

from __future__ import annotations

import gzip
from pathlib import Path

FILE = Path(__file__).resolve().parents[2] / "static/events/cuebird.js"
LIMIT = 6_000


def test_the_snippet_costs_a_page_no_more_than_six_kilobytes() -> None:
    assert len(gzip.compress(FILE.read_bytes(), 9)) <= LIMIT


def test_the_snippet_makes_no_code_of_text() -> None:
    """A strict content security policy allows neither."""
    text = FILE.read_text()
    for way in ("eval(", "new Function", "innerHTML", "document.write", ".style", "createElement"):
        assert way not in text, way
