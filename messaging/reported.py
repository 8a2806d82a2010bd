"""What an application reports about messages itself, in Customer.io's words, and its own unsubscribe page.

Nobody has to log in: who knows a message's id may say what became of it, as with the links in a mail. So no such
report strikes off an address for being no good.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from uuid import UUID

from django.http import HttpResponse, JsonResponse
from django.urls import URLPattern, re_path
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from rest_framework.request import Request

from events import deliveries
from events.api import inbound
from events.api.customerio.v1 import UNKNOWN_DELIVERY, V1View
from events.api.refusal import Refusal
from messaging import consent, feedback
from messaging.models import Message

# Customer.io's words that anymail has others for.
KINDS = {"dropped": "rejected", "spammed": "complained"}


def count(report: deliveries.Report, **kwargs: Any) -> bool:
    """Record a report of an application; return whether its message is one of ours."""
    said = feedback.Report(
        type=KINDS.get(report.metric, report.metric),
        event_key=report.event_key,
        timestamp=report.timestamp,
        message_public_id=report.delivery_id,
        description=report.reason,
        url=report.url,
        raw={"delivery_id": report.delivery_id, "metric": report.metric},
    )
    if not feedback.is_about_ours(said):
        return False
    feedback.record([said])
    return True


@method_decorator(csrf_exempt, name="dispatch")
class UnsubscribeView(V1View):
    """Let the recipient of a message go, or come back, on a page of the application's own.

    ``{"unsubscribe": false}`` lets them come back; without a word of it they go.
    """

    authentication_classes = []
    http_method_names = ["post"]

    def post(self, request: Request, delivery_id: str) -> HttpResponse:
        leaves = self._leaves()
        message = None
        with suppress(ValueError):
            message = Message.objects.filter(public_id=UUID(delivery_id)).first()
        if message is not None and leaves:
            consent.unsubscribe(message.profile_id, "page", message)
        elif message is not None and not message.is_aside:
            consent.resubscribe(message.profile_id)
        answer: dict[str, object] = {} if message else {"meta": {"message": UNKNOWN_DELIVERY}}
        if inbound.sampled():
            inbound.keep(self.described(200, answer, 0 if message else 1))
        return JsonResponse(answer)

    def _leaves(self) -> bool:
        said = bytes(self.fields().get("unsubscribe", b"true"))
        if said not in (b"true", b"false"):
            raise Refusal("invalid_value", "unsubscribe has to be true or false.", "unsubscribe")
        return said == b"true"


urlpatterns: list[URLPattern] = [
    re_path(r"^unsubscribe/(?P<delivery_id>[^/]+)/?\Z", UnsubscribeView.as_view(), name="cio-unsubscribe"),
]
