"""Text messages: by Twilio, or by any gateway that takes a JSON post."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from requests import RequestException

from messaging import outward
from messaging.channels.base import Mail, revealed
from messaging.connection import Check, json_of
from messaging.models import Provider

TWILIO = "https://api.twilio.com/2010-04-01/Accounts/"
GATEWAY_BODY = '{"to": "{to}", "from": "{from}", "text": "{text}"}'


class Twilio:
    """An account at Twilio. The sender is a phone number, a name, or a messaging service (``MG…``)."""

    def __init__(self, provider: Provider) -> None:
        known = revealed(provider)
        self.session = outward.session()
        self.session.auth = (known["account_sid"], known["auth_token"])
        base = str(provider.settings.get("api_url") or TWILIO)
        self.url = f"{base.rstrip('/')}/{known['account_sid']}/Messages.json"

    def send(self, mail: Mail) -> str:
        sender = mail.from_email
        form = {
            "To": mail.address,
            "Body": mail.text,
            "MessagingServiceSid" if sender.startswith("MG") else "From": sender,
            # Its reports come back under our id, so that they find the message whatever became of this call.
            "StatusCallback": f"{settings.BASE_URL}/webhooks/twilio/status/{mail.public_id}/",
        }
        return str(json_of(outward.call(self.session, "POST", self.url, data=form)).get("sid", ""))

    def close(self) -> None:
        self.session.close()


class Gateway:
    """A gateway of one's own choice: a POST of JSON, the shape of which is a setting."""

    def __init__(self, provider: Provider) -> None:
        self.url, known = provider.settings["gateway_url"], revealed(provider)
        self.session = outward.session()
        if known.get("gateway_token"):
            self.session.headers["Authorization"] = f"Bearer {known['gateway_token']}"
        self.shape = json.loads(provider.settings.get("gateway_body") or GATEWAY_BODY)

    def send(self, mail: Mail) -> str:
        values = {"to": mail.address, "from": mail.from_email, "text": mail.text, "id": str(mail.public_id)}
        headers = {"Idempotency-Key": str(mail.public_id)}
        said = json_of(outward.call(self.session, "POST", self.url, json=filled(self.shape, values), headers=headers))
        return str(said.get("id") or said.get("message_id") or said.get("messageId") or "")

    def close(self) -> None:
        self.session.close()


def filled(shape: Any, values: dict[str, str]) -> Any:
    """Return ``shape`` with ``{to}``, ``{from}``, ``{text}`` and ``{id}`` in its texts replaced."""
    if isinstance(shape, dict):
        return {key: filled(value, values) for key, value in shape.items()}
    if isinstance(shape, list):
        return [filled(value, values) for value in shape]
    if not isinstance(shape, str):
        return shape
    # One pass, so that a text that speaks of {to} stays as it is.
    parts, rest = "", shape
    while "{" in rest:
        before, _, rest = rest.partition("{")
        name, closed, after = rest.partition("}")
        parts += before
        if closed and name in values:
            parts, rest = parts + values[name], after
        else:
            parts += "{"
    return parts + rest


def check_twilio(provider: Provider, secrets: dict[str, str]) -> Check:
    """Ask Twilio for the account. Nothing is sent."""
    channel = Twilio(provider)
    try:
        answer = channel.session.get(channel.url.replace("/Messages.json", ".json"), timeout=5)
    except RequestException as error:
        return Check(False, f"No connection to Twilio: {error}")
    finally:
        channel.close()
    if answer.status_code in (401, 403, 404):
        return Check(False, "Twilio does not accept this account: copy Account SID and Auth Token from its console.")
    name = json_of(answer).get("friendly_name") if answer.ok else None
    if name is None:
        return Check(False, f"Twilio answered {answer.status_code}, which is not what was expected.")
    return Check(True, f"Twilio accepts the account “{name}”.")
