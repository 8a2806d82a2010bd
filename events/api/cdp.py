"""Customer.io's library for browsers (``cdnURL: "https://<host>/cdp"``): its settings, its calls below ``/cdp/v1/``.

It is Segment's analytics.js of an earlier day, and takes every answer that it may read for success. So an answer that
asks to come again is kept from it: then its call fails, and it keeps the call and repeats it, from the next page if
need be.
"""

from __future__ import annotations

from typing import Any

from django.urls import re_path

from events.api.browser_settings import ProjectView
from events.api.cors import CORS
from events.api.segment import TrackingView, calls

AGAIN = {429, 503}


class UnreadFailureView(TrackingView):
    """Take a call; the page may read the answer unless the call is to come again."""

    # The same calls as below /v1/, where they are described.
    schema = None  # type: ignore[assignment]

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
    *calls(UnreadFailureView, r"v1/", "cdp"),
]
