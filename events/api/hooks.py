"""Inbound webhooks: ``POST /hooks/<slug>/`` takes any JSON and makes calls of it, as the source's mapping says.

Segment's Webhooks destination posts its events here as they are. 200 means committed.
Source: https://segment.com/docs/connections/destinations/catalog/webhooks/
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.urls import re_path
from django.utils import timezone
from django.utils.functional import cached_property

from events import grouping, raw_json
from events.api import authentication, hook_calls, inbound, limits, locks
from events.api import body as bodies
from events.api.authentication import Caller
from events.api.base import CallView, as_refusal
from events.api.hook_calls import Calls
from events.api.inbound import Sampler
from events.api.refusal import Refusal
from events.api.segment import SUCCESS, dropped
from events.ingest import parcel
from events.models import InboundRequest, Source

# So many accepted calls of each hook are kept a second and process: a rare one must not get lost among a busy one's.
KEPT_PER_SECOND = 2
PASSED_OVER = "Nothing was stored: the conditions of the mapping do not hold for this payload."

_samplers: defaultdict[int, Sampler] = defaultdict(lambda: Sampler(KEPT_PER_SECOND))


class HookView(CallView):
    """Take what another program reports in its own words."""

    authentication_classes = []
    http_method_names = ["post", "put"]
    source: Source | None = None

    def get_authenticate_header(self, request: HttpRequest) -> str:
        return 'WriteKey realm="hooks"'

    @cached_property
    def raw_body(self) -> bytes:
        return bodies.received(self.request, bodies.HOOK_LIMIT)

    @cached_property
    def signed_body(self) -> bytes:
        encoding = self.request.headers.get("Content-Encoding", "")
        return bodies.unpacked(self.raw_body, encoding, bodies.HOOK_LIMIT)

    @cached_property
    def body(self) -> bytes:
        return raw_json.storable(self.signed_body.removeprefix(b"\xef\xbb\xbf"))

    def post(self, request: HttpRequest, slug: str) -> HttpResponse:
        received_at = timezone.now()
        source = self.source = _source(slug)
        caller = locks.check(source, request, self.signed_body)
        raws = hook_calls.payloads(self.body, request.headers.get("Content-Type", ""))
        if caller:
            limits.spend(caller, len(raws))
        calls = hook_calls.of_source(source, raws, named(request.headers), received_at)
        stored = parcel(source, calls.items, received_at)
        calls = Calls(list(stored.items), [*calls.rejected, *stored.refused], calls.passed_over)
        answer = _answer(calls)
        if calls.rejected and not calls.items:
            inbound.keep(self._described(400, answer, len(calls.rejected)))
            return JsonResponse(answer, status=400)
        if calls.rejected or _samplers[source.pk].take(inbound.clock()):
            stored.request = self._described(200, answer, len(calls.rejected))
        grouping.store(stored)
        _note(source, caller)
        return JsonResponse(answer)

    put = post

    def handle_exception(self, exc: Exception) -> HttpResponseBase:  # type: ignore[override]
        response = super().handle_exception(exc)
        refusal = as_refusal(exc)
        if refusal is not None and inbound.worth_keeping(refusal):
            inbound.keep(self._described(refusal.status, dict(refusal.answer)))
        return response

    def _described(self, status: int, answer: dict[str, object], rejected: int = 0) -> InboundRequest:
        row = inbound.describe(self.request, self._body_to_show(), status, answer, self.source, rejected)
        if self.source and self.source.slug and self.source.lock == Source.Lock.ADDRESS:
            row.path = row.path.replace(self.source.slug, inbound.mask(self.source.slug))
        return row

    def _body_to_show(self) -> bytes:
        try:
            return self.body
        except Refusal:
            return b""


def _source(slug: str) -> Source:
    source = Source.objects.filter(slug=slug).exclude(kind=Source.Kind.TRACKING).first()
    if source is None:
        raise Http404("There is no hook at this address. Copy it anew from the source's page.")
    if not source.enabled:
        raise Refusal("disabled", "This hook is switched off.", status=401)
    return source


def _note(source: Source, caller: Caller | None) -> None:
    if caller:
        authentication.note_use(caller)
    else:
        authentication.note_source(source)


def named(headers: Any) -> dict[str, str]:
    """Return headers under names that Liquid can say: ``x_shop_topic``."""
    return {name.lower().replace("-", "_"): value for name, value in headers.items()}


def _answer(calls: Calls) -> dict[str, object]:
    """Say what became of the payloads: one mistake by itself, several one by one."""
    if calls.rejected and not calls.items:
        several = dropped(calls.rejected) if len(calls.rejected) > 1 else {}
        return {**calls.rejected[0][1].answer, **several}
    if not calls.items and calls.passed_over:
        return SUCCESS | {"message": PASSED_OVER}
    return SUCCESS | dropped(calls.rejected)


urlpatterns = [re_path(r"^(?P<slug>[-\w]+)/?\Z", HookView.as_view(), name="hook")]
