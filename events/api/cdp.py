"""Customer.io's pipelines below ``/cdp``: Segment's calls, with its libraries' ways and some names that are reserved.

Its libraries for servers are told ``https://<host>/cdp`` where Customer.io's address would be. Unless they ask for
strict answers (``X-Strict-Mode: 1``, or the source wants them), they hear 200 also of a call that cannot be taken;
what was refused is in the answer and in the debugger. A wrong key is always an error, for with it all would be lost.

The library for browsers (``cdnURL: "https://<host>/cdp"``) is Segment's analytics.js of an earlier day, and takes every
answer that it may read for success. So an answer that asks to come again is kept from it: then its call fails, and it
keeps the call and repeats it, from the next page if need be.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from django.http import HttpResponse, HttpResponseBase
from django.urls import re_path

from events.api import inbound
from events.api.addresses import client_address
from events.api.authentication import Caller
from events.api.base import as_refusal
from events.api.browser_settings import ProjectView
from events.api.cors import CORS
from events.api.customerio import semantic
from events.api.customerio.performing import Rejected, arrange, perform
from events.api.refusal import Refusal
from events.api.segment import BATCH, SUCCESS, TrackingView, calls, dropped
from events.ingest import Item

AGAIN = {429, 503}


class PipelinesView(TrackingView):
    """Take a call; the page that sends it may read the answer unless the call is to come again."""

    # The same calls as below /v1/, where they are described.
    schema = None  # type: ignore[assignment]

    @property
    def is_strict(self) -> bool:
        wanted = self.caller is not None and self.caller.source.strict
        return wanted or self.request.headers.get("X-Strict-Mode", "").strip() == "1"

    def _items(self, received_at: datetime) -> tuple[list[Item], Rejected]:
        items, rejected = super()._items(received_at)
        items, ungrouped = semantic.grouped(items)
        self._raise_single(ungrouped)
        return items, [*rejected, *ungrouped]

    def store(
        self, caller: Caller, items: Sequence[Item], rejected: Sequence[tuple[int, Refusal]], received_at: datetime
    ) -> dict[str, object]:
        if not semantic.are_among(items):
            return super().store(caller, items, rejected, received_at)
        steps, unread = semantic.steps(items, received_at)
        arranged = arrange(caller.source, steps, received_at, client_address(self.request))
        refused: Rejected = [*rejected, *unread, *arranged.rejected]
        self._raise_single(refused)
        failed = perform(caller, arranged)
        self._raise_single(failed)
        refused += failed
        answer = SUCCESS | dropped(refused)
        if refused or inbound.sampled():
            self._keep(answer, len(refused), arranged.items - len(failed))
        return answer

    def _raise_single(self, refused: Rejected) -> None:
        if refused and self.kind != BATCH:
            raise refused[0][1]

    def handle_exception(self, exc: Exception) -> HttpResponseBase:  # type: ignore[override]
        refusal = as_refusal(exc)
        if refusal is None or refusal.status != 400 or self.caller is None or self.is_strict:
            return super().handle_exception(exc)
        answer = SUCCESS | dropped([(0, refusal)])
        self._keep(answer, 1, 0)
        return HttpResponse(msgspec.json.encode(answer), content_type="application/json")

    def _keep(self, answer: dict[str, object], rejected: int, accepted: int) -> None:
        assert self.caller is not None, "initial() lets nobody else through"
        source = self.caller.source
        row = inbound.describe(self.request, self._body_to_show(), 200, answer, source, rejected)
        row.accepted = accepted
        inbound.keep(row)

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        answer = super().finalize_response(request, response, *args, **kwargs)
        if answer.status_code in AGAIN:
            for name in CORS:
                del answer[name]
        return answer


class CdpProjectView(ProjectView):
    """Tell the library to send to the calls below."""

    destination = "Customer.io Data Pipelines"
    path = "cdp/v1"


urlpatterns = [
    re_path(r"^v1/projects/(?P<key>[^/]+)/settings/?\Z", CdpProjectView.as_view()),
    *calls(PipelinesView, r"v1/", "cdp"),
]
