"""The addresses a mail carries: unsubscribing, and opens and clicks where the provider does not count them.

Every address is signed, each kind with a salt of its own. A click's target stands inside the signature, so nobody can
make our address lead elsewhere. They do not expire: a mail can be opened years later.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from html import escape, unescape
from urllib.parse import urlencode, urlsplit, urlunsplit
from uuid import UUID

from django.conf import settings
from django.core.signing import BadSignature, Signer

# Not ":", which some programs cut an address at.
SEPARATOR = "."
UNSUBSCRIBE, OPEN, CLICK, VIEW = "unsubscribe", "open", "click", "view"
PREFERENCES, CONFIRM = "preferences", "confirm"
# No packed id begins like this.
PERSON = "~"

LINK = re.compile(r"""(<a\b[^>]*?\shref\s*=\s*)(?:"(https?://[^"]*)"|'(https?://[^']*)')""", re.IGNORECASE)
BODY_CLOSES = re.compile(r"</body\s*>", re.IGNORECASE)


def unsubscribe_url(public_id: UUID) -> str:
    """Return the address of the unsubscribe page, which takes the one-click POST of RFC 8058 as well."""
    return f"{settings.BASE_URL}/m/u/{_sign(UNSUBSCRIBE, _pack(public_id.bytes))}"


def preferences_url(public_id: UUID) -> str:
    """Return the address of the page on which the reader of a mail says what they want."""
    return f"{settings.BASE_URL}/m/p/{_sign(PREFERENCES, _pack(public_id.bytes))}"


def preferences_of(profile_id: int) -> str:
    """Return the address of a person's preferences, for applications to show to whoever is logged in as them."""
    return f"{settings.BASE_URL}/m/p/{_sign(PREFERENCES, f'{PERSON}{profile_id}')}"


def read_preferences(token: str) -> UUID | int | None:
    """Return the message, or the person, that a preferences token belongs to; None when it is not one of ours."""
    value = _unsign(PREFERENCES, token)
    if value and value.startswith(PERSON):
        return int(value.removeprefix(PERSON))
    return _message_of(value) if value else None


def confirm_url(subscription_id: int) -> str:
    """Return the address at which somebody confirms that they want to subscribe; 0 is nobody's."""
    return f"{settings.BASE_URL}/m/d/{_sign(CONFIRM, str(subscription_id))}"


def read_confirm(token: str) -> int | None:
    """Return the subscription that a confirmation belongs to; None when it is not one of ours."""
    value = _unsign(CONFIRM, token)
    return int(value) if value else None


def view_url(public_id: UUID) -> str:
    """Return the address at which a mail can be read in a browser."""
    return f"{tracking_base()}/m/v/{_sign(VIEW, _pack(public_id.bytes))}"


def tracking_base() -> str:
    """Return the address that links in mails go through: a domain of the sender's own looks better there."""
    return settings.TRACKING_URL or settings.BASE_URL


def tagged(html: str, tags: Mapping[str, str]) -> str:
    """Add ``utm_source`` and the like to the links of a mail, for those who analyse where visitors come from.

    Links that have such tags keep theirs, and our own are left alone.
    """
    own = (f"{tracking_base()}/m/", f"{settings.BASE_URL}/m/")

    def with_tags(match: re.Match[str]) -> str:
        target = unescape(match[2] or match[3])
        parts = urlsplit(target)
        if target.startswith(own) or "utm_" in parts.query:
            return match[0]
        query = "&".join(part for part in (parts.query, urlencode(tags)) if part)
        return f'{match[1]}"{escape(urlunsplit(parts._replace(query=query)))}"'

    return LINK.sub(with_tags, html)


def open_url(public_id: UUID) -> str:
    return f"{tracking_base()}/m/o/{_sign(OPEN, _pack(public_id.bytes))}.gif"


def click_url(public_id: UUID, target: str) -> str:
    return f"{tracking_base()}/m/c/{_sign(CLICK, _pack(public_id.bytes) + SEPARATOR + _pack(target.encode()))}"


def read(kind: str, token: str) -> UUID | None:
    """Return the message that an unsubscribe or open token belongs to; None when it is not one of ours."""
    value = _unsign(kind, token)
    return _message_of(value) if value else None


def read_click(token: str) -> tuple[UUID, str] | None:
    """Return the message and the target of a click token; None when it is not one of ours."""
    packed, _, target = (_unsign(CLICK, token) or "").partition(SEPARATOR)
    message = _message_of(packed) if packed else None
    return (message, _unpack(target).decode()) if message and target else None


def track(html: str, public_id: UUID) -> str:
    """Lead the links of a mail through ``click_url`` and put the open pixel at its end."""
    own = (f"{tracking_base()}/m/", f"{settings.BASE_URL}/m/")

    def tracked(match: re.Match[str]) -> str:
        target = unescape(match[2] or match[3])
        if target.startswith(own):
            return match[0]
        return f'{match[1]}"{escape(click_url(public_id, target))}"'

    html = LINK.sub(tracked, html)
    pixel = f'<img src="{open_url(public_id)}" width="1" height="1" alt="" style="display:block;border:0">'
    closed = BODY_CLOSES.search(html)
    at = closed.start() if closed else len(html)
    return html[:at] + pixel + html[at:]


def _signer(kind: str) -> Signer:
    return Signer(salt=f"messaging.links.{kind}", sep=SEPARATOR)


def _sign(kind: str, value: str) -> str:
    return _signer(kind).sign(value)


def _unsign(kind: str, token: str) -> str | None:
    try:
        return _signer(kind).unsign(token)
    except BadSignature:
        return None


def _pack(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _unpack(value: str) -> bytes:
    return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))


def _message_of(packed: str) -> UUID | None:
    try:
        return UUID(bytes=_unpack(packed))
    except (ValueError, binascii.Error):
        return None
