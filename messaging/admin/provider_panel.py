"""What can be done with a provider beside editing it: check, make default, try out, and receive its reports."""

from __future__ import annotations

from dataclasses import dataclass
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

from messaging import composing, connection, limits, verification
from messaging.admin import journal
from messaging.channels import open_channel
from messaging.channels.base import Mail
from messaging.errors import SendError
from messaging.models import Provider, SendingLimits

PERMISSION = "messaging.change_provider"
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
        "check_now": "check" in request.GET,
    }


def webhook(provider: Provider) -> Webhook | None:
    """Return the address to paste at the provider, None for kinds that do not report."""
    if provider.kind not in (Provider.Kind.SENDGRID, Provider.Kind.POSTMARK):
        return None
    base = urlsplit(settings.BASE_URL)
    login = "USER:PASSWORD@" if settings.WEBHOOK_SECRET else ""
    url = f"{base.scheme}://{login}{base.netloc}{base.path}/webhooks/anymail/{provider.kind}/tracking/"
    protected = bool(settings.WEBHOOK_SECRET or provider.settings.get(verification.SETTING))
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
        Provider.objects.filter(is_default=True).update(is_default=False)
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
        validate_email(address)
        sent = trial(provider, address)
    except ValidationError:
        return _panel(request, provider, trial_error="Write the address the test mail goes to.", address=address)
    except SendError as error:
        return _panel(request, provider, trial_error=str(error), address=address)
    journal.note(request, provider, f"Sent a test mail to {address}.")
    return _panel(request, provider, trial_id=sent or "none", address=address)


def trial(provider: Provider, address: str) -> str:
    """Send a plain test mail, where the send mode lets it go, and return the provider's id of it. Raises SendError."""
    current, now = SendingLimits.current(), timezone.now()
    if current.holds(now):
        raise SendError(limits.banner(current, now), permanent=True)
    text = f"This mail shows that Cuebird can send through “{provider}”.\n"
    mail = Mail(
        public_id=uuid4(),
        address=address,
        from_email=provider.from_email,
        reply_to="",
        subject=f"A test mail through {provider}",
        html=f"<p>{escape(text)}</p>",
        text=text,
    )
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
