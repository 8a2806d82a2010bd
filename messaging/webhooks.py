"""Where providers report: django-anymail's own views, and the receiver that turns a post into reports.

One post may hold a thousand events. Anymail sends one signal each; they are collected and recorded together. What
cannot be read is passed over with a line in the log: a refused post would be repeated for a day, neighbours and all.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache
from typing import Any

from anymail.exceptions import AnymailConfigurationError, AnymailWebhookValidationFailure
from anymail.signals import AnymailTrackingEvent, tracking
from anymail.webhooks.postmark import PostmarkTrackingWebhookView
from anymail.webhooks.sendgrid import SendGridTrackingWebhookView
from django.core.exceptions import ImproperlyConfigured
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseForbidden
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, re_path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.module_loading import import_string
from django.views.decorators.csrf import csrf_exempt

from messaging import credentials, feedback, verification
from messaging.feedback import Report
from messaging.models import Provider

logger = logging.getLogger(__name__)

UNPROTECTED = (
    "This address takes no reports yet: set WEBHOOK_SECRET to user:password in the environment, "
    "and put https://user:password@ before this address at the provider."
)
MAX_KEY = 120
MAX_BODY = 32 * 1024 * 1024
# What an event of a provider can be that anymail's reading of it does not expect.
UNREADABLE = (AnymailConfigurationError, ArithmeticError, AttributeError, KeyError, OSError, TypeError, ValueError)

_collected: ContextVar[list[Report] | None] = ContextVar("collected", default=None)


class Gathering:
    """Make a webhook view of anymail record all events of a post at once, and none without credentials."""

    basic_auth: list[str] | None
    webhook_verification_key: object | None = None
    is_signed = False

    @method_decorator(csrf_exempt)
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.basic_auth and not self.webhook_verification_key and not self.is_signed:
            return HttpResponseForbidden(UNPROTECTED, content_type="text/plain")
        # More than anything else here takes: a provider that was away for a while posts thousands of events at once.
        body = request.read(MAX_BODY + 1)
        if len(body) > MAX_BODY:
            text = f"At most {MAX_BODY // 1024 // 1024} MB of reports can be taken in one post."
            return HttpResponse(text, status=413, content_type="text/plain")
        request._body = body
        response: HttpResponse = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]
        return response

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        reports: list[Report] = []
        token = _collected.set(reports)
        try:
            response: HttpResponse = super().post(request, *args, **kwargs)  # type: ignore[misc]
        except (json.JSONDecodeError, RecursionError) as error:
            return HttpResponseBadRequest(f"The body is not JSON: {error}", content_type="text/plain")
        except AnymailWebhookValidationFailure as error:
            return HttpResponseBadRequest(str(error), content_type="text/plain")
        finally:
            _collected.reset(token)
        feedback.record(reports)
        return response


class Collecting(Gathering):
    """Read a post event by event, so that one that cannot be read hides no neighbour."""

    def parse_events(self, request: HttpRequest) -> list[AnymailTrackingEvent]:
        body = json.loads(request.body.decode("utf-8", "replace"))
        found = body if isinstance(body, list) else [body]
        return [event for raw in found if (event := self._parse(raw)) is not None]

    def _parse(self, raw: Any) -> AnymailTrackingEvent | None:
        try:
            event: AnymailTrackingEvent = self.esp_to_anymail_event(raw)  # type: ignore[attr-defined]
        except UNREADABLE as error:
            logger.warning("passed over a report that cannot be read: %r", error)
            return None
        return event


class SendGridView(Collecting, SendGridTrackingWebhookView):  # type: ignore[misc]
    """SendGrid's event webhook. Once a verification key is entered at an account, unsigned posts are refused."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.webhook_verification_key = verification.known() or self.webhook_verification_key


class PostmarkView(Collecting, PostmarkTrackingWebhookView):  # type: ignore[misc]
    """Postmark's webhooks of every kind."""


# What django-anymail calls the secret with which a service signs its posts; the others rely on the log-in alone.
KEY_NAMES = {
    "mailgun": "webhook_signing_key",
    "mailersend": "signing_secret",
    "mailtrap": "signing_secret",
    "mandrill": "webhook_key",
    "postal": "webhook_key",
    "resend": "signing_secret",
    "unisender_go": "api_key",
}
CLASSES = {
    "amazon_ses": "AmazonSESTrackingWebhookView",
    "brevo": "BrevoTrackingWebhookView",
    "mailersend": "MailerSendTrackingWebhookView",
    "mailgun": "MailgunTrackingWebhookView",
    "mailjet": "MailjetTrackingWebhookView",
    "mailtrap": "MailtrapTrackingWebhookView",
    "mandrill": "MandrillCombinedWebhookView",
    "postal": "PostalTrackingWebhookView",
    "resend": "ResendTrackingWebhookView",
    "sparkpost": "SparkPostTrackingWebhookView",
    "unisender_go": "UnisenderGoTrackingWebhookView",
}


@cache
def _view_of(kind: str) -> Any:
    return type("View", (Gathering, import_string(f"anymail.webhooks.{kind}.{CLASSES[kind]}")), {})


@csrf_exempt
def of_service(request: HttpRequest, kind: str, account: int) -> HttpResponse:
    """Take the reports of one account at a service of django-anymail's, signed with its key where it has one."""
    provider = get_object_or_404(Provider, pk=account, kind=kind)
    name = KEY_NAMES.get(kind, "")
    secrets = credentials.reveal(provider)
    key = secrets.get("api_key" if name == "api_key" else "webhook_secret", "") if name else ""
    view: Any = _view_of(kind)
    try:
        made = view.as_view(is_signed=bool(key), **({name: key} if key else {}))
        response: HttpResponse = made(request)
    except (AnymailConfigurationError, ImproperlyConfigured) as error:
        text = f"Enter the webhook signing key of “{provider}” on its page first: {error}"
        return HttpResponseForbidden(text, content_type="text/plain")
    return response


@receiver(tracking, dispatch_uid="messaging.webhooks")
def collect(sender: object, event: AnymailTrackingEvent, esp_name: str, **kwargs: Any) -> None:
    """Add an event to its post's reports, or record it at once when it comes from another view of anymail."""
    report = as_report(event, esp_name)
    reports = _collected.get()
    if reports is None:
        feedback.record([report])
    else:
        reports.append(report)


def as_report(event: AnymailTrackingEvent, esp_name: str) -> Report:
    """Put an event of anymail into our form."""
    raw: Mapping[str, Any] = event.esp_event if isinstance(event.esp_event, dict) else {}
    reason, hard = _bounce(event, raw)
    metadata = event.metadata if isinstance(event.metadata, Mapping) else {}
    return Report(
        type=str(event.event_type),
        event_key=_event_key(event, raw, esp_name),
        timestamp=_moment(event.timestamp),
        message_public_id=str(metadata.get("message_id") or ""),
        provider_message_id=str(event.message_id or "").strip(),
        reason=reason,
        hard=hard,
        description=_text(event.description),
        mta_response=_text(event.mta_response),
        url=_text(event.click_url),
        user_agent=_text(event.user_agent),
        raw=raw,
    )


def _event_key(event: AnymailTrackingEvent, raw: Mapping[str, Any], esp_name: str) -> str:
    """Return what makes a repeated report recognisable: SendGrid's id of it, else a digest of all it says.

    Postmark's id is that of the bounce: several reports may be about one, and openings have none.
    """
    known = str(raw.get("sg_event_id") or "")
    if not known or len(known) > MAX_KEY or "\0" in known:
        known = hashlib.sha256(json.dumps(raw, sort_keys=True, default=str).encode()).hexdigest()
    return f"{esp_name.lower()}:{known}"[:150]


def _bounce(event: AnymailTrackingEvent, raw: Mapping[str, Any]) -> tuple[str, bool]:
    """Return the reason in anymail's words and whether the address is no good for ever.

    Anymail gives no reason for SendGrid's bounces, where ``blocked`` means this time only, and calls Postmark's soft
    bounces bounced, too.
    """
    reason, kind = str(event.reject_reason or ""), str(event.event_type)
    if raw.get("event") == "bounce":
        reason = "blocked" if raw.get("type") == "blocked" else reason or "bounced"
    if raw.get("RecordType") == "Bounce" and raw.get("Type") == "SoftBounce":
        reason = "other"
    return reason, kind in ("bounced", "rejected") and reason in ("bounced", "invalid")


def _moment(timestamp: datetime | None) -> datetime:
    if timestamp is None:
        return timezone.now()
    return timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)


def _text(value: object) -> str:
    return "" if value is None else str(value)


urlpatterns: list[URLPattern] = [
    re_path(r"^sendgrid/tracking/?$", SendGridView.as_view(), name="sendgrid_tracking"),
    re_path(r"^postmark/tracking/?$", PostmarkView.as_view(), name="postmark_tracking"),
    re_path(rf"^(?P<kind>{'|'.join(CLASSES)})/(?P<account>\d+)/tracking/?$", of_service, name="service_tracking"),
]
