"""Version 1 of Customer.io's Track API: one address for each thing that can be said.

Ids in addresses are percent-encoded and may hold anything, slashes included; the server has decoded them once. An
address ends where it ends: a slash there is part of the id.
"""

from __future__ import annotations

import uuid
from datetime import datetime

import msgspec
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, re_path
from django.utils import timezone
from msgspec import Raw

from events import deliveries
from events.api import inbound
from events.api.customerio import acts, consent, identifiers, items, objects, reports
from events.api.customerio.base import Asked, TrackApiView, unreadable
from events.api.customerio.identifiers import Who
from events.api.customerio.lists import ListView
from events.api.customerio.performing import Operation, Step
from events.api.fields import Fields, id_of, read_object, refuse_flaw
from events.api.refusal import Refusal

FORM_SUBMITTED = Raw(b'"Form Submitted"')
UNKNOWN_DELIVERY = "No message of ours has this delivery_id, so nothing was counted."


class RegionView(TrackApiView):
    """Tell a library where its account lives: here."""

    http_method_names = ["get"]

    def get(self, request: HttpRequest) -> HttpResponse:
        source = self.known_caller.source
        region = {"url": settings.BASE_URL, "data_center": "us", "region": "us", "environment_id": source.pk}
        return JsonResponse(region)


class CredentialsView(TrackApiView):
    """Answer whether the credentials are good, which is what Segment's destination asks first."""

    http_method_names = ["get"]

    def get(self, request: HttpRequest) -> HttpResponse:
        return JsonResponse({"meta": {"message": "These credentials are good."}})


class V1View(TrackApiView):
    """Take a call whose body is a JSON object; an empty body has no fields."""

    def fields(self) -> Fields:
        return _fields(self.body)

    def asked(self, method: str, body: bytes, received_at: datetime, **path: str) -> Asked:
        asked = self.operations(method, _fields(body), received_at, **path)
        return Asked([Step(0, operation) for operation in asked])

    def operations(self, method: str, fields: Fields, received_at: datetime, **path: str) -> list[Operation]:
        """Return what the call asks for. Raises Refusal."""
        raise unreadable()

    def take_it(self, request: HttpRequest, **path: str) -> JsonResponse:
        received_at = timezone.now()
        asked = self.asked(request.method or "", self.body, received_at, **path)
        return self.take(received_at, *(step.operation for step in asked.steps))


def _fields(body: bytes) -> Fields:
    refuse_flaw(body)
    return read_object(body or b"{}")


class CustomerView(V1View):
    """Take what is said about one person: attributes, events, devices, deletion, suppression.

    The method and the end of the address say what it is.
    """

    http_method_names = ["put", "delete", "post"]

    def put(self, request: HttpRequest, rest: str) -> HttpResponse:
        return self.take_it(request, rest=rest)

    delete = post = put

    def asked(self, method: str, body: bytes, received_at: datetime, **path: str) -> Asked:
        # What is sent along where nothing needs saying is not looked at.
        says_all = method == "DELETE" or path["rest"].endswith(("/suppress", "/unsuppress"))
        return super().asked(method, b"" if says_all else body, received_at, **path)

    def operations(self, method: str, fields: Fields, received_at: datetime, **path: str) -> list[Operation]:
        read = {"PUT": _put, "DELETE": _delete}.get(method, _post)
        return read(path["rest"], fields, received_at)


def _put(rest: str, fields: Fields, received_at: datetime) -> list[Operation]:
    owner = rest.removesuffix("/devices")
    if owner == rest:
        said = items.identify(identifiers.of_path(rest), fields, None, received_at)
        return [said, *objects.wrapped(said.who, fields), *consent.read(said.who, fields)]
    device = acts.described_device(items.attributes_of(fields, "device"), "id", received_at)
    return [acts.PutDevice(identifiers.of_path(owner), device)]


def _delete(rest: str, fields: Fields, received_at: datetime) -> list[Operation]:
    owner, found, device_id = rest.rpartition("/devices/")
    if not found:
        return [acts.Delete(identifiers.of_path(rest))]
    return [acts.RemoveDevice(identifiers.of_path(owner), device_id)]


def _post(rest: str, fields: Fields, received_at: datetime) -> list[Operation]:
    identifier, _, verb = rest.rpartition("/")
    who = identifiers.of_path(identifier)
    if verb == "events":
        return [_event(who, fields, received_at)]
    if verb == "suppress":
        return [acts.Suppress(who)]
    if verb == "unsuppress":
        return [acts.Unsuppress(who)]
    raise Refusal("not_found", "A person can be sent events, suppress or unsuppress.", "path", 404)


class AnonymousEventView(V1View):
    """Take an event of somebody who has no name yet. Without an anonymous id nobody can be found for it later."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        return self.take_it(request)

    def operations(self, method: str, fields: Fields, received_at: datetime, **path: str) -> list[Operation]:
        who = Who(anonymous_id=id_of(fields, "anonymous_id") or str(uuid.uuid4()))
        return [_event(who, fields, received_at)]


class MergeView(V1View):
    """Make one person of two."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        return self.take_it(request)

    def operations(self, method: str, fields: Fields, received_at: datetime, **path: str) -> list[Operation]:
        primary, secondary = (
            identifiers.of_fields(items.attributes_of(fields, name), name) for name in ("primary", "secondary")
        )
        return [acts.Merge(primary, secondary)]


class FormView(V1View):
    """Take a form that somebody sent in: who they are, and that they did."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, form: str) -> HttpResponse:
        self.take_it(request, form=form)
        return HttpResponse(status=204)

    def operations(self, method: str, fields: Fields, received_at: datetime, **path: str) -> list[Operation]:
        data = items.attributes_of(fields, "data")
        who = identifiers.of_fields(data, "data")
        words = msgspec.json.encode({"form_id": path["form"], **data})
        submitted: Fields = {"name": FORM_SUBMITTED, "data": Raw(words)}
        return [
            items.identify(who, data, None, received_at),
            items.event(who, "event", submitted, "data", received_at),
        ]


class MetricsView(V1View):
    """Take what became of a message: whoever knows its delivery id may say so, which is how Customer.io has it."""

    authentication_classes = []
    http_method_names = ["post"]
    metric_field = "metric"

    def post(self, request: HttpRequest) -> HttpResponse:
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
    re_path(r"^v1/customers/(?P<rest>(?s:.*))\Z", CustomerView.as_view(), name="cio-customer"),
    re_path(r"^v1/events/?\Z", AnonymousEventView.as_view(), name="cio-event"),
    re_path(r"^v1/merge_customers/?\Z", MergeView.as_view(), name="cio-merge"),
    re_path(
        r"^v1/segments/(?P<segment>[^/]+)/(?P<verb>add|remove)_customers/?\Z", ListView.as_view(), name="cio-segment"
    ),
    re_path(r"^v1/forms/(?P<form>(?s:.+))/submit/?\Z", FormView.as_view(), name="cio-form"),
    re_path(r"^v1/metrics/?\Z", MetricsView.as_view(), name="cio-metrics"),
    re_path(r"^v1/push/events/?\Z", MetricsView.as_view(metric_field="event"), name="cio-push"),
]
