"""What every API of this room does alike: JSON whatever was asked for, errors with code and message, 503 in trouble."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from django.db import DatabaseError, DataError, InterfaceError
from django.http import Http404, HttpRequest, HttpResponseBase, JsonResponse
from rest_framework import exceptions
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from events.api.authentication import Caller, KeyAuthentication
from events.api.refusal import Refusal

logger = logging.getLogger(__name__)
RETRY_AFTER_SECONDS = "5"


class AlwaysJson(BaseContentNegotiation):
    """Ignore Accept: a client that asks for something odd still gets its answer."""

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type


class JsonView(APIView):
    """A view whose errors are ``{"code", "message", "field"}``; what the database cannot do now is 503."""

    content_negotiation_class = AlwaysJson

    def refused(self, refusal: Refusal) -> dict[str, object]:
        """Return the body of the answer to a call that is refused."""
        return dict(refusal.answer)

    def handle_exception(self, exc: Exception) -> HttpResponseBase:  # type: ignore[override]  # no need to render
        refusal = as_refusal(exc)
        if refusal is None:
            raise exc
        response = JsonResponse(self.refused(refusal), status=refusal.status)
        if refusal.status == 503:
            response["Retry-After"] = RETRY_AFTER_SECONDS
        if refusal.status == 429:
            # Libraries for browsers look at the second one.
            response["Retry-After"] = response["X-RateLimit-Reset"] = str(refusal.retry_after)
        if refusal.status == 401:
            response["WWW-Authenticate"] = self.get_authenticate_header(self.request)
        if isinstance(exc, exceptions.MethodNotAllowed):
            response["Allow"] = ", ".join(self.allowed_methods)
        return response


class CallView(JsonView):
    """A view that takes calls, as many as come: what REST framework does for each and none of ours needs is left out.

    No parsers, renderers, versions, permissions, and ``request`` is Django's own. It stays an APIView for the OpenAPI
    document's sake. ``authentication_classes`` are KeyAuthentications; what they find becomes the ``caller``.
    """

    request: HttpRequest  # type: ignore[assignment]
    caller: Caller | None = None

    @property
    def raw_body(self) -> bytes:
        """The body as it came in. Raises Refusal."""
        return b""

    @property
    def body(self) -> bytes:
        """What the call says: JSON, unpacked. Raises Refusal."""
        return b""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.request = request
        try:
            self.initial(request, *args, **kwargs)
            response = self._handler(request)(request, *args, **kwargs)
        except Exception as error:
            self._read_on()
            response = self.handle_exception(error)
        return self.finalize_response(request, response, *args, **kwargs)

    def _read_on(self) -> None:
        """Take the body in though it comes to nothing: a server that answers before looks to some as if it hung up."""
        with suppress(Refusal):
            _ = self.raw_body

    def _handler(self, request: HttpRequest) -> Callable[..., HttpResponseBase]:
        name = (request.method or "").lower()
        handler: Callable[..., HttpResponseBase] = self.http_method_not_allowed
        return getattr(self, name, handler) if name in self.http_method_names else handler

    def initial(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """Find out who calls, before anything else. Raises Refusal or AuthenticationFailed."""
        for authentication in self.authentication_classes:
            assert issubclass(authentication, KeyAuthentication)
            self.caller = authentication().find(request, self)

    def finalize_response(  # type: ignore[override]
        self, request: HttpRequest, response: HttpResponseBase, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        return response


def as_refusal(error: Exception) -> Refusal | None:
    """Put an error into the words of an answer; None for one that is our own mistake."""
    match error:
        case Refusal():
            return error
        case DataError():
            # Everything known is caught before; the same call would fail again and again.
            logger.error("the database cannot hold a call: %s", error)
            return Refusal("invalid_value", "A value cannot be stored.", "body")
        case DatabaseError() | InterfaceError():
            logger.error("the database cannot take a call now: %s", error)
            return Refusal("unavailable", "The database cannot take this now. Please try again.", status=503)
        case Http404():
            return Refusal("not_found", str(error) or "There is nothing here.", status=404)
        case exceptions.AuthenticationFailed() | exceptions.NotAuthenticated():
            return Refusal("unauthorized", str(error.detail), "Authorization", 401)
        case exceptions.APIException():
            return Refusal(str(error.get_codes()), str(error.detail), status=error.status_code)
    return None
