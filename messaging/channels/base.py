"""What a channel is: something that takes a finished message and says under which id it took it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from messaging import credentials
from messaging.errors import CredentialsError, SendError
from messaging.models import Provider
from messaging.names import ChannelName

# Browsers that no longer take messages, by device id, for whoever may touch the database: no channel does.
gone: deque[str] = deque(maxlen=1000)


@dataclass(frozen=True, slots=True)
class Mail:
    """A message as it is handed over: rendered, with its links and headers. Only email has HTML and headers.

    ``subject`` is the title of a push or in-app message, ``options`` is what its channel has besides (``url``,
    ``style`` …), ``devices`` are those that a push goes to. ``redirected``: ``address`` is the test address, and
    subject and headers name the person's own. ``tracked``: opens and clicks may be recorded.
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
    channel: str = ChannelName.EMAIL
    options: Mapping[str, str] = field(default_factory=dict)
    devices: Sequence[Mapping[str, Any]] = ()
    tracked: bool = True


class Channel(Protocol):
    """An account that messages can be handed to. One thread uses one channel; it is opened once, used many times."""

    def send(self, mail: Mail) -> str:
        """Hand ``mail`` over and return the provider's id of it, "" when there is none. Raises SendError."""

    def close(self) -> None:
        """Give connections back; the channel is not used afterwards."""


def revealed(provider: Provider) -> dict[str, str]:
    """Return the provider's secrets. Raises SendError, not permanent, when one that is needed is missing."""
    try:
        if lacking := credentials.missing(provider):
            raise SendError(f"The provider “{provider}” has no {lacking[0]}.", permanent=False)
        return credentials.reveal(provider)
    except CredentialsError as error:
        raise SendError(str(error), permanent=False) from error
