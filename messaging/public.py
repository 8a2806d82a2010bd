"""What recipients reach without saying anything: the open pixel, the click redirect, a mail in the browser.

Every address is signed. The pages on which they say what they want are in ``messaging.public_pages``.
"""

from __future__ import annotations

import base64
import hashlib
import logging
from uuid import UUID

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.html import escape
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from messaging import feedback, links
from messaging.admin import frames
from messaging.models import MessageBody
from messaging.preview import NOBODY
from messaging.public_pages import page

logger = logging.getLogger(__name__)

# What a mail may load, and that it may run nothing, send nothing and be nobody's page.
VIEW_POLICY = (
    "sandbox allow-popups allow-top-navigation-by-user-activation; default-src 'none'; img-src * data:; "
    "media-src *; style-src * 'unsafe-inline'; font-src * data:; frame-ancestors 'none'"
)
PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
MAX_USER_AGENT = 500


@never_cache
@require_safe
def opened(request: HttpRequest, token: str) -> HttpResponse:
    """Answer the pixel, and count the opening."""
    public_id = links.read(links.OPEN, token)
    if public_id and request.method == "GET":
        _report(request, "opened", public_id)
    return HttpResponse(PIXEL, content_type="image/gif")


@never_cache
@require_safe
def view(request: HttpRequest, token: str) -> HttpResponse:
    """Show a mail as it was sent, in a page that can run nothing. Whoever has the link has had the mail."""
    public_id = links.read(links.VIEW, token)
    if public_id == NOBODY:
        return page(request, "preview")
    body = MessageBody.objects.filter(message__public_id=public_id).first() if public_id else None
    if body is None or not (body.html or body.text):
        return page(request, "unknown", status=404)
    content = frames.without_pixel(body.html) if body.html else f"<pre>{escape(body.text)}</pre>"
    return HttpResponse(content, headers={"Content-Security-Policy": VIEW_POLICY, "X-Robots-Tag": "noindex"})


@never_cache
@require_safe
def clicked(request: HttpRequest, token: str) -> HttpResponse:
    """Count the click and lead on to where the link of the mail led."""
    found = links.read_click(token)
    if found is None or not found[1].startswith(("http://", "https://")):
        return page(request, "unknown", status=404)
    public_id, target = found
    if request.method == "GET":
        _report(request, "clicked", public_id, target)
    return HttpResponseRedirect(target)


def _report(request: HttpRequest, kind: str, public_id: UUID, url: str = "") -> None:
    """Record what the recipient did. The same program asking again within a minute is not counted again."""
    now = timezone.now()
    agent = request.headers.get("User-Agent", "")[:MAX_USER_AGENT]
    link = hashlib.sha256(f"{url} {agent}".encode()).hexdigest()[:16]
    report = feedback.Report(
        kind,
        f"own:{kind}:{public_id}:{link}:{now:%Y%m%d%H%M}",
        now,
        message_public_id=str(public_id),
        url=url,
        user_agent=agent,
    )
    try:
        feedback.record([report])
    except DatabaseError:
        # The recipient wants to get on; a lost count is the smaller harm.
        logger.exception("could not record that message %s was %s", public_id, kind)
