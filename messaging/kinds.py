"""The kinds of providers, a row each: the channel, what opens it, what its account has. Pure; nothing is imported here
before it is used, so that a new kind is a file in ``channels`` and a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from messaging.names import ChannelName


@dataclass(frozen=True, slots=True)
class Kind:
    """How a kind of provider is used.

    ``opens`` and ``checks`` are dotted paths: what makes a channel of a provider, and what asks it whether it would
    take messages. ``secrets`` maps names to labels, ``settings`` names what may be shown; both are fields of the form,
    and ``needs`` are those of ``settings`` that cannot be empty.
    ``calls_out``: it is somewhere else, so a call may fail or end in doubt. ``tracks``: it counts opens and clicks
    itself; for the others the mail carries our own links and pixel. ``switches``: each mail can say whether it is to
    be tracked, else the account's settings hold for all. ``echoes``: its reports bear our message's id.
    ``takes_once``: what bears the same id is taken once, so that after a doubt it may be handed over again.
    ``reports``: it calls our webhook.
    """

    label: str
    opens: str
    channel: ChannelName = ChannelName.EMAIL
    secrets: Mapping[str, str] = field(default_factory=dict)
    settings: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    calls_out: bool = True
    tracks: bool = True
    switches: bool = True
    echoes: bool = True
    takes_once: bool = False
    reports: bool = False
    checks: str = "messaging.connection.opens"


def _service(label: str, secrets: Mapping[str, str], *settings: str, **more: object) -> Kind:
    """Return the row of a mail service that django-anymail knows."""
    names = (*settings, "api_url")
    if "webhook_key" not in settings and label != "Postmark":
        secrets = {**secrets, "webhook_secret": "Webhook signing key"}
    return Kind(label, "messaging.channels.email.Service", secrets=secrets, settings=names, reports=True, **more)  # type: ignore[arg-type]


KEY = {"api_key": "API key"}
TOKEN = {"api_token": "API token"}

KINDS: dict[str, Kind] = {
    "mailbox": Kind(
        "Built-in mailbox (nothing leaves this machine)",
        "messaging.channels.mailbox.Mailbox",
        calls_out=False,
        tracks=False,
        checks="messaging.connection.mailbox",
    ),
    "sendgrid": _service("SendGrid", KEY, "webhook_key", checks="messaging.connection.sendgrid"),
    "postmark": _service(
        "Postmark", {"server_token": "Server API token"}, "message_stream", checks="messaging.connection.postmark"
    ),
    "mailgun": _service("Mailgun", KEY, "sender_domain", needs=("sender_domain",)),
    "amazon_ses": _service(
        "Amazon SES",
        {"access_key_id": "Access key id", "secret_access_key": "Secret access key"},
        "region",
        needs=("region",),
        tracks=False,
    ),
    "brevo": _service("Brevo", KEY, takes_once=True, switches=False),
    "resend": _service("Resend", KEY, takes_once=True, switches=False),
    "mailjet": _service("Mailjet", {**KEY, "secret_key": "Secret key"}),
    "mandrill": _service("Mandrill", KEY),
    "sparkpost": _service("SparkPost", KEY, "subaccount"),
    "mailersend": _service("MailerSend", TOKEN, echoes=False),
    "mailtrap": _service("Mailtrap", TOKEN, switches=False),
    "scaleway": _service(
        "Scaleway", {"secret_key": "Secret key"}, "project_id", "region", needs=("project_id",), switches=False
    ),
    "postal": _service("Postal", KEY, needs=("api_url",), tracks=False, echoes=False),
    "unisender_go": _service("Unisender Go", KEY, needs=("api_url",)),
    "smtp": Kind(
        "SMTP server",
        "messaging.channels.smtp.Smtp",
        secrets={"username": "User name", "password": "Password"},
        settings=("host", "port", "security"),
        needs=("host",),
        tracks=False,
        checks="messaging.connection.smtp_server",
    ),
    "twilio": Kind(
        "Twilio (SMS)",
        "messaging.channels.sms.Twilio",
        ChannelName.SMS,
        secrets={"account_sid": "Account SID", "auth_token": "Auth token"},
        settings=("api_url",),
        reports=True,
        checks="messaging.channels.sms.check_twilio",
    ),
    "sms_gateway": Kind(
        "Another SMS gateway (HTTP)",
        "messaging.channels.sms.Gateway",
        ChannelName.SMS,
        secrets={"gateway_token": "Token"},
        settings=("gateway_url", "gateway_body"),
        needs=("gateway_url",),
    ),
    "web_push": Kind(
        "Web push (browsers)",
        "messaging.channels.push.WebPush",
        ChannelName.PUSH,
        secrets={"vapid_key": "VAPID private key"},
        settings=("vapid_public",),
        checks="messaging.channels.push.check",
    ),
    "in_app": Kind(
        "In-app (this installation's browser snippet)",
        "messaging.channels.in_app.InApp",
        ChannelName.IN_APP,
        calls_out=False,
    ),
    "webhook": Kind(
        "Webhook (your own programs)",
        "messaging.channels.webhook.Webhook",
        ChannelName.WEBHOOK,
        secrets={"signing_secret": "Signing secret"},
        takes_once=True,
    ),
    "chat": Kind(
        "Chat webhook (Slack, Mattermost, Google Chat)",
        "messaging.channels.chat.Chat",
        ChannelName.CHAT,
        secrets={"webhook_url": "Webhook address"},
    ),
}
# These may be left out: an SMTP relay in one's own network often asks for none, and the others are made by us.
OPTIONAL = frozenset({"username", "password", "vapid_key", "signing_secret", "gateway_token", "webhook_secret"})


def choices() -> list[tuple[str, str]]:
    return [(name, kind.label) for name, kind in KINDS.items()]


def of_channel(channel: str) -> list[str]:
    """Return the kinds that carry messages of a channel."""
    return [name for name, kind in KINDS.items() if kind.channel == channel]
