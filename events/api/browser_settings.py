"""What browser libraries ask for before they send anything: where to, and with which plugins.

analytics.js (``cdnURL``) GETs ``/v1/projects/<write key>/settings``. Customer.io's fork of it does so below ``/cdp``
(``events.api.cdp``), for each of the two looks for its own destination and stops at a second one, whose script it
cannot find. RudderStack's library (``configUrl``) GETs ``/sourceConfig/``. There is nothing to choose here: no plugins,
no figures about the library itself, which analytics.js would send to Segment.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.urls import re_path

from events.api import limits
from events.api.authentication import Caller, WriteKeyAuthentication, find_caller
from events.api.cors import AnyOriginView
from events.api.refusal import Refusal

CACHE_SECONDS = 300


class BrowserSettingsView(AnyOriginView):
    """Answer with settings for the holder of a key. The answer depends on the page that asks, as keys may be bound."""

    http_method_names = ["get", "head", "options"]

    def answer(self, caller: Caller, content: dict[str, Any]) -> JsonResponse:
        limits.check_origin(caller, self.request.headers.get("Origin"))
        return JsonResponse(
            content, headers={"Cache-Control": f"public, max-age={CACHE_SECONDS}", "Vary": "Origin, Authorization"}
        )


class ProjectView(BrowserSettingsView):
    """Tell analytics.js to send to where it has asked.

    ``destination`` is the plugin of the library that sends, ``path`` where its calls are taken.
    """

    destination = "Segment.io"
    path = "v1"

    def get(self, request: HttpRequest, key: str) -> JsonResponse:
        caller = find_caller(key)
        if caller is None:
            raise Refusal("unknown_key", "The write key is unknown or revoked.", "writeKey", 404)
        host = f"{request.get_host()}/{self.path}"
        sends = {"apiKey": key, "apiHost": host, "protocol": _protocol(request)}
        return self.answer(caller, {"integrations": {self.destination: sends}, "metrics": {"sampleRate": 0}})


class SourceConfigView(BrowserSettingsView):
    """Tell RudderStack's library that its source is on and has no destinations of its own."""

    authentication_classes = [WriteKeyAuthentication]

    def initial(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        if request.method != "OPTIONS":
            super().initial(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> JsonResponse:
        caller = self.caller
        assert caller is not None, "nobody else gets this far"
        source = {"id": str(caller.source.pk), "name": caller.source.name, "enabled": True, "workspaceId": "cuebird"}
        quiet = {"errors": {"enabled": False}, "metrics": {"enabled": False}}
        return self.answer(caller, {"source": source | {"config": {"statsCollection": quiet}, "destinations": []}})


def _protocol(request: HttpRequest) -> str:
    """Return https also where a proxy in front of us does not say that it speaks it."""
    return "https" if request.is_secure() or settings.BASE_URL.startswith("https://") else "http"


urlpatterns = [
    re_path(r"^v1/projects/(?P<key>[^/]+)/settings/?\Z", ProjectView.as_view()),
    re_path(r"^sourceConfig/?\Z", SourceConfigView.as_view()),
]
