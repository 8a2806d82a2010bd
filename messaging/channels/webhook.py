"""Calls of one's own programs, signed as Standard Webhooks has it: https://www.standardwebhooks.com/

The receiver knows a repeated call by ``webhook-id``, which is the message's id and the same for every try.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import time

from messaging import outward
from messaging.channels.base import Mail, revealed
from messaging.models import Provider

PREFIX = "whsec_"
METHODS = ("POST", "PUT", "PATCH", "DELETE", "GET")


class Webhook:
    """Calls the address that a template says, with the body that it says."""

    def __init__(self, provider: Provider) -> None:
        self.key = key_of(revealed(provider).get("signing_secret", ""))
        self.session = outward.session()

    def send(self, mail: Mail) -> str:
        body = mail.text.encode()
        headers = {"Content-Type": "application/json", **headers_of(mail.options.get("headers", ""))}
        headers |= signed(self.key, str(mail.public_id), int(time.time()), body)
        method = mail.options.get("method") or "POST"
        outward.call(self.session, method, mail.address, data=body or None, headers=headers)
        return str(mail.public_id)

    def close(self) -> None:
        self.session.close()


def signed(key: bytes, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers that prove where a call comes from; without a key, those that only identify it."""
    headers = {"webhook-id": message_id, "webhook-timestamp": str(timestamp)}
    if key:
        digest = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
        headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    return headers


def new_secret() -> str:
    """Return a new signing secret, in the form that receivers' libraries expect."""
    return PREFIX + base64.b64encode(secrets.token_bytes(24)).decode()


def key_of(secret: str) -> bytes:
    """Return the key of a secret: what stands after ``whsec_`` in base64, or the text itself."""
    text = secret.removeprefix(PREFIX)
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return text.encode()


def headers_of(text: str) -> dict[str, str]:
    """Read headers as they are typed, one ``Name: value`` a line; lines without a colon are passed over."""
    pairs = (line.partition(":") for line in text.splitlines())
    return {name.strip(): value.strip() for name, colon, value in pairs if colon and name.strip()}
