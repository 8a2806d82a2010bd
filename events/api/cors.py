"""Answers that scripts of any web page may read, refusals included."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from events.api.base import CallView

# The star stands for what libraries make up for themselves, but never for Authorization; old browsers know only names.
NAMES = ["authorization", "content-type", "content-encoding", "x-retry-count"]
# RudderStack's library, the last four when it tries again.
NAMES += ["anonymousid", "sentat", "rsa-retry-attempt", "rsa-retry-reason"]
NAMES += ["rsa-since-first-attempt", "rsa-since-last-attempt"]
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": ", ".join([*NAMES, "*"]),
    "Access-Control-Expose-Headers": "retry-after, x-ratelimit-reset",
    "Access-Control-Max-Age": "86400",
}
# What an answer itself says; the rest answers the question before.
READABLE = ("Access-Control-Allow-Origin", "Access-Control-Expose-Headers")


class AnyOriginView(CallView):
    """A view that browsers may call from anywhere. Who calls is known by a key, never by a cookie."""

    def options(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:  # type: ignore[override]
        return HttpResponse(status=204)

    def finalize_response(self, request: HttpRequest, response: Any, *args: Any, **kwargs: Any) -> Any:
        for name in CORS if request.method == "OPTIONS" else READABLE:
            response[name] = CORS[name]
        return super().finalize_response(request, response, *args, **kwargs)
