"""Calls whose key, or all of it, stands in the address: images and beacons, where a page can say no more.

``GET /pixel/v1/{page,track}?writeKey=…&anonymousId=…&properties.plan=pro`` is always answered by an image of one
pixel, for a page or mail shows it; the status and the debugger say whether the call was taken. ``POST
/beacon/v1/batch?writeKey=…`` is a batch. Source: RudderStack's gateway.
"""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import re_path
from django.utils.functional import cached_property
from rest_framework.exceptions import AuthenticationFailed

from events import raw_json
from events.api import body as bodies
from events.api.authentication import Caller, HasBody, WriteKeyAuthentication, find_caller
from events.api.refusal import Refusal
from events.api.segment import BATCH, TrackingView
from events.models import SourceKey

GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
# "a.b.c" is a field in a field; what is deeper stays one name.
MAX_DEPTH = 10


class KeyInAddress(WriteKeyAuthentication):
    """Take the write key from the query. Secret keys do not belong there: addresses are logged and copied."""

    def find(self, request: HttpRequest, view: HasBody) -> Caller:
        caller = find_caller(_query(request).get("writeKey", ""))
        if caller is None:
            raise AuthenticationFailed("The writeKey in the address is missing, unknown or revoked.", "invalid_key")
        if caller.kind == SourceKey.Kind.SECRET:
            message = "A secret key does not belong into an address: revoke it, and use a public key of this source."
            raise Refusal("secret_key_in_browser", message, "writeKey", 403)
        return caller


class PixelView(TrackingView):
    """Take one call by its address."""

    authentication_classes = [KeyInAddress]
    http_method_names = ["get", "options"]
    method = "GET"

    @cached_property
    def raw_body(self) -> bytes:
        """What the query says, as the JSON that a library would have sent."""
        if len(self.request.META["QUERY_STRING"]) > bodies.CALL_LIMIT:
            raise bodies.too_large(bodies.CALL_LIMIT)
        return msgspec.json.encode(_nested(_query(self.request)))

    @cached_property
    def body(self) -> bytes:
        return raw_json.storable(self.raw_body)

    def get(self, request: HttpRequest) -> HttpResponse:
        self.take()
        return _image(200)

    def handle_exception(self, exc: Exception) -> HttpResponseBase:  # type: ignore[override]
        told = super().handle_exception(exc)
        image = _image(told.status_code)
        for name in ("Retry-After", "X-RateLimit-Reset"):
            if name in told:
                image[name] = told[name]
        return image


class BeaconView(TrackingView):
    """Take a batch from a page that is left: ``sendBeacon`` knows no headers."""

    authentication_classes = [KeyInAddress]


def _query(request: HttpRequest) -> dict[str, str]:
    """Return what the address says; of what it says twice the last."""
    return dict(parse_qsl(request.META["QUERY_STRING"], keep_blank_values=True, errors="replace"))


def _nested(query: dict[str, str]) -> dict[str, Any]:
    call: dict[str, Any] = {}
    for name, value in query.items():
        *way, last = name.split(".", MAX_DEPTH)
        place = call
        for step in way:
            if not isinstance(place.get(step), dict):
                place[step] = {}
            place = place[step]
        place[last] = value
    return call


def _image(status: int) -> HttpResponse:
    return HttpResponse(GIF, status=status, content_type="image/gif", headers={"Cache-Control": "no-store"})


urlpatterns = [
    re_path(rf"^pixel/v1/{kind}/?\Z", PixelView.as_view(kind=kind), name=f"pixel-{kind}") for kind in ("page", "track")
]
urlpatterns.append(re_path(r"^beacon/v1/batch/?\Z", BeaconView.as_view(kind=BATCH), name="beacon"))
