"""What Twilio posts: how a text message fared, and what people answer. Signed with the account's token.

STOP and its like take the number off marketing text messages at once, and START brings it back: the words that carriers
and the law expect. https://www.twilio.com/docs/usage/security has the signature.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from messaging import credentials, feedback, lists, policy
from messaging.errors import CredentialsError
from messaging.lists import Struck
from messaging.models import Message, Provider, Suppression
from messaging.names import ChannelName

STOP = {"stop", "stopall", "unsubscribe", "cancel", "end", "quit", "optout", "revoke", "stopp", "abmelden"}
START = {"start", "yes", "unstop", "anmelden"}
# How a message fared, in our words; what is not here says nothing new.
STATES = {"sent": "sent", "delivered": "delivered", "read": "opened", "undelivered": "bounced", "failed": "rejected"}
# Codes that say that the number is no good, now or later: unreachable landline, unknown, not a mobile.
HARD = {"30005", "30006", "21614", "21211"}
WORDS = {
    "30003": "The phone is switched off or out of reach.",
    "30004": "The recipient, or the network, has blocked the message.",
    "30005": "The number is unknown or no longer in use.",
    "30006": "This is a landline, or a network that takes no text messages.",
    "30007": "The network took the message for spam.",
    "21610": "The recipient has answered STOP.",
}
EMPTY = '<?xml version="1.0" encoding="UTF-8"?><Response></Response>'


@csrf_exempt
@require_POST
def status(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Take a report about one message."""
    message = get_object_or_404(Message.objects.select_related("provider"), public_id=public_id)
    provider = message.provider or Provider.objects.filter(kind="twilio").order_by("-is_default", "pk").first()
    if provider is None or not is_signed(request, provider):
        return _refused()
    said, code = request.POST.get("MessageStatus", ""), request.POST.get("ErrorCode", "")
    kind = STATES.get(said)
    if kind:
        report = feedback.Report(
            kind,
            f"twilio:{request.POST.get('MessageSid', '')}:{said}"[:150],
            timezone.now(),
            message_public_id=str(public_id),
            reason="bounced" if kind == "bounced" else "",
            hard=code in HARD,
            description=WORDS.get(code, ""),
            mta_response=" ".join(part for part in (code, request.POST.get("ErrorMessage", "")) if part),
            raw=request.POST.dict(),
        )
        feedback.record([report])
    return HttpResponse(status=204)


@csrf_exempt
@require_POST
def inbound(request: HttpRequest, provider_id: int) -> HttpResponse:
    """Take what somebody answers: words to stop and to start again are obeyed, everything else is left alone."""
    provider = get_object_or_404(Provider, pk=provider_id, kind="twilio")
    if not is_signed(request, provider):
        return _refused()
    number = policy.plain_number(request.POST.get("From", ""))
    word = request.POST.get("OptOutType", request.POST.get("Body", "")).strip().strip(".!").lower().replace(" ", "")
    if number and word in STOP:
        lists.suppress([Struck(number, Suppression.Cause.LEFT, f"Answered {word.upper()}", None, ChannelName.SMS)])
    elif number and word in START:
        left = Suppression.objects.filter(channel=ChannelName.SMS, cause=Suppression.Cause.LEFT)
        left.filter(address__in=lists.forms(number)).delete()
    return HttpResponse(EMPTY, content_type="text/xml")


def is_signed(request: HttpRequest, provider: Provider) -> bool:
    """Return whether ``provider``'s account has made the request's signature."""
    try:
        token = credentials.reveal(provider).get("auth_token", "")
    except CredentialsError:
        return False
    url = f"{settings.BASE_URL}{request.get_full_path()}"
    given = request.headers.get("X-Twilio-Signature", "")
    return bool(token) and hmac.compare_digest(signature(token, url, request.POST.dict()), given)


def signature(token: str, url: str, form: Mapping[str, object]) -> str:
    """Return how Twilio signs a post: the address with the sorted fields behind it."""
    text = url + "".join(f"{name}{form[name]}" for name in sorted(form))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def _refused() -> HttpResponse:
    text = "The signature is not that of the account: see its Auth token, and BASE_URL of this installation."
    return HttpResponseForbidden(text, content_type="text/plain")


urlpatterns: list[URLPattern] = [
    path("status/<uuid:public_id>/", status, name="twilio_status"),
    path("<int:provider_id>/inbound/", inbound, name="twilio_inbound"),
]
