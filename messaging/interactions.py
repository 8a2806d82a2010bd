"""``{"message": "opened", "campaign": "welcome"}`` in conditions: what became of messages, read as events of the log.

The events carry what the message was called (``Message.labels``), so that a question about a campaign asks for those
with its name and goes along with a person who is merged. Messages from before they were labelled meet no such name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from events.conditions import ConditionError, Node, parse, words
from events.conditions.kinds import Field, Form, Kind
from messaging import names
from messaging.models import Template
from messaging.names import ChannelName

# What happened: how it is said that somebody did it and that they did not, with a noun for the message.
DEEDS = {
    "sent": ("got {}", "get {}"),
    "delivered": ("had {} delivered", "have {} delivered"),
    "opened": ("opened {}", "open {}"),
    "clicked": ("clicked in {}", "click in {}"),
    "bounced": ("had {} bounce", "have {} bounce"),
    "rejected": ("had {} rejected", "have {} rejected"),
    "complained": ("reported {} as spam", "report {} as spam"),
    "unsubscribed": ("unsubscribed", "unsubscribe"),
    "skipped": ("had {} held back", "have {} held back"),
    "failed": ("had {} fail", "have {} fail"),
    "dismissed": ("dismissed {}", "dismiss {}"),
    "machine_opened": ("had {} opened by a program", "have {} opened by a program"),
    "machine_clicked": ("had links of {} followed by a program", "have links of {} followed by a program"),
}
NOUNS = {
    ChannelName.EMAIL: "an email",
    ChannelName.SMS: "a text message",
    ChannelName.PUSH: "a push message",
    ChannelName.IN_APP: "an in-app message",
    ChannelName.WEBHOOK: "a webhook call",
    ChannelName.CHAT: "a chat message",
}
# Two words for one thing: marketers say that somebody has received a campaign.
SAME = {"received": "sent"}
# How a property of these events is said.
PHRASES = {
    ("campaign", "is"): "of the campaign {}",
    ("step", "is"): "sent by the step {}",
    ("template", "is"): "made from the template {}",
    ("url", "contains"): "with a link that contains {}",
}
LABELS = ("campaign", "step", "template")
PASSED_ON = ("within", "since", "count", "first", "last", "then_not")

Names = Callable[[], Iterable[tuple[str, str]]]
_campaigns: list[Names] = []


def offer_campaigns(names: Names) -> None:
    """Let ``names`` say which campaigns there are, as values with labels: this room knows none."""
    _campaigns[:] = [names]


def teach() -> None:
    """Let conditions say the events about messages in words."""
    for channel, noun in NOUNS.items():
        for deed, (past, plain) in DEEDS.items():
            words.teach_deed(names.event(channel, deed), past.format(noun), plain.format(noun), PHRASES)


def own_events() -> list[str]:
    """Return the names of all events about messages."""
    return [names.event(channel, deed) for channel in NOUNS for deed in DEEDS]


def _read(tree: Mapping[str, Any]) -> Node:
    said = tree["message"]
    deed = SAME.get(said, said) if isinstance(said, str) else ""
    if deed not in DEEDS:
        raise ValueError(f"must be one of {', '.join((*DEEDS, *SAME))}")
    channel = tree.get("channel", ChannelName.EMAIL)
    if channel not in NOUNS:
        raise ValueError(f"must be one of {', '.join(NOUNS)}", "channel")
    wanted = [_label(key, tree[key]) for key in LABELS if key in tree]
    if "link" in tree:
        wanted.append(_link(deed, tree["link"]))
    rest = {key: tree[key] for key in PASSED_ON if key in tree}
    where = {"where": {"all": wanted}} if wanted else {}
    return parse({"event": names.event(channel, deed), **where, **rest})


def _label(key: str, value: object) -> dict[str, object]:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"must be the name of a {key}", key)
    return _checked({"property": key, "is": value}, key)


def _link(deed: str, value: object) -> dict[str, object]:
    if deed != "clicked":
        raise ValueError("can only be asked of messages that were clicked", "link")
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be part of the link's address, such as /pricing", "link")
    return _checked({"property": "url", "contains": value}, "link")


def _checked(tree: dict[str, object], key: str) -> dict[str, object]:
    try:
        parse(tree)
    except ConditionError as error:
        raise ValueError(error.message, key) from None
    return tree


def _template_names() -> Iterator[tuple[str, str]]:
    for name in Template.objects.order_by("name").values_list("name", flat=True):
        yield name, name


def _campaign_names() -> Iterator[tuple[str, str]]:
    for every in _campaigns:
        yield from every()


CHOICES = tuple((deed, past.format("a message")) for deed, (past, _) in DEEDS.items())
FORM = Form(
    "Message",
    (
        Field("message", "what happened", "choice", required=True, choices=CHOICES),
        Field("channel", "on the channel", "choice", choices=tuple(ChannelName.choices())),
        Field("campaign", "of the campaign", "name", names=_campaign_names),
        Field("template", "made from the template", "name", names=_template_names),
        Field("link", "with a link that contains", "text", only=("message", ("clicked",))),
        Field("within", "in the last", "span"),
        Field("since", "since", "moment"),
        Field("count", "how often", "count"),
    ),
)
KIND = Kind("message", frozenset({*LABELS, "channel", "link", *PASSED_ON}), _read, form=FORM)
