"""Answers where no view has one: JSON for programs, a page for people who look with a browser.

Libraries take anything but JSON for a broken server. When the database cannot be reached, whoever asks is asked to
come again.
"""

from __future__ import annotations

import sys

from django.core.exceptions import DisallowedHost
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.views import defaults

from events.api.base import RETRY_AFTER_SECONDS
from events.api.cors import CORS


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if _is_person(request):
        return defaults.bad_request(request, exception)
    if isinstance(exception, DisallowedHost):
        return _told(400, "unknown_host", "This host name is unknown here: add it to ALLOWED_HOSTS.", "Host")
    return _told(400, "bad_request", "The request cannot be understood.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if _is_person(request):
        return defaults.page_not_found(request, exception)
    message = "There is nothing at this address."
    if request.path.startswith("//"):
        message += " It begins with two slashes: name the host without one at its end."
    return _told(404, "not_found", message, "path")


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Answer after an error that no view knew: 500, or 503 when it was the database's."""
    away = isinstance(sys.exc_info()[1], OperationalError | InterfaceError)
    if _is_person(request):
        answer: HttpResponseBase = defaults.server_error(request)
    elif away:
        answer = _told(503, "unavailable", "The database cannot take this now. Please try again.")
    else:
        answer = _told(500, "server_error", "Something went wrong here. The log of the web process says what.")
    if away:
        answer.status_code = 503
        answer["Retry-After"] = RETRY_AFTER_SECONDS
    return answer


def _is_person(request: HttpRequest) -> bool:
    """Browsers say that they want a page; libraries take anything."""
    return "text/html" in request.headers.get("Accept", "")


def _told(status: int, code: str, message: str, field: str = "") -> JsonResponse:
    return JsonResponse({"code": code, "message": message, "field": field}, status=status, headers=CORS)
