"""What the browser snippet asks for and tells: in-app messages of a visitor, what became of them, and web push.

Who asks is known by the anonymous id that the browser keeps to itself, as with events: whoever could guess it could as
well send events in somebody's name. So these messages are no place for secrets.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.functional import cached_property

from events import devices, people
from events.api import body as bodies
from events.api import limits
from events.api.authentication import WriteKeyAuthentication
from events.api.cors import AnyOriginView
from events.api.refusal import Refusal
from events.devices import Described
from events.models import Profile
from messaging import feedback
from messaging.models import DeliveryEvent, Message, Provider
from messaging.names import ChannelName
from messaging.states import Status

# For how long a message waits for its person, unless its template says otherwise, and how many are shown at most.
KEEP_DAYS = 30
SHOWN = 10
LOOKED_AT = 100
# What happened, as the snippet says it, in our words.
REPORTS = {"seen": "opened", "clicked": "clicked", "dismissed": "dismissed"}
WAITING = (Status.SENT, Status.DELIVERED, Status.OPENED)
FIELDS = ("style", "image", "button", "url", "position")


class BrowserView(AnyOriginView):
    """Take a JSON object with ``writeKey`` and ``anonymousId``, from any page that the key is good for."""

    authentication_classes = [WriteKeyAuthentication]
    http_method_names = ["post", "options"]

    @cached_property
    def body(self) -> bytes:
        return bodies.received(self.request, bodies.CALL_LIMIT)

    @cached_property
    def said(self) -> dict[str, Any]:
        try:
            found = msgspec.json.decode(self.body)
        except msgspec.DecodeError as error:
            raise Refusal("invalid_json", f"The body is not JSON: {error}", "body") from error
        if not isinstance(found, dict):
            raise Refusal("invalid_value", "The body has to be an object.", "body")
        return found

    def initial(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        if request.method == "POST":
            super().initial(request, *args, **kwargs)
            assert self.caller is not None, "nobody else gets this far"
            limits.check_origin(self.caller, request.META.get("HTTP_ORIGIN"))
            limits.spend(self.caller, 1)

    def text(self, name: str) -> str:
        """Return a text that has to be there. Raises Refusal."""
        value = self.said.get(name)
        if not isinstance(value, str) or not value or "\0" in value:
            raise Refusal("missing_field" if not value else "invalid_value", f"{name} has to be a text.", name)
        return value

    def person(self) -> Profile | None:
        return people.by_anonymous_id(self.text("anonymousId"))


class InboxView(BrowserView):
    """Return the in-app messages that wait for a visitor, the newest first."""

    def post(self, request: HttpRequest) -> JsonResponse:
        person = self.person()
        return JsonResponse({"messages": waiting(person) if person else []})


class ReportView(BrowserView):
    """Note that a visitor has seen, clicked or dismissed a message. Said twice it counts once."""

    def post(self, request: HttpRequest) -> HttpResponse:
        public_id, event = self.text("messageId"), self.text("event")
        if event not in REPORTS:
            raise Refusal("invalid_value", f"event has to be one of {', '.join(REPORTS)}.", "event")
        person = self.person()
        found = Message.objects.filter(profile=person, channel=ChannelName.IN_APP) if person else Message.objects.none()
        try:
            message = found.filter(public_id=public_id).first()
        except ValidationError:
            message = None
        if message is None:
            raise Refusal("not_found", "This visitor has no such message.", "messageId", 404)
        url = str(self.said.get("url") or "")[:2000] if event == "clicked" else ""
        key = f"own:{event}:{message.public_id}"
        report = feedback.Report(
            REPORTS[event],
            key,
            timezone.now(),
            message_public_id=str(message.public_id),
            url=url,
            user_agent=request.headers.get("User-Agent", "")[:500],
        )
        feedback.record([report])
        return HttpResponse(status=204)


class PushView(BrowserView):
    """Say with which key a browser may be asked to allow push, and keep what it answers."""

    def post(self, request: HttpRequest) -> JsonResponse:
        provider = Provider.objects.filter(kind="web_push", enabled=True).order_by("-is_default", "pk").first()
        key = str(provider.settings.get("vapid_public", "")) if provider else ""
        if not key:
            raise Refusal("not_set_up", "No provider of the kind Web push is set up and checked.", "push", 404)
        subscription = self.said.get("subscription")
        if subscription is None and "subscription" not in self.said:
            return JsonResponse({"publicKey": key})
        person = self.person()
        if person is None:
            raise Refusal("not_found", "This visitor has not been reported yet.", "anonymousId", 404)
        if subscription is None:
            devices.remove(person.pk, self.text("endpoint"))
            return JsonResponse({"subscribed": False})
        endpoint, keys = _subscription(subscription)
        devices.put(person.pk, Described(endpoint, "web", timezone.now(), {"endpoint": endpoint, "keys": keys}))
        return JsonResponse({"subscribed": True})


def waiting(person: Profile) -> list[dict[str, str]]:
    """Return the messages that wait for ``person`` and are neither clicked nor dismissed nor too old."""
    now = timezone.now()
    messages = list(
        Message.objects.filter(profile=person, channel=ChannelName.IN_APP, status__in=WAITING)
        .select_related("body")
        .order_by("-pk")[:LOOKED_AT]
    )
    done = set(
        DeliveryEvent.objects.filter(message__in=messages, type__in=["dismissed", "clicked"]).values_list(
            "message_id", flat=True
        )
    )
    shown = [message for message in messages if message.pk not in done and not _is_old(message, now)]
    return [_as_shown(message) for message in shown[:SHOWN]]


def _is_old(message: Message, now: Any) -> bool:
    days = message.body.options.get("days", "") if hasattr(message, "body") else ""
    kept = timedelta(days=int(days) if days.isdecimal() else KEEP_DAYS)
    return bool(message.sent_at and now - message.sent_at > kept)


def _as_shown(message: Message) -> dict[str, str]:
    body = message.body
    options = {name: body.options[name] for name in FIELDS if body.options.get(name)}
    return {"id": str(message.public_id), "title": message.subject, "text": body.text, **options}


def _subscription(value: Any) -> tuple[str, dict[str, str]]:
    """Return address and keys of a browser's PushSubscription. Raises Refusal."""
    endpoint = value.get("endpoint") if isinstance(value, dict) else None
    keys = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(endpoint, str) or not endpoint.startswith("https://") or len(endpoint) > 2000:
        raise Refusal("invalid_value", "subscription.endpoint has to be an https address.", "subscription.endpoint")
    wanted = {name: keys.get(name) for name in ("p256dh", "auth")} if isinstance(keys, dict) else {}
    if not wanted or not all(isinstance(key, str) and key for key in wanted.values()):
        raise Refusal("invalid_value", "subscription.keys has to have p256dh and auth.", "subscription.keys")
    return endpoint, {name: str(key) for name, key in wanted.items()}


urlpatterns: list[URLPattern] = [
    path("v1/in-app/", InboxView.as_view(), name="in_app"),
    path("v1/in-app/report/", ReportView.as_view(), name="in_app_report"),
    path("v1/push/", PushView.as_view(), name="web_push"),
]
