"""The kinds of providers. A new one is a file here, a line in ``KINDS`` and a choice in ``Provider.Kind``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from messaging.channels import email, smtp
from messaging.channels.base import Channel
from messaging.channels.mailbox import Mailbox
from messaging.models import Provider

__all__ = ["KINDS", "Kind", "open_channel"]


@dataclass(frozen=True, slots=True)
class Kind:
    """How a kind of provider is used.

    ``calls_out``: it is somewhere else, so a call may fail or end in doubt. ``tracks``: it counts opens and clicks
    itself; for the others the mail carries our own links and pixel.
    """

    open: Callable[[Provider], Channel]
    calls_out: bool = True
    tracks: bool = True


KINDS: dict[str, Kind] = {
    Provider.Kind.MAILBOX: Kind(Mailbox, calls_out=False, tracks=False),
    Provider.Kind.SENDGRID: Kind(partial(email.Service, backend=email.sendgrid)),
    # Without the header Postmark would put a Message-ID of its own in place of ours.
    Provider.Kind.POSTMARK: Kind(partial(email.Service, backend=email.postmark, headers={"X-PM-KeepID": "true"})),
    Provider.Kind.SMTP: Kind(smtp.Smtp, tracks=False),
}


def open_channel(provider: Provider) -> Channel:
    """Make what hands mail to ``provider``. Raises SendError when its settings or secrets do not suffice."""
    return KINDS[provider.kind].open(provider)
