"""Read the event log across people, and the calls that were refused: ``/events/`` and ``/requests/``, newest first."""

from __future__ import annotations

from typing import Any

import msgspec
from django.db.models import F, Max, Q, QuerySet, TextField
from django.db.models.functions import Cast
from django.http import Http404, HttpResponse
from django.urls import URLPattern, re_path
from rest_framework.request import Request

from events.api.manage.base import ManagementView, before_id, limit_of, page, respond, text_of, time_of
from events.api.openapi import CURSOR, PERIOD, Shape, text
from events.api.shapes import EVENT, REQUEST, pages
from events.models import Event, InboundRequest

# A page looks no further down, so that a filter with few matches never reads the whole log; ``next`` goes on there.
LOOKED_AT = 200_000
FILTERS = [
    text("name", "Named exactly."),
    text("type", "track, identify, page …"),
    text("source", "The source's name."),
]


class EventsView(ManagementView):
    """List events as they came in, newest first. Filters: ``name``, ``type``, ``source``, ``since``, ``until``.

    A page may hold fewer events than its limit, none even, and have a next one all the same.
    """

    area = "events"
    shapes = {"GET": Shape(pages(EVENT), parameters=[*FILTERS, *PERIOD, *CURSOR])}

    def get(self, request: Request) -> HttpResponse:
        top = min(before_id(request), (Event.objects.aggregate(newest=Max("pk"))["newest"] or 0) + 1)
        bottom = max(0, top - LOOKED_AT)
        found = _events(request).filter(pk__lt=top, pk__gte=bottom).order_by("-pk")[: limit_of(request) + 1]
        return page(request, list(found), entry, lambda row: str(row["id"]), rest=str(bottom) if bottom else None)


class EventView(ManagementView):
    """Show one event by our id."""

    area = "events"
    shapes = {"GET": Shape(EVENT)}

    def get(self, request: Request, event_id: str) -> HttpResponse:
        row = columns(Event.objects.filter(pk=int(event_id))).first()
        if row is None:
            raise Http404("There is no such event.")
        return respond(entry(row))


class RequestsView(ManagementView):
    """List calls that were refused, wholly or in part, newest first; kept for seven days."""

    area = "events"
    shapes = {"GET": Shape(pages(REQUEST), parameters=CURSOR)}

    def get(self, request: Request) -> HttpResponse:
        rows = InboundRequest.objects.filter(~Q(status=200) | Q(rejected__gt=0)).select_related("source")
        found = rows.filter(pk__lt=before_id(request)).order_by("-pk")[: limit_of(request) + 1]
        return page(request, list(found), _call, lambda row: str(row.pk))


def _events(request: Request) -> QuerySet[Event, Any]:
    events = Event.objects.all()
    for parameter, column in (("name", "name"), ("type", "type"), ("source", "source__name")):
        if wanted := text_of(request, parameter):
            events = events.filter(**{column: wanted})
    for parameter, lookup in (("since", "timestamp__gte"), ("until", "timestamp__lt")):
        if at := time_of(request, parameter):
            events = events.filter(**{lookup: at})
    return columns(events)


def columns(events: QuerySet[Event]) -> QuerySet[Event, Any]:
    """Select what ``entry`` shows; JSON as the database holds it."""
    return events.values(
        "id",
        "type",
        "name",
        "timestamp",
        "received_at",
        "message_id",
        user_id=F("profile__user_id"),
        source_name=F("source__name"),
        raw_properties=Cast("properties", TextField()),
        raw_context=Cast("context", TextField()),
    )


def entry(row: dict[str, Any]) -> dict[str, object]:
    return {
        "id": row["id"],
        "type": row["type"],
        "name": row["name"],
        "user_id": row["user_id"],
        "properties": msgspec.Raw(row["raw_properties"]),
        "context": msgspec.Raw(row["raw_context"]),
        "timestamp": row["timestamp"],
        "received_at": row["received_at"],
        "message_id": row["message_id"],
        "source": row["source_name"],
    }


def _call(row: InboundRequest) -> dict[str, object]:
    return {
        "id": row.pk,
        "received_at": row.received_at,
        "source": row.source.name if row.source else None,
        "method": row.method,
        "path": row.path,
        "client": row.client,
        "status": row.status,
        "answer": row.answer,
        "accepted": row.accepted,
        "rejected": row.rejected,
        "body": row.body,
    }


urlpatterns: list[URLPattern] = [
    re_path(r"^events/?\Z", EventsView.as_view(), name="manage-events"),
    re_path(r"^events/(?P<event_id>\d{1,18})/?\Z", EventView.as_view(), name="manage-event"),
    re_path(r"^requests/?\Z", RequestsView.as_view(), name="manage-requests"),
]
