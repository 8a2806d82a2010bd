"""What can go wrong in this room, in words for the person who has to act."""

from __future__ import annotations


class MessagingError(Exception):
    """Base class: something about a template, a provider or a message is not as it must be."""


class TemplateError(MessagingError, ValueError):
    """Raised when a template cannot be parsed or rendered.

    ``field`` is the part of the template (subject, html, layout_html …), ``line`` counts from 1, 0 when unknown.
    """

    def __init__(self, field: str, line: int, message: str) -> None:
        super().__init__(field, line, message)
        self.field = field
        self.line = line
        self.message = message

    def __str__(self) -> str:
        place = f"{self.field}, line {self.line}" if self.line else self.field
        return f"{place}: {self.message}"


class SendError(MessagingError):
    """Raised by a channel when a message could not be handed over.

    ``permanent``: trying again is of no use. ``outcome_unknown``: the provider may have taken the message, because
    the connection broke after the request was written. ``after``: so many seconds the provider asks to be left alone.
    """

    def __init__(self, message: str, *, permanent: bool, outcome_unknown: bool = False, after: float = 0.0) -> None:
        super().__init__(message)
        self.after = after
        self.permanent = permanent
        self.outcome_unknown = outcome_unknown


class CredentialsError(MessagingError, ValueError):
    """Raised when a stored secret cannot be read: a lost key, or an environment variable that is not set."""
