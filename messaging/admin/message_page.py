"""One message: where it is now, what happened to it, and the mail as it was handed over."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from events import audit
from events.audit import Actor
from messaging import approval, outbox, preview
from messaging.admin import frames, journal, timeline, whereabouts
from messaging.errors import SendError, TemplateError
from messaging.models import Message, MessageBody, SendingLimits
from messaging.reasons import Reason
from messaging.states import MOVES, REPORTED, IllegalMove, Status

if TYPE_CHECKING:
    from messaging.admin.messages import MessageAdmin

OPERATE = "messaging.change_message"
LONGEST_NOTE = 500
# What has come to an end, one way or another, and may be said once more.
COPIED = frozenset({*REPORTED, Status.SKIPPED}) - {Status.UNSUBSCRIBED, Status.COMPLAINED}


def page(model_admin: MessageAdmin, request: HttpRequest, object_id: str) -> HttpResponse:
    """Show a message. Raises Http404 for an id that is none."""
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    if not object_id.isdecimal():
        raise Http404
    related = ("profile", "provider", "template_version__template", "template_version__topic")
    message = get_object_or_404(Message.objects.select_related(*related), pk=int(object_id))
    audit.note_look(Actor.of_user(request.user), "read", message.profile_id)
    body = MessageBody.objects.filter(pk=message.pk).first()
    history = timeline.history(message)
    status = Status(message.status)
    context = {
        **model_admin.admin_site.each_context(request),
        "title": str(message),
        "opts": Message._meta,
        "original": message,
        "message": message,
        "where": whereabouts.describe(message, timezone.now(), SendingLimits.current()),
        "history": history,
        "verdict": timeline.verdict(history) if status in (Status.BOUNCED, Status.REJECTED) else None,
        "body": body,
        "frame": frames.without_tracking(body.html) if body else "",
        "may_operate": request.user.has_perm(OPERATE),
        "can_send_again": status in (Status.UNKNOWN, Status.FAILED) and Status.QUEUED in MOVES[status],
        "can_leave": status == Status.UNKNOWN,
        "can_copy": status in COPIED and not message.is_aside and request.user.has_perm(OPERATE),
        **(_draft(message) if status == Status.DRAFT else {}),
    }
    return TemplateResponse(request, "admin/messaging/message/page.html", context)


def _draft(message: Message) -> dict[str, Any]:
    """Return what a draft's page shows beside: the mail as it would go out now, and what would keep it back."""
    try:
        rendered = preview.of_message(message)
    except (TemplateError, SendError) as error:
        return {"is_draft": True, "objection": f"{Reason.TEMPLATE_ERROR.label}: {error}"}
    return {
        "is_draft": True,
        "rendered": rendered,
        "frame": frames.document(rendered.html),
        "objection": approval.objection(message, timezone.now()),
    }


@require_POST
def send_again(request: HttpRequest, message_id: int) -> HttpResponse:
    """Put a message back into the outbox, by the decision of an operator."""
    return _operate(request, message_id, outbox.requeue, "Sent again by hand.", "It is back in the outbox.")


@require_POST
def copy(request: HttpRequest, message_id: int) -> HttpResponse:
    """Queue the same once more as a message of its own, by the decision of an operator."""
    if not request.user.has_perm(OPERATE):
        raise PermissionDenied
    message = get_object_or_404(Message, pk=message_id)
    if Status(message.status) not in COPIED or message.is_aside:
        messages.warning(request, "Nothing was done: this message cannot be sent once more.")
        return HttpResponseRedirect(reverse(f"{admin.site.name}:messaging_message_change", args=[message_id]))
    made = outbox.copy(message)
    journal.note(request, message, f"Sent once more by hand, as {made.public_id}.")
    messages.success(request, "It is in the outbox once more: this is the new message.")
    return HttpResponseRedirect(reverse(f"{admin.site.name}:messaging_message_change", args=[made.pk]))


@require_POST
def approve(request: HttpRequest, message_id: int) -> HttpResponse:
    """Let a draft go out, by the decision of an operator."""

    def verb(message: Message) -> None:
        _decided(approval.approve([message.pk], Actor.of_user(request.user)))

    return _operate(request, message_id, verb, "Approved.", "Approved: it is in the outbox, and checked once more.")


@require_POST
def refuse(request: HttpRequest, message_id: int) -> HttpResponse:
    """Leave a draft unsent, by the decision of an operator, with an optional note."""
    why = request.POST.get("why", "").strip()[:LONGEST_NOTE]

    def verb(message: Message) -> None:
        _decided(approval.refuse([message.pk], Actor.of_user(request.user), why))

    return _operate(request, message_id, verb, f"Refused{f': {why}' if why else '.'}", "Refused: it is not sent.")


def _decided(done: list[int]) -> None:
    if not done:
        raise IllegalMove("a message that is no draft is not to be decided about")


@require_POST
def leave(request: HttpRequest, message_id: int) -> HttpResponse:
    """Settle a message of unknown outcome as not sent, by the decision of an operator."""
    return _operate(request, message_id, outbox.give_up, "Left as it is by hand.", "It is left as it is.")


def _operate(
    request: HttpRequest, message_id: int, verb: Callable[[Message], None], logged: str, said: str
) -> HttpResponse:
    if not request.user.has_perm(OPERATE):
        raise PermissionDenied
    message = get_object_or_404(Message, pk=message_id)
    try:
        verb(message)
    except IllegalMove:
        messages.warning(request, "Nothing was done: the message has moved on by itself in the meantime.")
    else:
        journal.note(request, message, logged)
        messages.success(request, said)
    return HttpResponseRedirect(reverse(f"{admin.site.name}:messaging_message_change", args=[message_id]))
