"""The list of drafts: approve or refuse those that are ticked, or all that fit the filter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from events.audit import Actor
from messaging import approval
from messaging.admin.message_page import LONGEST_NOTE, OPERATE
from messaging.models import Message
from messaging.states import Status

if TYPE_CHECKING:
    from messaging.admin.messages import MessageAdmin

# One press of a button; whoever has more presses again.
AT_ONCE = 5_000
COUNTED = 9_999
SAID = {"approve": "approved: in the outbox, where each is checked once more", "refuse": "refused: not sent"}


def are_shown(request: HttpRequest) -> bool:
    """Say whether the list is narrowed to drafts, and this user may decide about them."""
    return request.GET.get("status__exact") == Status.DRAFT and request.user.has_perm(OPERATE)


def count(queryset: QuerySet[Message]) -> int:
    """Count drafts, no further than one beyond ``COUNTED``."""
    return queryset.order_by().values("pk")[: COUNTED + 1].count()


def decide_all(model_admin: MessageAdmin, request: HttpRequest) -> HttpResponse:
    """Approve or refuse (``verb``) all drafts that fit the filter, which stands in the address."""
    if not request.user.has_perm(OPERATE):
        raise PermissionDenied
    back = HttpResponseRedirect(f"{reverse('admin:messaging_message_changelist')}?{request.GET.urlencode()}")
    verb = request.POST.get("verb", "")
    if request.method != "POST" or verb not in SAID:
        return back
    try:
        chosen = model_admin.get_changelist_instance(request).queryset
    except IncorrectLookupParameters:
        return back
    decide(request, chosen, verb)
    return back


def decide(request: HttpRequest, chosen: QuerySet[Message], verb: str) -> None:
    """Decide about the drafts among ``chosen``, ``AT_ONCE`` at most. The statements grow with batches, not drafts."""
    drafts = chosen.filter(status=Status.DRAFT).order_by("pk")
    ids = list(drafts.values_list("pk", flat=True)[:AT_ONCE])
    actor, why = Actor.of_user(request.user), request.POST.get("why", "").strip()[:LONGEST_NOTE]
    done = 0
    for first in range(0, len(ids), approval.BATCH):
        batch = ids[first : first + approval.BATCH]
        done += len(approval.approve(batch, actor) if verb == "approve" else approval.refuse(batch, actor, why))
    if not done:
        messages.warning(request, "Nothing was done: none of them is a draft any more.")
        return
    left = len(ids) - done
    more = f" Somebody else has decided about {left:,} others meanwhile." if left else ""
    messages.success(request, f"{done:,} draft{'' if done == 1 else 's'} {SAID[verb]}.{more}")


def ask_why(model_admin: MessageAdmin, request: HttpRequest, chosen: QuerySet[Message]) -> HttpResponse:
    """Ask once more before those that are ticked are refused, and for a note."""
    context = {
        **model_admin.admin_site.each_context(request),
        "title": "Refuse drafts",
        "opts": Message._meta,
        "chosen": list(chosen.values_list("pk", flat=True)),
        "longest": LONGEST_NOTE,
        "back": request.get_full_path(),
    }
    return TemplateResponse(request, "admin/messaging/message/refuse.html", context)
