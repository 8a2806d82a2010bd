"""What the tracking API refuses, and how it says so."""

from __future__ import annotations


class Refusal(Exception):
    """Raised for a call, or one item of a batch, that cannot be taken. ``field`` names the offending part.

    ``retry_after`` says, of a 429, in how many seconds the same call may come again.
    """

    def __init__(self, code: str, message: str, field: str = "", status: int = 400, *, retry_after: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.status = status
        self.retry_after = retry_after

    @property
    def answer(self) -> dict[str, str]:
        """The body of the answer; some clients take an error without ``code`` and ``message`` for an outage."""
        return {"code": self.code, "message": self.message, "field": self.field}
