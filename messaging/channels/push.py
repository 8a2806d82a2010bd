"""Web push (RFC 8030) to the browsers a person has allowed it in, signed by VAPID (RFC 8292), by pywebpush."""

from __future__ import annotations

import json
from email.utils import parseaddr
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from py_vapid import Vapid
from py_vapid.utils import b64urlencode
from pywebpush import WebPusher, WebPushException
from requests import RequestException

from events.models import Device
from messaging import credentials, outward
from messaging.channels.base import Mail, gone, revealed
from messaging.connection import Check
from messaging.errors import SendError
from messaging.models import Provider

# How long a push service keeps a message for a browser that is not running, in seconds: four weeks, its usual most.
KEEP = 28 * 86400
# The browser has gone, or its permission has been taken back.
GONE = {404, 410}


class WebPush:
    """The push services of the browsers. Each device has an address and keys of its own."""

    def __init__(self, provider: Provider) -> None:
        key = revealed(provider).get("vapid_key", "")
        if not key:
            raise SendError(f"The provider “{provider}” has no keys yet: press Check connection.", permanent=False)
        self.vapid = Vapid.from_raw(key.encode())
        self.session = outward.session()

    def send(self, mail: Mail) -> str:
        """Push to every device; one that has it is enough. Raises SendError when none does."""
        payload = json.dumps(
            {
                "id": str(mail.public_id),
                "title": mail.subject,
                "body": mail.text,
                **{name: value for name, value in mail.options.items() if value},
            }
        )
        problems: list[SendError] = []
        taken = 0
        for device in mail.devices:
            try:
                self._push(device, payload, mail)
                taken += 1
            except SendError as error:
                problems.append(error)
        if not taken:
            raise next((each for each in problems if not each.permanent), problems[0])
        return str(mail.public_id)

    def close(self) -> None:
        self.session.close()

    def _push(self, device: Any, payload: str, mail: Mail) -> None:
        origin = "/".join(device["endpoint"].split("/")[:3])
        contact = parseaddr(mail.from_email)[1] or "hello@example.com"
        headers = self.vapid.sign({"aud": origin, "sub": f"mailto:{contact}"})
        try:
            answer = WebPusher(dict(device), requests_session=self.session).send(payload, headers, ttl=KEEP, timeout=20)
        except RequestException as error:
            raise outward.failed(error) from error
        except (WebPushException, KeyError, ValueError) as error:
            raise SendError(f"The browser's keys are not valid: {error}", permanent=True) from error
        if answer.status_code in GONE:
            gone.append(device["id"])
            raise SendError("The browser no longer takes messages: its permission is gone.", permanent=True)
        outward.checked(answer)


def keys() -> tuple[str, str]:
    """Return a new pair of keys, private and public, as base64 without padding."""
    private = ec.generate_private_key(ec.SECP256R1())
    number = private.private_numbers().private_value.to_bytes(32, "big")
    point = private.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return b64urlencode(number), b64urlencode(point)


def check(provider: Provider, secrets: dict[str, str]) -> Check:
    """Make the keys where there are none, and say what the page of the application needs."""
    if not secrets.get("vapid_key"):
        private, public = keys()
        credentials.store(provider, {"vapid_key": private})
        provider.settings = {**provider.settings, "vapid_public": public}
        provider.save(update_fields=["secrets", "settings"])
    count = Device.objects.filter(platform="web").count()
    return Check(
        True, f"Ready. {count} browser{'' if count == 1 else 's'} may be pushed to so far; see docs/browser.md."
    )
