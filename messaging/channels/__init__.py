"""The channels. A new one is a file here and a row in ``messaging.kinds``."""

from __future__ import annotations

from django.utils.module_loading import import_string

from messaging.channels.base import Channel
from messaging.kinds import KINDS
from messaging.models import Provider

__all__ = ["open_channel"]


def open_channel(provider: Provider) -> Channel:
    """Make what hands messages to ``provider``. Raises SendError when its settings or secrets do not suffice."""
    channel: Channel = import_string(KINDS[provider.kind].opens)(provider)
    return channel
