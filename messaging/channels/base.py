"""What a channel is: something that takes a finished message and says under which id it took it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as it is handed over: rendered, with its links and headers.

    ``redirected``: ``address`` is the test address, and subject and headers name the person's own.
    """

    public_id: UUID
    address: str
    from_email: str
    reply_to: str
    subject: str
    html: str
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)
    redirected: bool = False


class Channel(Protocol):
    """An account that mail can be handed to. One thread uses one channel; it is opened once and used many times."""

    def send(self, mail: Mail) -> str:
        """Hand ``mail`` over and return the provider's id of it, "" when there is none. Raises SendError."""

    def close(self) -> None:
        """Give connections back; the channel is not used afterwards."""
