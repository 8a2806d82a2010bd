"""The tracking API in the shape that client libraries know: ``/v1/{identify,track,page,screen,group,alias,batch}``.

Browsers use the first letters as paths. Every answer is readable from any origin, nothing redirects, and 200 means
committed. Source: https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import URLPattern, re_path
from django.utils import timezone
from django.utils.functional import cached_property

from events import grouping, raw_json
from events.api import authentication, inbound, limits, parsing
from events.api import body as bodies
from events.api.addresses import client_address
from events.api.authentication import Caller, WriteKeyAuthentication
from events.api.base import as_refusal
from events.api.cors import AnyOriginView
from events.api.openapi import TrackingSchema
from events.api.refusal import Refusal
from events.ingest import Item, parcel

SUCCESS: dict[str, object] = {"success": True}
BATCH = "batch"
# More than this of what was dropped is not listed; ``rejected_count`` says how many there were.
MAX_LISTED = 1000


class TrackingView(AnyOriginView):
    """Take one kind of call, or a batch of any."""

    authentication_classes = [WriteKeyAuthentication]
    http_method_names = ["post", "options"]
    method = "POST"
    schema = TrackingSchema()
    kind = ""

    @cached_property
    def raw_body(self) -> bytes:
        return bodies.received(self.request, max(self._limit, bodies.BATCH_LIMIT))

    @cached_property
    def body(self) -> bytes:
        """The unpacked JSON, fit to be stored. Raises Refusal."""
        plain = bodies.unpacked(self.raw_body, self.request.META.get("HTTP_CONTENT_ENCODING", ""), self._limit)
        if len(plain) > bodies.BATCH_LIMIT and not parsing.is_rudderstacks(plain):
            raise bodies.too_large(bodies.BATCH_LIMIT)
        return raw_json.storable(plain.removeprefix(b"\xef\xbb\xbf"))

    @property
    def _limit(self) -> int:
        return bodies.RUDDERSTACK_LIMIT if self.kind == BATCH else bodies.CALL_LIMIT

    def initial(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        # A browser sends no key with the question whether it may; other methods get no further than being told so.
        if request.method == self.method:
            super().initial(request, *args, **kwargs)
            assert self.caller is not None, "nobody else gets this far"
            limits.check_origin(self.caller, request.META.get("HTTP_ORIGIN"))

    def post(self, request: HttpRequest) -> HttpResponse:
        return _json(self.take())

    def take(self) -> dict[str, object]:
        """Store the call and return the answer, which may name items that were dropped. Raises Refusal."""
        caller = self.caller
        assert caller is not None, "initial() lets nobody else through"
        received_at = timezone.now()
        items, rejected = self._items(received_at)
        limits.spend(caller, len(items) + len(rejected))
        answer = self.store(caller, items, rejected, received_at)
        authentication.note_use(caller)
        return answer

    def store(
        self, caller: Caller, items: Sequence[Item], rejected: Sequence[tuple[int, Refusal]], received_at: datetime
    ) -> dict[str, object]:
        """Store what could be read, keep the call for the debugger, and return the answer. Raises Refusal."""
        stored = parcel(caller.source, items, received_at, address=client_address(self.request))
        rejected = [*rejected, *stored.refused]
        if rejected and self.kind != BATCH:
            raise rejected[0][1]
        answer = SUCCESS | dropped(rejected)
        if rejected or inbound.sampled():
            stored.request = inbound.describe(self.request, self.body, 200, answer, caller.source, len(rejected))
        grouping.store(stored)
        return answer

    def _items(self, received_at: datetime) -> tuple[list[Item], list[tuple[int, Refusal]]]:
        if self.kind == BATCH:
            batch = parsing.parse_batch(self.body, received_at)
            return batch.items, batch.rejected
        return [parsing.parse_call(self.kind, self.body, received_at)], []

    def handle_exception(self, exc: Exception) -> HttpResponseBase:  # type: ignore[override]
        response = super().handle_exception(exc)
        refusal = as_refusal(exc)
        if refusal is not None and inbound.worth_keeping(refusal):
            source = self.caller.source if self.caller else None
            inbound.keep(
                inbound.describe(self.request, self._body_to_show(), refusal.status, dict(refusal.answer), source)
            )
        return response

    def _body_to_show(self) -> bytes:
        """Return the body unpacked where that goes, else as it came in."""
        for version in ("body", "raw_body"):
            try:
                shown: bytes = getattr(self, version)
                return shown
            except Refusal:
                continue
        return b""


class UnknownCallView(AnyOriginView):
    """Answer calls at addresses that there are none at in words that a client can read."""

    def initial(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        if request.method != "OPTIONS":
            raise Refusal("not_found", f"There is no such call. Those of /v1/ are {', '.join(KINDS)}.", "path", 404)


def dropped(rejected: Sequence[tuple[int, Refusal]]) -> dict[str, object]:
    """Return what a batch's answer says about the items that were not taken."""
    if not rejected:
        return {}
    listed = [
        {"index": index, **refusal.answer} for index, refusal in sorted(rejected, key=lambda one: one[0])[:MAX_LISTED]
    ]
    return {"rejected": listed, "rejected_count": len(rejected)}


def _json(answer: dict[str, object]) -> HttpResponse:
    return HttpResponse(msgspec.json.encode(answer), content_type="application/json")


def calls(view: type[TrackingView], prefix: str, name: str) -> list[URLPattern]:
    """Return the addresses of all calls: whole names, first letters for browsers, and JSON for what there is not."""
    return [
        *(
            re_path(rf"^{prefix}(?:{kind}|{kind[0]})/?\Z", view.as_view(kind=kind), name=f"{name}-{kind}")
            for kind in KINDS
        ),
        # Whatever else lies below the prefix has to be routed before.
        re_path(rf"^{prefix}", UnknownCallView.as_view()),
    ]


KINDS = [*parsing.KINDS, BATCH]
urlpatterns = calls(TrackingView, "", "track")
