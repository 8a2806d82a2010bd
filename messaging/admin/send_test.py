"""Send a template to an address of the author's choice, written for the chosen person and event."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied, ValidationError
from django.core.validators import validate_email
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_POST

from messaging import policy, preview
from messaging.admin import editor, journal, unsaved
from messaging.errors import MessagingError
from messaging.models import Message, Provider, Template
from messaging.names import ChannelName

PERMISSION = "messaging.change_template"
# What cannot be sent to the author's own address: it appears where the person is.
TO_A_PERSON = (ChannelName.PUSH, ChannelName.IN_APP)


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
    if wrong := _wrong_address(template.channel, address):
        return wrong
    if unsaved.differs(request.POST, template):
        return "Save your changes first: a test sends the template as it is saved."
    return ""


def _wrong_address(channel: str, address: str) -> str:
    """Return what is wrong with where the test is to go; some channels need no address."""
    if channel == ChannelName.SMS:
        good = policy.is_reachable(channel, policy.plain_number(address))
        return "" if good else "Write the number the test goes to, such as +4366012345678."
    if channel != ChannelName.EMAIL:
        return ""
    try:
        validate_email(address)
    except ValidationError:
        return f"“{address}” is not an email address." if address else "Write the address the test goes to."
    return ""


def _send(request: HttpRequest, template: Template, address: str) -> Message | str:
    profile, event = editor.chosen(request, request.POST)
    if not profile.pk:
        return "There is nobody to write it for yet: let your application report a person first."
    if template.channel in TO_A_PERSON and not profile.is_test:
        return f"This would be shown to {profile}: choose a test person above, such as yourself."
    address = policy.plain_number(address) if template.channel == ChannelName.SMS else address or template.channel
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
    provider = message.provider or Provider.objects.filter(is_default=True, channel=message.channel).first()
    return provider is not None and provider.kind == Provider.Kind.MAILBOX
