"""What can be done with a provider beside editing it: check, make default, try out, and receive its reports."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from django.conf import settings
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.html import escape
from django.views.decorators.http import require_POST

from messaging import composing, connection, limits, policy, verification
from messaging.admin import journal
from messaging.admin.provider_form import stored
from messaging.carriers import allowed_today
from messaging.channels import open_channel
from messaging.channels.base import Mail
from messaging.errors import SendError
from messaging.kinds import KINDS
from messaging.models import Pace, Provider, SendingLimits
from messaging.names import ChannelName

PERMISSION = "messaging.change_provider"
# What is asked for before a test is sent, by channel; there is none of the others.
TRIALS = {
    ChannelName.EMAIL.value: "Send a test mail to",
    ChannelName.SMS.value: "Send a test message to",
    ChannelName.WEBHOOK.value: "Call this address",
    ChannelName.CHAT.value: "Write a test message into the chat",
}
NOUNS = {ChannelName.EMAIL.value: "mail"}
LOCAL = {"127.0.0.1", "localhost", "::1", "testserver"}


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where a provider reports to. ``url`` has stand-ins for the log-in, which is a secret.

    Without ``protected`` reports are refused: anybody could send them.
    """

    url: str
    has_login: bool
    protected: bool
    reachable: bool


def context(request: HttpRequest, provider: Provider) -> dict[str, Any]:
    """Return the context of ``provider/panel.html``."""
    return {
        "provider": provider,
        "webhook": webhook(provider),
        "may_change": request.user.has_perm(PERMISSION),
        "is_mailbox": provider.kind == Provider.Kind.MAILBOX,
        "trial_label": TRIALS.get(provider.channel, ""),
        "needs_address": provider.channel != ChannelName.CHAT,
        "check_now": "check" in request.GET,
        "rest": Pace.objects.filter(key=f"rest:{provider.pk}", used__gt=0, next_at__gt=timezone.now()).first(),
        "today": _today(provider),
    }


def _today(provider: Provider) -> tuple[int, int] | None:
    """Return what a warming provider has sent today and what it may; None where it is warm."""
    today = timezone.now().astimezone(UTC).date()
    allowed = allowed_today(provider, today)
    if allowed is None:
        return None
    row = Pace.objects.filter(key=f"day:{provider.pk}:{today}").first()
    return (row.used if row else 0), allowed


def webhook(provider: Provider) -> Webhook | None:
    """Return the address to paste at the provider, None for kinds that do not report."""
    if not KINDS[provider.kind].reports:
        return None
    base = urlsplit(settings.BASE_URL)
    login = "USER:PASSWORD@" if settings.WEBHOOK_SECRET else ""
    known = stored(provider)
    protected = bool(
        settings.WEBHOOK_SECRET or provider.settings.get(verification.SETTING) or "webhook_secret" in known
    )
    if provider.kind == "twilio":
        # Twilio signs what it posts with the account's token.
        path, login, protected = f"/webhooks/twilio/{provider.pk}/inbound/", "", True
    elif provider.kind in (Provider.Kind.SENDGRID, Provider.Kind.POSTMARK):
        path = f"/webhooks/anymail/{provider.kind}/tracking/"
    else:
        path = f"/webhooks/anymail/{provider.kind}/{provider.pk}/tracking/"
    url = f"{base.scheme}://{login}{base.netloc}{base.path}{path}"
    return Webhook(url, bool(login), protected, base.hostname not in LOCAL)


@require_POST
def check(request: HttpRequest, provider_id: int) -> HttpResponse:
    """Ask the provider whether it would take mail, and show the panel with its answer."""
    provider = _provider(request, provider_id)
    connection.check(provider)
    provider.refresh_from_db()
    return _panel(request, provider)


@require_POST
def make_default(request: HttpRequest, provider_id: int) -> HttpResponse:
    """Let templates that name no provider use this one."""
    provider = _provider(request, provider_id)
    with transaction.atomic():
        list(Provider.objects.select_for_update().order_by("pk").values_list("pk", flat=True))
        Provider.objects.filter(is_default=True, channel=provider.channel).update(is_default=False)
        Provider.objects.filter(pk=provider.pk).update(is_default=True)
        journal.note(request, provider, "Made the default.")
    provider.refresh_from_db()
    return _panel(request, provider)


@require_POST
def send_trial(request: HttpRequest, provider_id: int) -> HttpResponse:
    """Hand one plain mail to the provider, outside of everything that is counted, and show what it said."""
    provider = _provider(request, provider_id)
    address = request.POST.get("address", "").strip()
    try:
        _check_address(provider, address)
        sent = trial(provider, address)
    except ValidationError as error:
        return _panel(request, provider, trial_error=error.messages[0], address=address)
    except SendError as error:
        return _panel(request, provider, trial_error=str(error), address=address)
    journal.note(request, provider, f"Sent a test mail to {address}.")
    return _panel(request, provider, trial_id=sent or "none", address=address)


def _check_address(provider: Provider, address: str) -> None:
    if provider.channel == ChannelName.EMAIL:
        try:
            validate_email(address)
        except ValidationError as error:
            raise ValidationError("Write the address the test mail goes to.") from error
    if provider.channel == ChannelName.SMS and not policy.is_reachable(ChannelName.SMS, policy.plain_number(address)):
        raise ValidationError("Write the number the test goes to, such as +4366012345678.")
    if provider.channel == ChannelName.WEBHOOK and not address.startswith(("https://", "http://")):
        raise ValidationError("Write the address that is called, such as https://shop.example/hooks/cuebird.")


def trial(provider: Provider, address: str) -> str:
    """Send a plain test mail, where the send mode lets it go, and return the provider's id of it. Raises SendError."""
    current, now = SendingLimits.current(), timezone.now()
    if current.holds(now):
        raise SendError(limits.banner(current, now), permanent=True)
    if current.target and provider.channel != ChannelName.EMAIL:
        raise SendError("While everything goes to the test address, only mails are sent.", permanent=True)
    text = f"This {NOUNS.get(provider.channel, 'message')} shows that Cuebird can send through “{provider}”.\n"
    if provider.channel == ChannelName.WEBHOOK:
        text = json.dumps({"test": True, "text": text.strip()})
    mail = Mail(
        public_id=uuid4(),
        address=address,
        from_email=provider.from_email,
        reply_to="",
        subject=f"A test mail through {provider}",
        html=f"<p>{escape(text)}</p>",
        text=text,
        channel=provider.channel,
    )
    if provider.channel == ChannelName.SMS:
        mail = replace(mail, address=policy.plain_number(address))
    channel = open_channel(provider)
    try:
        return channel.send(composing.redirected(mail, current.target))
    finally:
        channel.close()


def _provider(request: HttpRequest, provider_id: int) -> Provider:
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    return get_object_or_404(Provider, pk=provider_id)


def _panel(request: HttpRequest, provider: Provider, **extra: Any) -> HttpResponse:
    return render(request, "admin/messaging/provider/panel.html", {**context(request, provider), **extra})
