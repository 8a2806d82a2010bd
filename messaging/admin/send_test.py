"""Send a template to an address of the author's choice, written for the chosen person and event."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied, ValidationError
from django.core.validators import validate_email
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_POST

from messaging import preview
from messaging.admin import editor, journal, unsaved
from messaging.errors import MessagingError
from messaging.models import Message, Provider, Template

PERMISSION = "messaging.change_template"


@require_POST
def send_test(request: HttpRequest, template_id: int) -> HttpResponse:
    """Send the saved template; says so when the form beside it holds something else."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    template = get_object_or_404(Template.objects.select_related("layout", "provider"), pk=template_id)
    address = request.POST.get("address", "").strip()
    error = _refusal(request, template, address)
    message = None if error else _send(request, template, address)
    if isinstance(message, str):
        error, message = message, None
    context = {"error": error, "message": message, "address": address, "in_mailbox": _in_mailbox(message)}
    return render(request, "admin/messaging/editor/tested.html", context)


def _refusal(request: HttpRequest, template: Template, address: str) -> str:
    """Return why nothing can be sent now, "" when it can."""
    try:
        validate_email(address)
    except ValidationError:
        return f"“{address}” is not an email address." if address else "Write the address the test goes to."
    if unsaved.differs(request.POST, template):
        return "Save your changes first: a test sends the template as it is saved."
    return ""


def _send(request: HttpRequest, template: Template, address: str) -> Message | str:
    profile, event = editor.chosen(request, request.POST)
    if not profile.pk:
        return "There is nobody to write it for yet: let your application report a person first."
    try:
        message = preview.send_test(template, profile, event, address, request.user)
    except MessagingError as error:
        return str(error)
    journal.note(request, template, f"Sent a test to {address}.")
    return message


def _in_mailbox(message: Message | None) -> bool:
    """Return whether the built-in mailbox will take ``message``; without a provider it goes to the default one."""
    if message is None:
        return False
    provider = message.provider or Provider.objects.filter(is_default=True).first()
    return provider is not None and provider.kind == Provider.Kind.MAILBOX
