"""What a look before publishing finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """``path`` is the place in the definition, "" for all of it; ``message`` what is the matter, ``advice`` what to do.

    ``code`` says which check it is of.
    """

    code: str
    path: str
    message: str
    advice: str

    @property
    def key(self) -> str:
        """Return what stays the same as long as the warning is the same one: what an author acknowledges."""
        return f"{self.code}:{self.path}:{self.message}"
