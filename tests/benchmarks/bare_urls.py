"""The least that a view of Django REST framework can do with an event: read the JSON, insert one row, answer.

No key, no people, no recognition of repeated calls, nothing pending: the yardstick of ``test_ingest``.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from events.models import Event


class BareView(APIView):
    def post(self, request: Request) -> Response:
        body = request.data
        Event.objects.create(
            timestamp=timezone.now(),
            profile_id=body["profileId"],
            type=body["type"],
            name=body.get("event", ""),
            properties=body.get("properties", {}),
            context=body.get("context", {}),
            message_id=body["messageId"],
        )
        return Response({"success": True})


def ready(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


urlpatterns = [
    path("bare/track", BareView.as_view()),
    path("admin/login/", ready),  # where tests.stack asks whether the server is up
]
