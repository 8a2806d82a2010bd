"""The built-in provider's inbox: every mail it took, as its recipient would see it.

Opening a mail here loads its pictures, so it counts as opened; its links lead through the click address. That is on
purpose: the whole loop can be watched with no account anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse

from events.admin_paging import KeysetPage, before_key, page_before
from messaging.admin import frames
from messaging.models import DeliveryEvent, Message, MessageBody, Provider

VIEW = "messaging.view_message"
PAGE_SIZE = 30
# Addresses that can be chosen are those of so many newest mails; any other can be typed.
RECENT = 200
SHOWN_ADDRESSES = 30
LIST_FIELDS = ("address", "subject", "status", "sent_at", "is_test", "provider_id")

# What the recipient did, as steps that light up: (title, the reports that prove it; a click proves an opening).
STEPS = (
    ("Sent", {"sent", "delivered", "opened", "clicked", "bounced", "rejected", "complained", "unsubscribed"}),
    ("Delivered", {"delivered", "opened", "clicked", "complained", "unsubscribed"}),
    ("Opened", {"opened", "clicked"}),
    ("Clicked", {"clicked"}),
)


@dataclass(frozen=True, slots=True)
class Step:
    title: str
    done: bool


def page(request: HttpRequest) -> HttpResponse:
    """Show the inbox and, with ``?mail=<id>``, one mail of it."""
    _require_permission(request)
    chosen = request.GET.get("mail", "")
    context = {
        **admin.site.each_context(request),
        **_listing(request),
        "title": "Mailbox",
        "subtitle": None,
        "opts": None,
        "addresses": recent_addresses(),
        "providers": Provider.objects.filter(kind=Provider.Kind.MAILBOX, enabled=True).exists(),
        **(_letter(int(chosen)) if chosen.isdecimal() else {}),
    }
    return TemplateResponse(request, "admin/messaging/mailbox/page.html", context)


def newest(request: HttpRequest) -> HttpResponse:
    """Answer the page's poll: the list again, or 204 when the page shows it already (``?shown=``)."""
    _require_permission(request)
    context = _listing(request)
    if context["shown"] == request.GET.get("shown"):
        return HttpResponse(status=204)
    return TemplateResponse(request, "admin/messaging/mailbox/list.html", context)


def seen(request: HttpRequest, message_id: int) -> HttpResponse:
    """Answer the open mail's poll: what the recipient has done so far."""
    _require_permission(request)
    message = get_object_or_404(Message.objects.only("status"), pk=message_id)
    return TemplateResponse(request, "admin/messaging/mailbox/steps.html", {"mail": message, "steps": steps(message)})


def mails(address: str) -> list[QuerySet[Message]]:
    """Return what each mailbox provider took, one query set a provider: each is served by an index in order."""
    sent = Message.objects.filter(sent_at__isnull=False)
    if address:
        return [sent.filter(address__in={address, address.lower()}, provider__kind=Provider.Kind.MAILBOX)]
    ids = Provider.objects.filter(kind=Provider.Kind.MAILBOX).values_list("pk", flat=True)
    return [sent.filter(provider_id=pk) for pk in ids]


def newest_page(address: str, before: int | None, size: int = PAGE_SIZE) -> KeysetPage[Message]:
    """Return a page of mails to ``address`` ("" = everybody), newest first. A statement per provider and one."""
    pages = [page_before(found.only(*LIST_FIELDS), before, size) for found in mails(address)]
    rows = sorted((row for part in pages for row in part.rows), key=lambda row: -row.pk)
    more = len(rows) > size or any(part.older for part in pages)
    rows = rows[:size]
    return KeysetPage(rows, rows[-1].pk if more and rows else None)


def recent_addresses() -> list[str]:
    """Return the addresses that got mail lately, the last one first."""
    rows = newest_page("", None, RECENT).rows
    return list(dict.fromkeys(row.address for row in rows))[:SHOWN_ADDRESSES]


def steps(message: Message) -> list[Step]:
    """Return what has happened to a mail so far. One statement."""
    reports = DeliveryEvent.objects.filter(message=message).order_by().values_list("type", flat=True).distinct()
    known = {message.status, *reports}
    return [Step(title, not known.isdisjoint(proofs)) for title, proofs in STEPS]


def _listing(request: HttpRequest) -> dict[str, Any]:
    address = request.GET.get("address", "").strip()
    before = before_key(request)
    found = newest_page(address, before)
    return {
        "rows": found.rows,
        "older": found.older,
        "before": before,
        "address": address,
        "chosen": request.GET.get("mail", ""),
        "shown": ",".join(f"{row.pk}{row.status}" for row in found.rows),
    }


def _letter(message_id: int) -> dict[str, Any]:
    """Return the context of the reading pane; {} for a message that no mailbox took."""
    related = Message.objects.select_related("profile", "provider").filter(provider__kind=Provider.Kind.MAILBOX)
    message = related.filter(pk=message_id).first()
    body = MessageBody.objects.filter(pk=message_id).first() if message else None
    if message is None or body is None:
        return {"gone": True}
    return {
        "mail": message,
        "body": body,
        "frame": frames.document(body.html),
        "steps": steps(message),
        "unsubscribe_url": one_click_url(body.headers),
    }


def one_click_url(headers: dict[str, str]) -> str:
    """Return the address behind a mail program's unsubscribe button (RFC 8058), "" when the mail offers none."""
    if "List-Unsubscribe-Post" not in headers:
        return ""
    links = (part.strip(" <>") for part in headers.get("List-Unsubscribe", "").split(","))
    return next((link for link in links if link.startswith(("https://", "http://"))), "")


def _require_permission(request: HttpRequest) -> None:
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
