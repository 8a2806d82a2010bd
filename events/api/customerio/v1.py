"""Version 1 of Customer.io's Track API: one address for each thing that can be said.

Ids in addresses are percent-encoded and may hold anything, slashes included; the server has decoded them once. An
address ends where it ends: a slash there is part of the id.
"""

from __future__ import annotations

import uuid
from datetime import datetime

import msgspec
from django.conf import settings
from django.http import HttpResponse, JsonResponse
from django.urls import URLPattern, re_path
from django.utils import timezone
from msgspec import Raw
from rest_framework.request import Request

from events import deliveries
from events.api import inbound
from events.api.customerio import acts, identifiers, items, objects, reports
from events.api.customerio.base import TrackApiView
from events.api.customerio.identifiers import Who
from events.api.fields import Fields, id_of, read_object, refuse_flaw
from events.api.refusal import Refusal

FORM_SUBMITTED = Raw(b'"Form Submitted"')
UNKNOWN_DELIVERY = "No message of ours has this delivery_id, so nothing was counted."


class RegionView(TrackApiView):
    """Tell a library where its account lives: here."""

    http_method_names = ["get"]

    def get(self, request: Request) -> HttpResponse:
        source = self.known_caller.source
        region = {"url": settings.BASE_URL, "data_center": "us", "region": "us", "environment_id": source.pk}
        return JsonResponse(region)


class CredentialsView(TrackApiView):
    """Answer whether the credentials are good, which is what Segment's destination asks first."""

    http_method_names = ["get"]

    def get(self, request: Request) -> HttpResponse:
        return JsonResponse({"meta": {"message": "These credentials are good."}})


class V1View(TrackApiView):
    """Take a call whose body is a JSON object."""

    def fields(self) -> Fields:
        """Return the body's fields; a body that is empty has none. Raises Refusal."""
        refuse_flaw(self.body)
        return read_object(self.body or b"{}")


class CustomerView(V1View):
    """Take what is said about one person: attributes, events, devices, deletion, suppression.

    The method and the end of the address say what it is.
    """

    http_method_names = ["put", "delete", "post"]

    def put(self, request: Request, rest: str) -> HttpResponse:
        received_at = timezone.now()
        fields = self.fields()
        owner = rest.removesuffix("/devices")
        if owner == rest:
            who = identifiers.of_path(rest)
            said = items.identify(who, fields, None, received_at)
            return self.take(received_at, said, *objects.wrapped(said.who, fields))
        device = acts.described_device(items.attributes_of(fields, "device"), "id", received_at)
        return self.take(received_at, acts.PutDevice(identifiers.of_path(owner), device))

    def delete(self, request: Request, rest: str) -> HttpResponse:
        owner, found, device_id = rest.rpartition("/devices/")
        if not found:
            return self.take(timezone.now(), acts.Delete(identifiers.of_path(rest)))
        return self.take(timezone.now(), acts.RemoveDevice(identifiers.of_path(owner), device_id))

    def post(self, request: Request, rest: str) -> HttpResponse:
        identifier, _, verb = rest.rpartition("/")
        who = identifiers.of_path(identifier)
        if verb == "events":
            received_at = timezone.now()
            return self.take(received_at, _event(who, self.fields(), received_at))
        if verb == "suppress":
            return self.take(timezone.now(), acts.Suppress(who))
        if verb == "unsuppress":
            return self.take(timezone.now(), acts.Unsuppress(who))
        raise Refusal("not_found", "A person can be sent events, suppress or unsuppress.", "path", 404)


class AnonymousEventView(V1View):
    """Take an event of somebody who has no name yet. Without an anonymous id nobody can be found for it later."""

    http_method_names = ["post"]

    def post(self, request: Request) -> HttpResponse:
        received_at = timezone.now()
        fields = self.fields()
        who = Who(anonymous_id=id_of(fields, "anonymous_id") or str(uuid.uuid4()))
        return self.take(received_at, _event(who, fields, received_at))


class MergeView(V1View):
    """Make one person of two."""

    http_method_names = ["post"]

    def post(self, request: Request) -> HttpResponse:
        fields = self.fields()
        primary, secondary = (
            identifiers.of_fields(items.attributes_of(fields, name), name) for name in ("primary", "secondary")
        )
        return self.take(timezone.now(), acts.Merge(primary, secondary))


class SegmentView(TrackApiView):
    """Say what is missing: segments are conditions here, and nobody is put into one by hand."""

    http_method_names = ["post"]

    def post(self, request: Request, segment: str) -> HttpResponse:
        message = f"There is no manual segment {segment}: segments are conditions here. Set an attribute instead."
        raise Refusal("not_found", message, "segment_id", 404)


class FormView(V1View):
    """Take a form that somebody sent in: who they are, and that they did."""

    http_method_names = ["post"]

    def post(self, request: Request, form: str) -> HttpResponse:
        received_at = timezone.now()
        data = items.attributes_of(self.fields(), "data")
        who = identifiers.of_fields(data, "data")
        words = msgspec.json.encode({"form_id": form, **data})
        submitted: Fields = {"name": FORM_SUBMITTED, "data": Raw(words)}
        self.take(
            received_at,
            items.identify(who, data, None, received_at),
            items.event(who, "event", submitted, "data", received_at),
        )
        return HttpResponse(status=204)


class MetricsView(V1View):
    """Take what became of a message: whoever knows its delivery id may say so, which is how Customer.io has it."""

    authentication_classes = []
    http_method_names = ["post"]
    metric_field = "metric"

    def post(self, request: Request) -> HttpResponse:
        fields = self.fields()
        known = deliveries.report(reports.read(fields, self.metric_field, timezone.now()))
        answer: dict[str, object] = {} if known else {"meta": {"message": UNKNOWN_DELIVERY}}
        if inbound.sampled():
            inbound.keep(self.described(200, answer, 0 if known else 1))
        return JsonResponse(answer)


def _event(who: Who, fields: Fields, received_at: datetime) -> items.Call:
    return items.event(who, items.event_type(fields), fields, "data", received_at, ("type", "anonymous_id"))


urlpatterns: list[URLPattern] = [
    re_path(r"^v1/accounts/region/?\Z", RegionView.as_view(), name="cio-region"),
    re_path(r"^v1/customers/(?P<rest>(?s:.+))\Z", CustomerView.as_view(), name="cio-customer"),
    re_path(r"^v1/events/?\Z", AnonymousEventView.as_view(), name="cio-event"),
    re_path(r"^v1/merge_customers/?\Z", MergeView.as_view(), name="cio-merge"),
    re_path(r"^v1/segments/(?P<segment>[^/]+)/(?:add|remove)_customers/?\Z", SegmentView.as_view(), name="cio-segment"),
    re_path(r"^v1/forms/(?P<form>(?s:.+))/submit/?\Z", FormView.as_view(), name="cio-form"),
    re_path(r"^v1/metrics/?\Z", MetricsView.as_view(), name="cio-metrics"),
    re_path(r"^v1/push/events/?\Z", MetricsView.as_view(metric_field="event"), name="cio-push"),
]
