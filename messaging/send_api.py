"""Send one message to one person by API: ``POST /api/v1/send/``. Receipts, passwords, codes.

The message is a row in the outbox like any other, so everything that holds for those holds for it: consent,
suppression, send mode, retries. Sent again with the same ``Idempotency-Key`` it is the same message.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.http import HttpResponse
from django.urls import URLPattern, re_path
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from rest_framework.request import Request

from events import identities, people
from events.api.manage.base import ManagementView, read_body, respond, token_of
from events.api.openapi import Shape
from events.api.refusal import Refusal
from events.api.shapes import OBJECT, TEXT
from events.api.shapes import fields as shape
from events.identifying import IDENTIFY
from events.ingest import in_one_go
from events.models import Profile
from messaging import checking, outbox, policy, versions
from messaging.models import Message, Priority, Purpose, Template
from messaging.names import ChannelName
from messaging.outbox import Draft

MAX_KEY = 255
FIELDS: dict[str, type] = {
    "template": str,
    "to": dict,
    "data": dict,
    "from": str,
    "replyTo": str,
    "sendAt": str,
    "idempotencyKey": str,
}
NAMES = ("userId", "email", "anonymousId")
BODY = shape(
    "template",
    "to",
    template={**TEXT, "description": "The name of a template. It goes out as it is saved now."},
    to={**OBJECT, "description": "Who gets it: `userId`, `email` or `anonymousId`. Somebody new is made of an email."},
    data={**OBJECT, "description": "What the template knows as `trigger.…` and `event.…`."},
    **{"from": {**TEXT, "description": "In place of the template's sender."}},
    replyTo=TEXT,
    sendAt={**TEXT, "description": "Not before this time (ISO 8601 with zone)."},
    idempotencyKey={**TEXT, "maxLength": MAX_KEY, "description": "As the header `Idempotency-Key`."},
)
ANSWER = shape("message_id", "status", message_id=TEXT, status=TEXT, repeated={"type": "boolean"})


class SendView(ManagementView):
    """Queue a message made from a template, and answer with its id; what becomes of it is read at deliveries.

    With an idempotency key (header or body) a call that is made again queues nothing, and answers as the first did;
    with the same key and something else in it, it is refused with 409.
    """

    area = "messages"
    shapes = {"POST": Shape(ANSWER, BODY, status=202)}

    def post(self, request: Request) -> HttpResponse:
        said = read_body(request, FIELDS)
        template = _template(said)
        key = _key(request, said)
        digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]
        if known := Message.objects.filter(key=key).first():
            return _repeated(known, digest)
        due_at = _due_at(said)
        found: list[Message] = []
        in_one_go(lambda: found.append(_queue(template, said, key, digest, due_at)))
        message = found[-1]
        if message.variables["request"] != digest:
            return _repeated(message, digest)
        return respond({"message_id": str(message.public_id), "status": message.status, "repeated": False}, 202)


@dataclass(frozen=True, slots=True)
class _Call:
    """A call that names somebody by an email alone."""

    email: str | None
    type: str = IDENTIFY
    user_id: str | None = None
    anonymous_id: str | None = None
    previous_id: str | None = None


def _queue(template: Template, said: Mapping[str, Any], key: str, digest: str, due_at: datetime) -> Message:
    with transaction.atomic():
        profile = _person(said["to"], template.channel)
        version = versions.freeze(template)
        data = said.get("data") or {}
        variables = {"trigger": data, "event": data, "request": digest}
        variables |= {
            name: said[given] for name, given in (("from_email", "from"), ("reply_to", "replyTo")) if said.get(given)
        }
        draft = Draft(
            key=key,
            profile_id=profile.pk,
            template_version_id=version.pk,
            purpose=version.purpose,
            provider_id=version.provider_id,
            variables=variables,
            is_test=profile.is_test,
            due_at=due_at,
            labels={"api": True},
            priority=Priority.URGENT if version.purpose == Purpose.TRANSACTIONAL else Priority.NORMAL,
        )
        return Message.objects.get(pk=outbox.queue([draft])[key])


def _template(said: Mapping[str, Any]) -> Template:
    """Return the template that is named, fit to be sent. Raises Refusal."""
    name = said.get("template")
    if not name:
        raise Refusal("missing_field", "template has to be the name of a template.", "template")
    template = Template.objects.select_related("layout").filter(name=name).first()
    if template is None:
        raise Refusal("not_found", f"There is no template “{name[:100]}”.", "template", 404)
    if wrong := checking.problems(versions.content_of(template)):
        raise Refusal("conflict", f"The template cannot be sent as it is: {wrong[0]}", "template", 409)
    if not said.get("to"):
        raise Refusal("missing_field", 'to has to say who gets it, such as {"email": …}.', "to")
    return template


def _key(request: Request, said: Mapping[str, Any]) -> str:
    given = request.headers.get("Idempotency-Key") or said.get("idempotencyKey") or ""
    if len(given) > MAX_KEY:
        raise Refusal("invalid_value", f"It may have {MAX_KEY} characters.", "idempotencyKey")
    made = given or f"{timezone.now().timestamp()}:{id(said)}:{hashlib.sha256(repr(said).encode()).hexdigest()}"
    # Two applications with a token each may well count their orders alike.
    return f"api:{hashlib.sha256(f'{token_of(request).pk}:{made}'.encode()).hexdigest()}"


def _repeated(known: Message, digest: str) -> HttpResponse:
    if known.variables.get("request") != digest:
        text = "This idempotency key was used for another message: use a new one for a new message."
        raise Refusal("conflict", text, "idempotencyKey", 409)
    return respond({"message_id": str(known.public_id), "status": known.status, "repeated": True}, 202)


def _due_at(said: Mapping[str, Any]) -> datetime:
    text = said.get("sendAt")
    if not text:
        return timezone.now()
    try:
        at = parse_datetime(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise Refusal("invalid_value", "sendAt has to be an ISO 8601 time with its zone.", "sendAt")
    return at.astimezone(UTC)


def _person(to: Mapping[str, Any], channel: str) -> Profile:
    """Return who is meant; an email that nobody has makes a person. Raises Refusal."""
    named = [name for name in NAMES if isinstance(to.get(name), str) and to[name].strip()]
    unknown = [name for name in to if name not in NAMES]
    if unknown or not named:
        raise Refusal("invalid_value", f"Say who by {', '.join(NAMES)}.", f"to.{unknown[0]}" if unknown else "to")
    values = {name: to[name].strip() for name in named}
    if "userId" in values:
        found = people.by_id(values["userId"])
    elif "email" in values:
        if not policy.is_address(values["email"]):
            raise Refusal("invalid_value", "This is not an email address.", "to.email")
        found = people.by_email(values["email"]) or _made(values["email"], channel)
    else:
        found = people.by_anonymous_id(values["anonymousId"])
    if found is None:
        raise Refusal("unknown_person", f"Nobody is known by this {named[0]}: identify them first.", f"to.{named[0]}")
    return found


def _made(email: str, channel: str) -> Profile | None:
    """Make a person of an email, as an identify call that names one does; only for mail, which needs no more."""
    if channel != ChannelName.EMAIL:
        return None
    known = identities.resolve([_Call(email)])[0]
    return Profile.objects.filter(pk=known[1].profile_id or 0).first() if known else None


urlpatterns: list[URLPattern] = [re_path(r"^send/?\Z", SendView.as_view(), name="send")]
