"""The built-in mailbox: keeps mail on a page of the admin instead of sending it anywhere."""

from __future__ import annotations

from messaging.channels.base import Mail
from messaging.models import Provider


class Mailbox:
    """Takes everything. The mail itself is the ``MessageBody`` that every sent message leaves."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider

    def send(self, mail: Mail) -> str:
        return f"mailbox-{mail.public_id}"

    def close(self) -> None:
        """There is nothing to give back."""
