"""Live events: what comes in, as it comes in, and what became of each."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, render
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from unfold.admin import ModelAdmin

from events import panels, plan
from events.admin import again, exchange, reading
from events.admin.tail import OUTCOMES, Filters, signature, state_of, tail
from events.admin_paging import ReadOnly
from events.models import Event, InboundRequest, Pending, Source


@admin.register(Event)
class EventAdmin(ReadOnly, ModelAdmin):
    """The list is the live page, the form is the page of one event."""

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        own = [
            path("tail/", wrap(self.tail), name="events_event_tail"),
            path("request/<int:pk>/", wrap(self.request_view), name="events_event_request"),
            path("request/<int:pk>/again/", wrap(self.send_again), name="events_event_again"),
        ]
        return own + list(super().get_urls())

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        self._check(request)
        context = {
            **self.admin_site.each_context(request),
            "title": "Live events",
            **tail_context(request),
            "sources": Source.objects.only("name"),
            "outcomes": OUTCOMES.items(),
        }
        return TemplateResponse(request, "admin/events/live.html", context)

    def tail(self, request: HttpRequest) -> HttpResponse:
        """Return the list anew; 204 when it is the one that ``?seen=`` names."""
        self._check(request)
        context = tail_context(request)
        if request.GET.get("seen") == context["seen"]:
            return HttpResponse(status=204)
        return render(request, "admin/events/tail.html", context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        self._check(request)
        event = (
            self.get_queryset(request).select_related("profile", "source", "request").filter(pk=_key(object_id)).first()
        )
        if event is None:
            raise Http404("No such event.")
        return self._page(request, "event", {"title": event.name or event.type, **event_context(event, request)})

    def request_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show one kept call of the tracking API."""
        self._check(request)
        call = get_object_or_404(InboundRequest.objects.select_related("source"), pk=pk)
        return self._page(request, "request", {"title": str(call), **request_context(call, request)})

    def send_again(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Take in a refused call after all, and say what became of it."""
        self._check(request)
        call = get_object_or_404(InboundRequest.objects.select_related("source"), pk=pk)
        if not request.user.has_perm("events.change_source"):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not again.can_be(call):
            raise Http404("This call cannot be taken in again.")
        return render(request, "admin/events/sent_again.html", {"outcome": again.send(call)})

    def _page(self, request: HttpRequest, name: str, context: dict[str, Any]) -> HttpResponse:
        """Render a detail: alone for the pane beside the list, else as a page."""
        if request.headers.get("HX-Request"):
            return render(request, f"admin/events/{name}_detail.html", context)
        site = self.admin_site.each_context(request)
        detail = {"detail_template": f"admin/events/{name}_detail.html", "opts": self.opts}
        return TemplateResponse(request, "admin/events/detail.html", {**site, **detail, **context})

    def _check(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied


def _key(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def tail_context(request: HttpRequest) -> dict[str, Any]:
    filters = Filters.of(request)
    lines = tail(filters)
    query = request.GET.copy()
    query.pop("seen", None)
    return {"filters": filters, "lines": lines, "seen": signature(lines), "query": query.urlencode()}


def request_context(call: InboundRequest, request: HttpRequest) -> dict[str, Any]:
    dropped = exchange.dropped(call)
    read = reading.lines(call)
    refused = call.answer.get("code") if isinstance(call.answer, dict) else None
    return {
        "call": call,
        "body": exchange.readable(call.body),
        "reason": exchange.reason(call) if call.status >= 400 else "",
        "dropped": dropped,
        "stored": exchange.stored(call),
        "may_send": request.user.has_perm("events.change_source") and again.can_be(call),
        "read": read[: reading.SHOWN],
        "read_more": max(0, len(read) - reading.SHOWN),
        "is_against_plan": plan.REFUSED in (refused, *(one.code for one in dropped)),
    }


def event_context(event: Event, request: HttpRequest) -> dict[str, Any]:
    pending = Pending.objects.filter(pk=event.pk).first()
    state, tone = state_of(pending)
    return {
        "event": event,
        "exchange": exchange.of_event(event),
        "pending": pending,
        "state": state,
        "tone": tone,
        "panels": panels.shown(panels.EVENT, event, request),
    }
