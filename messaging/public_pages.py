"""The pages on which recipients say what they want: unsubscribe, preferences, the confirmation of a subscription.

Nobody is logged in here, so no cookie and no CSRF token is asked for: who holds the link may use it. Looking never
changes anything: programs that check mail follow every link in it. No page needs a script.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation.trans_real import parse_accept_lang_header
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from events import present
from events.models import Device, Profile
from messaging import claims, consent, links, optin, permission, subscriptions
from messaging.models import (
    Consent,
    Message,
    MessageBody,
    Provider,
    PublicPages,
    Subscription,
    Topic,
    TrackingRefusal,
    Unsubscription,
)
from messaging.names import ChannelName
from messaging.permission import Given
from messaging.policy import TopicState
from messaging.preview import NOBODY
from messaging.public_words import in_language, topic_words
from messaging.subscriptions import Said

PAGE = Subscription.Source.PAGE.value
State = Subscription.State
BLUE = "#1f4fd1"
CHANNELS = (ChannelName.EMAIL, ChannelName.SMS, ChannelName.PUSH, ChannelName.IN_APP)


# --- Unsubscribe -----------------------------------------------------------------------------------------------------


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Show the page; a POST unsubscribes, or lets in again. RFC 8058: a mail program's POST needs no page."""
    public_id = links.read(links.UNSUBSCRIBE, token)
    if public_id == NOBODY:
        return page(request, "preview")
    message = _message(public_id) if public_id else None
    if message is None:
        return page(request, "unknown", status=404)
    if message.is_aside:
        return HttpResponse() if _is_one_click(request) else page(request, "preview")
    if request.method == "POST":
        return _leave(request, message)
    topic = message.template_version.topic
    state = _state(message, topic)
    words = topic_words(topic, message.profile.language)[0] if topic else ""
    context = {
        "address": mask(message.address),
        "topic": words,
        "preferences_url": links.preferences_url(message.public_id),
        "sender": _sender(message),
    }
    return page(request, state, message.profile, context)


def _state(message: Message, topic: Topic | None) -> str:
    """Return what the page is about: ask, or say that the person is gone, or has left the topic."""
    if Unsubscription.objects.filter(profile=message.profile_id).exists():
        return "gone"
    if topic is None:
        return "ask"
    asked = (message.profile_id, topic.pk, message.channel)
    return "left" if subscriptions.states([asked])[asked] is TopicState.LEFT else "ask"


def _leave(request: HttpRequest, message: Message) -> HttpResponse:
    if _is_one_click(request):
        consent.unsubscribe(message.profile_id, "one_click", message)
        claims.let_finish(message.profile_id)
        return HttpResponse("You are unsubscribed.", content_type="text/plain")
    topic, wish = message.template_version.topic_id, request.POST.get("do")
    if wish == "resubscribe":
        consent.resubscribe(message.profile_id)
    elif wish in ("leave_topic", "rejoin_topic") and topic:
        state = State.UNSUBSCRIBED if wish == "leave_topic" else State.SUBSCRIBED
        said = Said(message.profile_id, topic, state.value, PAGE, confirmed=_proves_address(message))
        consent.choose(message.profile_id, [said])
    else:
        consent.unsubscribe(message.profile_id, "page", message)
    claims.let_finish(message.profile_id)
    return _see_other(request)


def _is_one_click(request: HttpRequest) -> bool:
    return request.method == "POST" and request.POST.get("List-Unsubscribe") == "One-Click"


# --- Preferences -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Box:
    """What a person gets of a topic on a channel, as a box to tick. ``waits``: for their confirmation."""

    name: str
    label: str
    ticked: bool
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A topic with its boxes, one for each channel that is in use."""

    topic: Topic
    name: str
    description: str
    boxes: Sequence[Box]


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def preferences(request: HttpRequest, token: str) -> HttpResponse:
    """Show which topics the person gets on which channels; a POST changes that."""
    found = links.read_preferences(token)
    if found == NOBODY:
        return page(request, "preview")
    message = _message(found) if found and not isinstance(found, int) else None
    profile = message.profile if message else Profile.objects.filter(pk=found if isinstance(found, int) else 0).first()
    if profile is None:
        return page(request, "unknown", status=404)
    if message is not None and message.is_aside:
        return page(request, "preview")
    channels = _channels(profile)
    if request.method == "POST":
        _choose(request, profile, channels, is_proven=message is not None and _proves_address(message))
        claims.let_finish(profile.pk)
        return _see_other(request, "?saved")
    context = {
        "address": mask(message.address if message else profile.email),
        "rows": _rows(profile, channels),
        "channels": channels,
        "is_gone": Unsubscription.objects.filter(pk=profile.pk).exists(),
        "is_untracked": TrackingRefusal.objects.filter(pk=profile.pk).exists(),
        "is_saved": "saved" in request.GET,
        "sender": _sender(message) if message else "",
    }
    return page(request, "preferences", profile, context)


def _channels(profile: Profile) -> list[str]:
    """Return the channels that are in use and reach the person."""
    used = set(Provider.objects.filter(enabled=True).values_list("channel", flat=True))
    reaches = {
        ChannelName.EMAIL: bool(profile.email),
        ChannelName.SMS: bool(profile.phone),
        ChannelName.PUSH: ChannelName.PUSH in used and Device.objects.filter(profile=profile).exists(),
        ChannelName.IN_APP: True,
    }
    return [channel.value for channel in CHANNELS if channel in used and reaches[channel]] or [ChannelName.EMAIL.value]


def _rows(profile: Profile, channels: Sequence[str]) -> list[Row]:
    words = in_language(profile.language)
    topics = list(Topic.objects.filter(archived=False).prefetch_related("translations"))
    states = subscriptions.states([(profile.pk, topic.pk, channel) for topic in topics for channel in channels])
    asked = _asked(profile, topics)
    rows = []
    for topic in topics:
        name, description = topic_words(topic, profile.language)
        boxes = [
            Box(
                f"t{topic.pk}-{channel}",
                words[f"channel_{channel}"],
                states[profile.pk, topic.pk, channel] is TopicState.OPEN,
                bool(asked[topic.pk] & {channel, subscriptions.ALL})
                and states[profile.pk, topic.pk, channel] is not TopicState.OPEN,
            )
            for channel in channels
        ]
        rows.append(Row(topic, name, description, boxes))
    return rows


def _asked(profile: Profile, topics: Sequence[Topic]) -> dict[int, set[str]]:
    """Return by topic on which channels the person has asked for it and not confirmed it yet."""
    said = subscriptions.newest(profile.pk, topics)
    return {pk: {one.channel for one in rows if one.state == State.PENDING} for pk, rows in said.items()}


def _choose(request: HttpRequest, profile: Profile, channels: Sequence[str], *, is_proven: bool) -> None:
    """Do what the person wants. ``is_proven``: they came by a mail to their address, so nothing is to be confirmed."""
    wish = request.POST.get("do")
    if wish == "leave":
        consent.unsubscribe(profile.pk, "page")
        return
    if wish == "resubscribe":
        consent.resubscribe(profile.pk)
        return
    permission.track(profile.pk, "untracked" not in request.POST, PAGE)
    said = [one for row in _rows(profile, channels) for one in _said(row, request.POST, profile.pk, is_proven)]
    consent.choose(profile.pk, said)
    _note_consent(profile, said, is_proven=is_proven)


def _note_consent(profile: Profile, said: Sequence[Said], *, is_proven: bool) -> None:
    """Put on record that the person wants what they have ticked; what they are to confirm first is not yet."""
    joined = {one.topic_id: one.channel for one in said if one.state == State.SUBSCRIBED}
    topics = Topic.objects.filter(pk__in=joined).order_by("name")
    if not is_proven:
        topics = topics.exclude(joining=Topic.Joining.CONFIRMED)
    basis = Consent.Basis.CONFIRMED if is_proven else Consent.Basis.EXPRESS
    permission.note(
        Given(profile.pk, basis, PAGE, joined[topic.pk], f"Ticked on the preference page: {topic}") for topic in topics
    )


def _said(row: Row, posted: Mapping[str, Any], profile_id: int, is_proven: bool) -> list[Said]:
    """Return what has changed about a topic: in one word where all its channels are alike."""
    wanted = [box.name in posted for box in row.boxes]
    if all(box.ticked == wants for box, wants in zip(row.boxes, wanted, strict=True)):
        return []
    alike = len(set(wanted)) == 1
    return [
        Said(
            profile_id,
            row.topic.pk,
            (State.SUBSCRIBED if wants else State.UNSUBSCRIBED).value,
            PAGE,
            subscriptions.ALL if alike else box.name.partition("-")[2],
            confirmed=is_proven,
        )
        for box, wants in list(zip(row.boxes, wanted, strict=True))[: 1 if alike else None]
        if alike or box.ticked != wants
    ]


# --- Double opt-in ---------------------------------------------------------------------------------------------------


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """Ask whether somebody wants to subscribe; only the button on the page does it."""
    subscription_id = links.read_confirm(token)
    if subscription_id is None:
        return page(request, "unknown", status=404)
    if subscription_id == 0:
        return page(request, "preview")
    if request.method == "POST":
        consent.confirm(subscription_id)
        return _see_other(request)
    asked = optin.waiting(subscription_id, present.now())
    found = asked or _confirmed(subscription_id)
    if found is None:
        return page(request, "over", status=410)
    context = {
        "address": mask(found.profile.email),
        "topic": topic_words(found.topic, found.profile.language)[0],
        "was_gone": Unsubscription.objects.filter(profile=found.profile_id).exists(),
    }
    return page(request, "confirm" if asked else "confirmed", found.profile, context)


def _confirmed(subscription_id: int) -> Subscription | None:
    """Return what was asked for, if the person is subscribed to it now."""
    found = Subscription.objects.select_related("profile", "topic").filter(pk=subscription_id).first()
    if found is None:
        return None
    asked = (found.profile_id, found.topic_id, found.channel)
    newest = Subscription.objects.filter(profile=found.profile_id, topic=found.topic_id).order_by("-pk").first()
    is_open = subscriptions.states([asked])[asked] is TopicState.OPEN
    return found if is_open and newest is not None and newest.pk != found.pk else None


# --- What they share -------------------------------------------------------------------------------------------------


def page(
    request: HttpRequest,
    state: str,
    profile: Profile | None = None,
    context: Mapping[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    """Render a page in its reader's language, as the workspace wants its pages to look."""
    accepted = [
        language for language, _ in parse_accept_lang_header(request.headers.get("Accept-Language", "").lower())
    ]
    language = in_language.chosen(*([profile.language] if profile else []), *accepted)
    words, look, known = in_language(language), PublicPages.current(), dict(context or {})
    filled = {
        name: text.format_map(_Shown(known)) if "{" in text else text
        for name, text in words.items()
        if not name.startswith("mail_")
    }
    known |= {
        "state": state,
        "language": language,
        "words": filled,
        "look": look,
        "colour": look.colour or BLUE,
        "on_colour": on(look.colour or BLUE),
        "sender": look.sender or known.get("sender", ""),
    }
    template = "messaging/preferences.html" if state == "preferences" else "messaging/answer.html"
    response = render(request, template, known, status=status)
    response["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'unsafe-inline'; img-src {_origin(look.logo_url)}; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
    return response


class _Shown(dict[str, Any]):
    """What a text can name; what is not known is left out."""

    def __missing__(self, name: str) -> str:
        return ""


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else "'none'"


def on(colour: str) -> str:
    """Return black or white, whichever is read better on ``colour`` (WCAG 2, relative luminance).

    >>> on("#1f4fd1"), on("#ffd400")
    ('#ffffff', '#000000')
    """
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    light = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000000" if light > 0.179 else "#ffffff"


def mask(address: str) -> str:
    """Return an address as its owner recognises it and nobody else learns it: a•••@example.com."""
    name, at, domain = address.rpartition("@")
    return f"{name[:1]}•••{at}{domain}" if at else ""


def _message(public_id: Any) -> Message | None:
    related = ("profile", "template_version__topic")
    found: Message | None = Message.objects.select_related(*related).filter(public_id=public_id).first()
    return found


def _proves_address(message: Message) -> bool:
    """Return whether who holds the link reads the person's mail: it was sent to the address they have now."""
    return message.channel == ChannelName.EMAIL and message.address.lower() == message.profile.email.strip().lower()


def _sender(message: Message) -> str:
    body = MessageBody.objects.only("from_email").filter(pk=message.pk).first()
    name, address = parseaddr(body.from_email) if body else ("", "")
    return name or address.rpartition("@")[2]


def _see_other(request: HttpRequest, query: str = "") -> HttpResponse:
    # 303: a reload of what comes next does not post again.
    return HttpResponse(status=303, headers={"Location": request.path + query})
