"""Consent in conditions: ``{"topic": "newsletter", "is": "subscribed"}`` and ``{"subscribed": false}``.

Of topics everything that was said is kept, so that the past can be asked about as well as today. Of marketing as a
whole it is known since when somebody is gone, and not of who came back when they had been away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery, TextField, Value
from django.db.models.functions import Coalesce, JSONObject
from django.db.models.lookups import Exact

from events.audience.scope import Scope
from events.audience.seeing import Found, Look
from events.conditions import seen
from events.conditions.kinds import Field, Form, Kind
from events.conditions.reading import storable
from messaging.models import Subscription, Topic, Unsubscription
from messaging.subscriptions import ALL as EVERY_CHANNEL
from messaging.subscriptions import EVENTS

NEVER_ASKED = "never_asked"
# Each state with how it is said.
STATES = {
    Subscription.State.SUBSCRIBED.value: "has subscribed to",
    Subscription.State.UNSUBSCRIBED.value: "has unsubscribed from",
    Subscription.State.PENDING.value: "has asked, without confirming it, for",
    NEVER_ASKED: "has never said anything about",
}
GLOBAL_EVENTS = frozenset({"Email Unsubscribed", "Email Resubscribed"})
METHODS = dict(Unsubscription._meta.get_field("method").flatchoices)
SOURCES = dict(Subscription.Source.choices)
CHANNELS = dict(Subscription.Channel.choices)
CHANNEL_NAMES = tuple(channel for channel in CHANNELS if channel != EVERY_CHANNEL)


@dataclass(frozen=True, slots=True)
class OfTopic:
    """What is asked of a topic. ``channel`` "" is whichever something was said of last."""

    slug: str
    state: str
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """A kind of question: how it is read, asked, said, and what is shown beside it."""

    kind: Kind
    ask: Callable[[Any, Scope], Q]
    say: Callable[[Any], str]
    look: Callable[[Any, Scope], Look]


# --- Topics ------------------------------------------------------------------------------------------------------


def _read_topic(tree: Mapping[str, Any]) -> OfTopic:
    slug, state, channel = tree["topic"], tree.get("is"), tree.get("channel")
    if not isinstance(slug, str) or not slug.strip() or not storable(slug):
        raise ValueError("must be the short name of a topic, such as newsletter")
    if not isinstance(state, str) or state not in STATES:
        raise ValueError(f"must be one of {', '.join(STATES)}", "is")
    if channel is not None and channel not in CHANNEL_NAMES:
        raise ValueError(f"must be one of {', '.join(CHANNEL_NAMES)}", "channel")
    return OfTopic(slug, state, channel or "")


def _said(question: OfTopic, scope: Scope) -> QuerySet[Subscription]:
    """Return what the person had said of the topic by the moment asked about, the newest first."""
    said = Subscription.objects.filter(
        profile_id=OuterRef(scope.profile_id), topic__slug=question.slug, at__lte=scope.inner().arrival
    )
    if question.channel:
        said = said.filter(channel__in=[EVERY_CHANNEL, question.channel])
    return said.order_by("-pk")


def _ask_topic(question: OfTopic, scope: Scope) -> Q:
    if question.state == NEVER_ASKED:
        return ~Q(Exists(_said(question, scope)))
    newest = Subquery(_said(question, scope).values("state")[:1], output_field=TextField())
    never = Value(NEVER_ASKED, TextField())
    return Q(Exact(Coalesce(newest, never), Value(question.state, TextField())))


def _say_topic(question: OfTopic) -> str:
    where = f" for {CHANNELS[question.channel]}" if question.channel else ""
    return f"{STATES[question.state]} the topic {question.slug}{where.replace('Email', 'email')}"


def _look_topic(question: OfTopic, scope: Scope) -> Look:
    """Show what the person said last."""
    said = JSONObject(state="state", channel="channel", source="source", at="at")
    newest = _said(question, scope).values(newest=said)
    expressions = {
        "newest": Subquery(newest[:1]),
        "joining": Subquery(Topic.objects.filter(slug=question.slug).values("joining")[:1]),
    }
    return Look(expressions, _seen_topic)


def _seen_topic(found: Found) -> str:
    newest, joining = found.values["newest"], found.values["joining"]
    if joining is None:
        return "no such topic"
    if newest is None:
        gets = "gets it all the same" if joining == Topic.Joining.OPT_OUT else "does not get it"
        return f"has never said anything; {gets}"
    when = seen.distance(datetime.fromisoformat(newest["at"]), found.now)
    where = "" if newest["channel"] == EVERY_CHANNEL else f" for {CHANNELS[newest['channel']]}"
    source = SOURCES.get(newest["source"], newest["source"])
    return f"{newest['state']}{where} {when} ({source[0].lower()}{source[1:]})"


def topics() -> Iterator[tuple[str, str]]:
    """Yield the short name and the name of every topic."""
    yield from Topic.objects.values_list("slug", "name")


TOPIC = Kind(
    "topic",
    frozenset({"is", "channel"}),
    _read_topic,
    frozenset(EVENTS.values()),
    Form(
        "Topic",
        (
            Field("is", "the person", "choice", required=True, choices=tuple(STATES.items())),
            Field("topic", "the topic", "name", required=True, names=topics),
            Field("channel", "for the channel", "choice", choices=tuple((key, CHANNELS[key]) for key in CHANNEL_NAMES)),
        ),
    ),
)

# --- Marketing as a whole ----------------------------------------------------------------------------------------


def _read_global(tree: Mapping[str, Any]) -> bool:
    if not isinstance(tree["subscribed"], bool):
        raise ValueError("must be true or false")
    return tree["subscribed"]


def _gone(scope: Scope) -> QuerySet[Unsubscription]:
    return Unsubscription.objects.filter(
        profile_id=OuterRef(scope.profile_id), created_at__lte=scope.inner().arrival
    ).order_by()


def _ask_global(subscribed: bool, scope: Scope) -> Q:
    gone = Q(Exists(_gone(scope)))
    return ~gone if subscribed else gone


def _say_global(subscribed: bool) -> str:
    return "has not unsubscribed from marketing" if subscribed else "has unsubscribed from marketing"


def _look_global(subscribed: bool, scope: Scope) -> Look:
    gone = _gone(scope).values(gone=JSONObject(at="created_at", method="method"))
    return Look({"gone": Subquery(gone[:1])}, _seen_global)


def _seen_global(found: Found) -> str:
    gone = found.values["gone"]
    if gone is None:
        return "has not unsubscribed"
    method = METHODS.get(gone["method"], gone["method"])
    return f"unsubscribed {seen.distance(datetime.fromisoformat(gone['at']), found.now)} ({method})"


MARKETING = Kind(
    "subscribed",
    frozenset(),
    _read_global,
    GLOBAL_EVENTS,
    Form("Marketing", (Field("subscribed", "may be sent marketing", "flag", required=True),)),
)

ALL = (
    Question(TOPIC, _ask_topic, _say_topic, _look_topic),
    Question(MARKETING, _ask_global, _say_global, _look_global),
)
