"""What the admin's pages may load and run: their Content-Security-Policy.

Scripts and everything else come from this server alone, and nothing written into a page runs. Two things are let pass
for the admin's theme: Alpine evaluates the expressions of its attributes ('unsafe-eval'), and it and htmx set styles.
Frames made of ``srcdoc`` have their page's policy besides their own, so pages that show mails allow what a mail may
show (see ``messaging.admin.frames``); scripts never.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse

HEADER = "Content-Security-Policy"
BASE = {
    "default-src": "'self'",
    "script-src": "'self' 'unsafe-eval'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data:",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
MAILS = {"style-src": "* 'unsafe-inline'", "img-src": "* data:", "font-src": "* data:", "media-src": "*"}


def written(directives: dict[str, str]) -> str:
    """Return the header's value."""
    return "; ".join(f"{name} {sources}" for name, sources in directives.items())


OF_PAGES, OF_MAILS = written(BASE), written(BASE | MAILS)


class PagePolicy:
    """Middleware: say with each page of the admin what it may do, unless the page has said so itself."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.pages = reverse("admin:index")
        self.mails = reverse("admin:app_list", args=["messaging"])

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.path.startswith(self.pages):
            response.headers.setdefault(HEADER, OF_MAILS if request.path.startswith(self.mails) else OF_PAGES)
        return response
