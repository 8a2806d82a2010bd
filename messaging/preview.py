"""Try a template out: look at it as a certain person would see it, or send it to oneself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from django.db import transaction
from django.utils import timezone

from events import groups
from events.models import Event, Profile
from messaging import feeds, links, outbox, variables
from messaging.models import TEST_KEY, Message, Purpose, SendingLimits, Template
from messaging.rendering import Rendered, localised, render
from messaging.versions import compiled, content_of, freeze

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.contrib.auth.models import AnonymousUser

# The message a preview belongs to: none. Its links lead to a page that says so.
NOBODY = UUID(int=0)


def preview(
    template: Template,
    profile: Profile,
    event: Event | None,
    translations: Mapping[str, Mapping[str, str]] | None = None,
    language: str | None = None,
) -> Rendered:
    """Render ``template`` for a person, as if ``event`` had triggered it. Raises TemplateError, SendError for a feed.

    ``translations`` are those that are not saved yet; ``language`` "" is the template's own, None the person's.
    """
    content = compiled(content_of(template, translations))
    spoken = profile.language if language is None else language
    return _render(localised(content, spoken), profile, _known(event), template.purpose)


def _render(content: Mapping[str, Any], profile: Profile, variables_: Mapping[str, Any], purpose: str) -> Rendered:
    belongs_to = groups.of_people([profile.pk]).get(profile.pk, []) if profile.pk else []
    postal = SendingLimits.current().postal
    unsubscribe, view = links.unsubscribe_url(NOBODY), links.view_url(NOBODY)
    known = variables.build(profile, variables_, unsubscribe, belongs_to, postal, view, links.preferences_url(NOBODY))
    if names := content.get("feeds"):
        known["feeds"] = feeds.Reader(names).read(names, known)
    return render(content, known, unsubscribe_link=purpose == Purpose.MARKETING)


def of_message(message: Message) -> Rendered:
    """Render a message that has not been sent, for its person as they are now. Raises TemplateError, SendError."""
    content = localised(message.template_version.content, message.profile.language)
    return _render(content, message.profile, message.variables, message.purpose)


def send_test(
    template: Template,
    profile: Profile,
    event: Event | None,
    address: str,
    user: AbstractBaseUser | AnonymousUser | None,
) -> Message:
    """Send ``template``, written for ``profile`` and ``event``, to ``address``. Raises TemplateError.

    It is a real message in the outbox, but no part of the person's history and of no figures.
    """
    preview(template, profile, event)
    key = f"{TEST_KEY}{uuid4()}"
    with transaction.atomic():
        version = freeze(template)
        draft = outbox.Draft(
            key=key,
            profile_id=profile.pk,
            template_version_id=version.pk,
            purpose=version.purpose,
            provider_id=version.provider_id,
            variables={**_known(event), "test": {"by": str(user or "")}},
            is_test=True,
            due_at=timezone.now(),
        )
        message_id = outbox.queue([draft])[key]
        Message.objects.filter(pk=message_id).update(address=address)
    return Message.objects.select_related("provider").get(pk=message_id)


def _known(event: Event | None) -> dict[str, Any]:
    return {"trigger": event.properties if event else {}}
