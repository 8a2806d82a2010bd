"""Read a delivery back: ``/api/v1/manage/deliveries/{message_id}/``, by our id or the provider's."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

from django.http import Http404, JsonResponse
from django.urls import URLPattern, re_path
from rest_framework.request import Request

from events.api.manage.base import ManagementView
from events.api.openapi import Shape
from events.api.shapes import DELIVERY
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
    re_path(r"^deliveries/(?P<message_id>.+?)/?$", DeliveryView.as_view(), name="delivery"),
]
