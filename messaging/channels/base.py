"""What a channel is: something that takes a finished message and says under which id it took it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from messaging.names import ChannelName


@dataclass(frozen=True, slots=True)
class Mail:
    """A message as it is handed over: rendered, with its links and headers. Only email has HTML and headers.

    ``subject`` is the title of a push or in-app message, ``options`` is what its channel has besides (``url``,
    ``style`` …), ``devices`` are those that a push goes to. ``redirected``: ``address`` is the test address, and
    subject and headers name the person's own. ``untracked``: nobody counts opens and clicks.
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
    untracked: bool = False
    channel: str = ChannelName.EMAIL
    options: Mapping[str, str] = field(default_factory=dict)
    devices: Sequence[Mapping[str, Any]] = ()


class Channel(Protocol):
    """An account that messages can be handed to. One thread uses one channel; it is opened once, used many times."""

    def send(self, mail: Mail) -> str:
        """Hand ``mail`` over and return the provider's id of it, "" when there is none. Raises SendError."""

    def close(self) -> None:
        """Give connections back; the channel is not used afterwards."""
