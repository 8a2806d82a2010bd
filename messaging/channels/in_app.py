"""In-app messages: they wait here until the browser snippet of their person asks for them: see ``in_app_api``."""

from __future__ import annotations

from messaging.channels.base import Mail
from messaging.models import Provider


class InApp:
    """Takes everything: the message itself is the ``MessageBody`` that every sent message leaves."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider

    def send(self, mail: Mail) -> str:
        return ""

    def close(self) -> None:
        """There is nothing to give back."""
