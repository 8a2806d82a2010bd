"""What views that take calls have in common: a body within bounds, and a row in the debugger for what was refused."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.utils.functional import cached_property

from events import raw_json
from events.api import body as bodies
from events.api import inbound, limits
from events.api.base import CallView, as_refusal
from events.api.refusal import Refusal
from events.models import InboundRequest, Source


class ReceivingView(CallView):
    """Take calls of a source's keys. ``limit`` is how many bytes, unpacked, a call may have."""

    limit = bodies.CALL_LIMIT

    @cached_property
    def raw_body(self) -> bytes:
        return bodies.received(self.request)

    @cached_property
    def body(self) -> bytes:
        """The unpacked JSON, fit to be stored. Raises Refusal."""
        plain = bodies.unpacked(self.raw_body, self.request.headers.get("Content-Encoding", ""), self.limit)
        return raw_json.storable(plain.removeprefix(b"\xef\xbb\xbf"))

    @property
    def source(self) -> Source | None:
        return self.caller.source if self.caller else None

    def initial(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if self.caller is not None:
            limits.check_origin(self.caller, request.headers.get("Origin"))

    def described(self, status: int, answer: dict[str, object], rejected: int = 0) -> InboundRequest:
        """Return the row for the debugger; does not save it."""
        return inbound.describe(self.request, self._body_to_show(), status, answer, self.source, rejected)

    def handle_exception(self, exc: Exception) -> HttpResponseBase:  # type: ignore[override]
        response = super().handle_exception(exc)
        refusal = as_refusal(exc)
        if refusal is not None and inbound.worth_keeping(refusal):
            inbound.keep(self.described(refusal.status, self.refused(refusal)))
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
