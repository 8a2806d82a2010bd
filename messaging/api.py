"""Read deliveries back: ``/api/v1/manage/deliveries/{message_id}/``, by our id or the provider's, or all as a file."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from django.http import Http404, JsonResponse, StreamingHttpResponse
from django.urls import URLPattern, re_path
from django.utils import timezone
from rest_framework.request import Request

from events import audit
from events.api.manage.base import ManagementView, time_of, token_of
from events.api.openapi import PERIOD, Shape
from events.api.shapes import DELIVERY, TEXT
from events.audit import Actor
from events.transfers.exports import Period
from messaging import consent_api, exports, topics_api
from messaging.models import DeliveryEvent, Message

MAX_EVENTS = 1000


class DeliveryView(ManagementView):
    """Show what became of one message, in anymail's words."""

    area = "messages"
    shapes = {"GET": Shape(DELIVERY)}

    def get(self, request: Request, message_id: str) -> JsonResponse:
        message = find_message(message_id)
        events = DeliveryEvent.objects.filter(message=message).order_by("timestamp", "id")
        return JsonResponse(
            {
                "message_id": str(message.public_id),
                "status": message.status,
                "reason": message.reason,
                "detail": message.detail,
                "events": [_entry(event) for event in events.defer("raw")[:MAX_EVENTS]],
            }
        )


class ExportView(ManagementView):
    """Stream what became of the messages written from ``since`` to before ``until`` (the last 30 days)."""

    area = "messages"
    shapes = {"GET": Shape(TEXT, parameters=PERIOD)}

    def get(self, request: Request, file_format: str) -> StreamingHttpResponse:
        now = timezone.now()
        since, until = time_of(request, "since"), time_of(request, "until")
        period = Period(since or now - timedelta(days=30), until or now + timedelta(days=1))
        audit.note(Actor.of_token(token_of(request)), "download", kind=exports.KIND, format=file_format)
        return exports.download(file_format, period)


def find_message(message_id: str) -> Message:
    """Return the message with this public id, or this id at its provider. Raises Http404."""
    message = None
    with suppress(ValueError):
        message = Message.objects.filter(public_id=UUID(message_id)).first()
    if message is None and message_id and "\0" not in message_id:
        message = Message.objects.filter(provider_message_id=message_id).first()
    if message is None:
        raise Http404("There is no such message.")
    return message


def _entry(event: DeliveryEvent) -> dict[str, object]:
    return {
        "type": event.type,
        "event_id": event.event_key.partition(":")[2],
        "timestamp": event.timestamp,
        "reason": event.reason,
        "description": event.description,
        "mta_response": event.mta_response,
        "url": event.url,
    }


urlpatterns: list[URLPattern] = [
    *topics_api.urlpatterns,
    *consent_api.urlpatterns,
    re_path(r"^exports/messages\.(?P<file_format>csv|ndjson)$", ExportView.as_view(), name="export_messages"),
    re_path(r"^deliveries/(?P<message_id>.+?)/?$", DeliveryView.as_view(), name="delivery"),
]
