"""What recipients reach: the unsubscribe page, the open pixel and the click redirect. Every address is signed.

Nobody is logged in here, so no cookie and no CSRF token is asked for: who holds the link may use it. Looking never
changes anything: programs that check mail follow every link in it.
"""

from __future__ import annotations

import base64
import hashlib
import logging
from email.utils import parseaddr
from uuid import UUID

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone
from django.utils.html import escape
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from messaging import consent, feedback, links
from messaging.admin import frames
from messaging.models import Message, MessageBody, Unsubscription
from messaging.preview import NOBODY

logger = logging.getLogger(__name__)

# What a mail may load, and that it may run nothing, send nothing and be nobody's page.
VIEW_POLICY = (
    "sandbox allow-popups allow-top-navigation-by-user-activation; default-src 'none'; img-src * data:; "
    "media-src *; style-src * 'unsafe-inline'; font-src * data:; frame-ancestors 'none'"
)
PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
MAX_USER_AGENT = 500


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Show the page; a POST unsubscribes, or lets in again. RFC 8058: a mail program's POST needs no page."""
    public_id = links.read(links.UNSUBSCRIBE, token)
    if public_id == NOBODY:
        return _page(request, {"state": "preview"})
    message = Message.objects.filter(public_id=public_id).first() if public_id else None
    if message is None:
        return _page(request, {"state": "unknown"}, 404)
    if message.is_aside:
        return HttpResponse() if _is_one_click(request) else _page(request, {"state": "preview"})
    if request.method == "POST":
        return _change(request, message)
    gone = Unsubscription.objects.filter(profile=message.profile_id).exists()
    context = {"state": "gone" if gone else "ask", "address": mask(message.address), "sender": _sender(message)}
    return _page(request, context)


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
        return _page(request, {"state": "preview"})
    body = MessageBody.objects.filter(message__public_id=public_id).first() if public_id else None
    if body is None or not (body.html or body.text):
        return _page(request, {"state": "unknown"}, 404)
    content = frames.without_pixel(body.html) if body.html else f"<pre>{escape(body.text)}</pre>"
    return HttpResponse(content, headers={"Content-Security-Policy": VIEW_POLICY, "X-Robots-Tag": "noindex"})


@never_cache
@require_safe
def clicked(request: HttpRequest, token: str) -> HttpResponse:
    """Count the click and lead on to where the link of the mail led."""
    found = links.read_click(token)
    if found is None or not found[1].startswith(("http://", "https://")):
        return _page(request, {"state": "unknown"}, 404)
    public_id, target = found
    if request.method == "GET":
        _report(request, "clicked", public_id, target)
    return HttpResponseRedirect(target)


def mask(address: str) -> str:
    """Return an address as its owner recognises it and nobody else learns it: a•••@example.com."""
    name, at, domain = address.rpartition("@")
    return f"{name[:1]}•••{at}{domain}" if at else ""


def _change(request: HttpRequest, message: Message) -> HttpResponse:
    if _is_one_click(request):
        consent.unsubscribe(message.profile_id, "one_click", message)
        return HttpResponse("You are unsubscribed.", content_type="text/plain")
    if request.POST.get("do") == "resubscribe":
        consent.resubscribe(message.profile_id)
    else:
        consent.unsubscribe(message.profile_id, "page", message)
    # 303: a reload of what comes next does not post again.
    return HttpResponse(status=303, headers={"Location": request.get_full_path()})


def _is_one_click(request: HttpRequest) -> bool:
    return request.method == "POST" and request.POST.get("List-Unsubscribe") == "One-Click"


def _sender(message: Message) -> str:
    body = MessageBody.objects.only("from_email").filter(pk=message.pk).first()
    name, address = parseaddr(body.from_email) if body else ("", "")
    return name or address.rpartition("@")[2]


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


def _page(request: HttpRequest, context: dict[str, str], status: int = 200) -> HttpResponse:
    return render(request, "messaging/unsubscribe.html", context, status=status)
