"""The short way in: calls of the tracking APIs pass none of the middleware that pages for people need.

No session, no user, no messages, no CSRF, no static files: a call proves by a key who sends it. What is left of the
long way is what answers to calls need as well.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.urls import Resolver404, ResolverMatch, resolve

# Every address below these is a call of some program.
CALLS = ("/v1/", "/cdp/", "/hooks/", "/pixel/", "/beacon/", "/api/v1/customers", "/api/v1/events", "/api/v2/")


class ShortWay:
    """Middleware, the first of all: answer calls right away, and let others pass.

    As on the long way, the ``Host`` has to be one of ``ALLOWED_HOSTS``, and browsers must not guess types.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(CALLS):
            return self.get_response(request)
        request.get_host()
        try:
            match = request.resolver_match = _resolved(request.path_info, settings.ROOT_URLCONF)
        except Resolver404:
            return self.get_response(request)
        response: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
        response["X-Content-Type-Options"] = "nosniff"
        if not response.streaming and "Content-Length" not in response:
            response["Content-Length"] = str(len(response.content))  # type: ignore[attr-defined]
        return response


@lru_cache(maxsize=256)
def _resolved(path: str, urlconf: str) -> ResolverMatch:
    """Return where an address leads. Programs call few of them, and over and over."""
    return resolve(path, urlconf)
