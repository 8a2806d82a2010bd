"""Topics by API: ``/topics/``, ``/topics/{slug}/``, ``/topics/{slug}/people/`` and ``/subscriptions/{user_id}/``."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponse
from django.urls import URLPattern, re_path
from rest_framework.request import Request

from events import audit, people
from events.api.manage.base import ManagementView, before_id, limit_of, names_of, page, read_body, respond, token_of
from events.api.manage.profiles import find_profile
from events.api.openapi import CURSOR, Shape
from events.api.refusal import Refusal
from events.api.shapes import FLAG, OBJECT, TEXT, TIME, WHOLE, fields, listed, pages
from events.audit import Actor
from events.models import Profile
from messaging import claims, consent, links, permission, subscriptions
from messaging.models import Subscription, Topic, Unsubscription
from messaging.policy import TopicState
from messaging.subscriptions import Said

MAX_IDS = 1_000
STATES = {"subscribe": Subscription.State.SUBSCRIBED.value, "unsubscribe": Subscription.State.UNSUBSCRIBED.value}
CHANGES: dict[str, type] = {
    "topics": dict,
    "channel": str,
    "basis": str,
    "confirmed": bool,
    "marketing": bool,
    "tracking": bool,
}
MAX_BASIS = 1_000
# What a person gets mails about, in the words of the API.
GETS = {TopicState.OPEN: True, TopicState.LEFT: False, TopicState.NOT_JOINED: False}

TOPIC = fields(
    "slug",
    slug=TEXT,
    number=WHOLE,
    name=TEXT,
    description=TEXT,
    joining={"enum": Topic.Joining.values},
    archived=FLAG,
)
CHANNEL = {"enum": Subscription.Channel.values}
SAID = fields(
    channel=CHANNEL,
    state={"enum": Subscription.State.values},
    source={"enum": Subscription.Source.values},
    basis=TEXT,
    at=TIME,
)
SUBSCRIPTIONS = fields(
    "marketing",
    "topics",
    marketing=FLAG,
    tracking=FLAG,
    preferences_url={**TEXT, "description": "Their own page, to be shown to whoever is logged in as them."},
    topics=listed(fields("topic", topic=TEXT, gets_email=FLAG, said=listed(SAID))),
)
CONFIRMED = {**FLAG, "description": "They have confirmed it elsewhere: no mail asks them (double opt-in)."}
CHANGE = fields(
    topics=OBJECT,
    channel=CHANNEL,
    basis=TEXT,
    confirmed=CONFIRMED,
    marketing={**FLAG, "description": "false: they unsubscribe from everything; true: they come back."},
    tracking={**FLAG, "description": "false: their opens and clicks are not recorded."},
)
PEOPLE = fields(subscribe=listed(TEXT), unsubscribe=listed(TEXT), channel=CHANNEL, basis=TEXT, confirmed=CONFIRMED)
CHANGED = fields("subscribed", "unsubscribed", "unknown", subscribed=WHOLE, unsubscribed=WHOLE, unknown=listed(TEXT))


class TopicsView(ManagementView):
    """List topics, the newest first. ``number`` is what Customer.io's libraries may call it: ``topic_<number>``."""

    area = "topics"
    shapes = {"GET": Shape(pages(TOPIC), parameters=CURSOR)}

    def get(self, request: Request) -> HttpResponse:
        found = Topic.objects.filter(pk__lt=before_id(request)).order_by("-pk")
        return page(request, list(found[: limit_of(request) + 1]), _topic, lambda topic: str(topic.pk))


class TopicView(ManagementView):
    """Show a topic."""

    area = "topics"
    shapes = {"GET": Shape(TOPIC)}

    def get(self, request: Request, slug: str) -> HttpResponse:
        return respond(_topic(_find(slug)))


class PeopleView(ManagementView):
    """Subscribe people to a topic, and unsubscribe others: for one channel, or all of them unless it is named.

    People are named by user id or email, up to 1,000 in all. Whoever is not known is told in ``unknown``; counted are
    those for whom it is new. ``basis`` is what the consent rests on, in words.
    """

    area = "topics"
    shapes = {"POST": Shape(CHANGED, PEOPLE)}

    def post(self, request: Request, slug: str) -> HttpResponse:
        topic = _find(slug)
        said = read_body(request, {**dict.fromkeys(STATES, list), "channel": str, "basis": str, "confirmed": bool})
        wanted = {verb: names_of(said, verb) for verb in STATES}
        if sum(len(ids) for ids in wanted.values()) > MAX_IDS:
            raise Refusal("too_large", f"At most {MAX_IDS:,} people can be named at once.", "subscribe")
        found = people.by_many({name for ids in wanted.values() for name in ids})
        channel, basis = _channel(said), _basis(said)
        counts = {}
        for verb, state in STATES.items():
            ids = {found[name].pk for name in wanted[verb] if name in found}
            source = Subscription.Source.API.value
            counts[state] = subscriptions.note(
                Said(pk, topic.pk, state, source, channel, basis, said.get("confirmed") or False) for pk in ids
            )
        audit.note(Actor.of_token(token_of(request)), "subscriptions", topic=topic.slug, number=len(found))
        unknown = [name for ids in wanted.values() for name in ids if name not in found]
        return respond({**counts, "unknown": unknown})


class SubscriptionsView(ManagementView):
    """Show what a person has said of each topic, or note what they say: ``{"topics": {"newsletter": "subscribed"}}``.

    ``gets_email`` is whether mails about the topic go out to them, ``marketing`` whether any marketing does. Under
    ``said`` stands what counts, the newest first.
    """

    area = "topics"
    shapes = {"GET": Shape(SUBSCRIPTIONS), "POST": Shape(SUBSCRIPTIONS, CHANGE)}

    def get(self, request: Request, user_id: str) -> HttpResponse:
        return respond(_of_person(find_profile(user_id)))

    def post(self, request: Request, user_id: str) -> HttpResponse:
        profile = find_profile(user_id)
        said = read_body(request, CHANGES)
        wanted = said.get("topics") or {}
        known = dict(Topic.objects.filter(slug__in=wanted).values_list("slug", "pk"))
        channel, basis = _channel(said), _basis(said)
        for slug, state in wanted.items():
            if slug not in known:
                raise Refusal("invalid_value", "There is no such topic.", f"topics.{slug}")
            if state not in Subscription.State.values:
                states = " or ".join(Subscription.State.values)
                raise Refusal("invalid_value", f"It has to be {states}.", f"topics.{slug}")
        source = Subscription.Source.API.value
        confirmed = said.get("confirmed") or False
        consent.choose(
            profile.pk,
            [Said(profile.pk, known[slug], state, source, channel, basis, confirmed) for slug, state in wanted.items()],
        )
        _say_of_everything(profile, said)
        claims.let_finish(profile.pk)
        audit.note(Actor.of_token(token_of(request)), "subscriptions", profile.pk, topics=sorted(wanted))
        return respond(_of_person(profile))


def _say_of_everything(profile: Profile, said: dict[str, Any]) -> None:
    """Do what is said of marketing as a whole, and of tracking."""
    if said.get("marketing") is False:
        consent.unsubscribe(profile.pk, "api")
    elif said.get("marketing"):
        consent.resubscribe(profile.pk)
    if said.get("tracking") is not None:
        permission.track(profile.pk, said["tracking"], Subscription.Source.API.value)


def _channel(said: dict[str, Any]) -> str:
    channel: str = said.get("channel") or subscriptions.ALL
    if channel not in Subscription.Channel.values:
        raise Refusal("invalid_value", f"Known are {', '.join(Subscription.Channel.values)}.", "channel")
    return channel


def _basis(said: dict[str, Any]) -> str:
    basis: str = said.get("basis") or ""
    if len(basis) > MAX_BASIS:
        raise Refusal("too_large", f"At most {MAX_BASIS:,} characters can be kept.", "basis")
    return basis


def _find(slug: str) -> Topic:
    topic = Topic.objects.filter(slug=slug).first()
    if topic is None:
        raise Http404("There is no such topic.")
    return topic


def _topic(topic: Topic) -> dict[str, object]:
    return {
        "slug": topic.slug,
        "number": topic.pk,
        "name": topic.name,
        "description": topic.description,
        "joining": topic.joining,
        "archived": topic.archived,
    }


def _of_person(profile: Profile) -> dict[str, object]:
    topics = list(Topic.objects.all())
    counting = subscriptions.newest(profile.pk, topics)
    states = subscriptions.states([(profile.pk, topic.pk, "email") for topic in topics])
    return {
        "marketing": not Unsubscription.objects.filter(pk=profile.pk).exists(),
        "tracking": not permission.untracked([profile.pk]),
        "preferences_url": links.preferences_of(profile.pk),
        "topics": [
            {
                "topic": topic.slug,
                "gets_email": GETS[states[profile.pk, topic.pk, "email"]],
                "said": [_said(one) for one in counting[topic.pk]],
            }
            for topic in topics
        ],
    }


def _said(one: Subscription) -> dict[str, object]:
    return {"channel": one.channel, "state": one.state, "source": one.source, "basis": one.basis, "at": one.at}


SLUG = r"topics/(?P<slug>[-a-zA-Z0-9_]{1,60})"
urlpatterns: list[URLPattern] = [
    re_path(r"^topics/?\Z", TopicsView.as_view(), name="manage-topics"),
    re_path(rf"^{SLUG}/?\Z", TopicView.as_view(), name="manage-topic"),
    re_path(rf"^{SLUG}/people/?\Z", PeopleView.as_view(), name="manage-topic-people"),
    re_path(r"^subscriptions/(?P<user_id>(?s:.+?))/?\Z", SubscriptionsView.as_view(), name="manage-subscriptions"),
]
