"""Campaigns to start from: what nearly everybody wants, with the names of events as they are usual. Pure.

A starter's trees name events as its slots do; ``draft`` puts in the names that an installation has for them, and the
ids of the templates that were made along. Steps of the kind *send* name a mail by its place in ``mails``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from events.segments.starters import STARTERS as SEGMENTS
from events.segments.starters import Starter as SegmentStarter

HOUR = 3600
DAY = 24 * HOUR
BUTTON = (
    '<p><a href="https://example.com/{path}" style="display:inline-block;padding:10px 18px;border-radius:6px;'
    'background:#0b6173;color:#ffffff;text-decoration:none">{label}</a></p>\n'
)
FOOTER = (
    '<p style="font-size:12px;color:#5b6b72">You get this mail because you signed up with us. '
    '<a href="{{ unsubscribe_url }}" style="color:#5b6b72">Unsubscribe</a></p>\n'
)
GREETING = "<p>Hello{% if customer.first_name %} {{ customer.first_name }}{% endif %},</p>\n"


@dataclass(frozen=True, slots=True)
class Slot:
    """An event that a starter needs: its usual name, what it means, and what else it is often called."""

    usual: str
    means: str
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mail:
    """A template to begin with. ``html`` stands for itself, without a layout."""

    name: str
    subject: str
    preheader: str
    html: str


@dataclass(frozen=True, slots=True)
class Starter:
    """A campaign to begin with. ``segment`` is the short name of the ready-made segment it starts by, "" for none."""

    slug: str
    name: str
    description: str
    slots: tuple[Slot, ...]
    mails: tuple[Mail, ...]
    tree: Mapping[str, Any]
    segment: str = ""


def find(slug: str) -> Starter | None:
    """Return the starter of this short name."""
    return next((starter for starter in STARTERS if starter.slug == slug), None)


def segment_of(starter: Starter) -> SegmentStarter | None:
    """Return the ready-made segment that the starter begins with."""
    return next((segment for segment in SEGMENTS if segment.slug == starter.segment), None)


def draft(starter: Starter, names: Mapping[str, str], templates: Sequence[int], segment: str = "") -> dict[str, Any]:
    """Return the definition. ``names`` leads from usual names of events to this installation's.

    ``templates`` are the ids of the starter's mails in their order, ``segment`` the short name of its segment.
    """
    tree: dict[str, Any] = renamed(starter.tree, names)
    if starter.segment:
        tree["trigger"] = {**tree["trigger"], "segment": segment}
    for step in _sends(tree["steps"]):
        step["template"] = templates[step["template"]]
    return tree


def renamed(tree: Any, names: Mapping[str, str]) -> Any:
    """Return a copy of a definition or condition in which events have the names of this installation."""
    if isinstance(tree, Mapping):
        return {
            key: names.get(value, value) if key == "event" and isinstance(value, str) else renamed(value, names)
            for key, value in tree.items()
        }
    return [renamed(each, names) for each in tree] if isinstance(tree, list) else tree


def _sends(steps: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for step in steps:
        if step["kind"] == "send":
            yield step
        for path in step.get("paths", ()):
            yield from _sends(path["steps"])


def _delay(name: str, seconds: int) -> dict[str, Any]:
    return {"id": "wait", "kind": "delay", "name": name, "seconds": seconds}


def _send(name: str, mail: int = 0, step_id: str = "mail") -> dict[str, Any]:
    return {"id": step_id, "kind": "send", "name": name, "template": mail}


def _goal(event: str, days: int) -> dict[str, Any]:
    return {"event": event, "where": None, "hours": days * 24}


OFFICE_HOURS = {
    "id": "office-hours",
    "kind": "window",
    "name": "Monday to Friday, 9 to 17",
    "days": [0, 1, 2, 3, 4],
    "start": "09:00",
    "end": "17:00",
}
ENTERED = {"kind": "segment", "moved": "entered", "where": None, "max_age_hours": 24}
ADDED = Slot("Product Added", "somebody puts something into the cart", ("Added to Cart", "Add to Cart"))
ORDERED = Slot("Order Completed", "somebody buys", ("Order Placed", "Order Paid", "Purchase", "Checkout Completed"))
SIGNED_IN = Slot("Signed In", "somebody comes back to your product", ("Logged In", "Login", "Session Started"))
SIGNED_UP = Slot("Signed Up", "somebody signs up", ("Sign Up", "Registered", "Account Created", "User Created"))
USED = Slot("Project Created", "somebody does what your product is for", ("Document Created",))
PRICING = Slot("Visited Pricing Page", "somebody looks at your prices", ("Pricing Viewed", "Pricing Page Viewed"))
UPGRADED = Slot("Plan Upgraded", "somebody takes a paid plan", ("Upgraded", "Subscription Started"))
INVITED = Slot("Friend Invited", "somebody brings another", ("Invitation Sent", "Invite Sent", "User Invited"))

ABANDONED_CART = Starter(
    "abandoned-cart",
    "Abandoned cart",
    "Four hours after somebody last put something into the cart, in office hours, one reminder, unless they have "
    "bought by then; at most once in three days.",
    (ADDED, ORDERED),
    (
        Mail(
            "Abandoned cart",
            "{{ trigger.name | default: 'Your cart' }} is still waiting for you",
            "We have kept your cart as you left it.",
            GREETING + "<p>you left {{ trigger.name | default: 'something' }} in your cart. It is still there.</p>\n"
            "<p>Any question before you buy? Just answer this mail.</p>\n"
            + BUTTON.format(path="cart", label="Back to the cart")
            + FOOTER,
        ),
    ),
    {
        "trigger": {
            "event": ADDED.usual,
            "where": {"not": {"event": ORDERED.usual, "within": "1h"}},
            "max_age_hours": 4,
        },
        "reentry": {"rule": "period", "hours": 72},
        "steps": [
            {
                "id": "quiet",
                "kind": "quiet",
                "name": "Four hours without adding anything",
                "event": ADDED.usual,
                "seconds": 4 * HOUR,
                "most": DAY,
            },
            OFFICE_HOURS,
            _send("Remind of the cart"),
        ],
        "goal": _goal(ORDERED.usual, 5),
    },
)


def _inactive(days: int, subject: str, text: str) -> Starter:
    name = f"Inactive for {days} days"
    mail = Mail(name, subject, "Pick up where you left off.", GREETING + text + _come_back() + FOOTER)
    return Starter(
        f"inactive-{days}-days",
        name,
        f"When somebody has not come back for {days} days, in office hours, one mail that asks them to; who comes back "
        "gets none.",
        (SIGNED_IN,),
        (mail,),
        {
            "trigger": ENTERED,
            "reentry": {"rule": "period", "hours": max(days, 30) * 24},
            "steps": [_delay("Wait an hour", HOUR), OFFICE_HOURS, _send("Ask them back")],
            "goal": _goal(SIGNED_IN.usual, 14),
        },
        f"inactive-{days}-days",
    )


def _come_back() -> str:
    return BUTTON.format(path="", label="Come back")


INACTIVE_7 = _inactive(
    7,
    "Your week without us, {{ customer.first_name | default: 'in short' }}",
    "<p>you have not been here for a week. All is as you left it.</p>\n",
)
INACTIVE_30 = _inactive(
    30,
    "Shall we keep a place for you?",
    "<p>it has been a month. Tell us what was missing by answering this mail, or have another look.</p>\n",
)
WELCOME = Starter(
    "welcome",
    "Welcome, new this week",
    "Greets everybody who signs up, at once, and in the first week, in office hours, helps those along who have not "
    "begun within three days.",
    (SIGNED_UP, USED),
    (
        Mail(
            "Welcome on board",
            "Welcome{% if customer.first_name %}, {{ customer.first_name }}{% endif %}",
            "The best first step takes three minutes.",
            GREETING
            + "<p>good to have you with us. The best first step takes three minutes.</p>\n"
            + BUTTON.format(path="start", label="Take the first step")
            + FOOTER,
        ),
        Mail(
            "First steps",
            "A hand with the first step?",
            "What others do first.",
            GREETING
            + "<p>you signed up a few days ago and have not begun yet. Here is what others do first.</p>\n"
            + BUTTON.format(path="guide", label="Show me how")
            + FOOTER,
        ),
    ),
    {
        "trigger": {
            "event": SIGNED_UP.usual,
            "where": {"event": SIGNED_UP.usual, "count": {"is": 1}},
            "max_age_hours": 24,
        },
        "reentry": {"rule": "once"},
        "steps": [
            _send("Welcome"),
            {
                "id": "begin",
                "kind": "wait",
                "name": "Have they begun?",
                "event": USED.usual,
                "seconds": 3 * DAY,
                "paths": [
                    {"id": "begun", "name": "They have begun", "steps": []},
                    {
                        "id": "not-begun",
                        "name": "Not within three days",
                        "steps": [OFFICE_HOURS, _send("Help with the first step", 1, "help")],
                    },
                ],
            },
        ],
        "goal": _goal(USED.usual, 7),
    },
)
POWER_USERS = Starter(
    "power-users",
    "Power users",
    "When somebody has done what your product is for ten times in two weeks, in office hours, thanks and a request to "
    "bring a friend; once.",
    (USED, INVITED),
    (
        Mail(
            "Thanks to power users",
            "You are one of our busiest people",
            "Thank you, and a small request.",
            GREETING + "<p>hardly anybody does as much here as you do: thank you. Do you know somebody whom it would "
            "help as well?</p>\n" + BUTTON.format(path="invite", label="Bring a friend") + FOOTER,
        ),
    ),
    {
        "trigger": ENTERED,
        "reentry": {"rule": "once"},
        "steps": [_delay("Wait an hour", HOUR), OFFICE_HOURS, _send("Thank them")],
        "goal": _goal(INVITED.usual, 14),
    },
    "power-users",
)
PRICING_VISITED = Starter(
    "pricing-visited",
    "Looked at pricing, not upgraded",
    "An hour after a look at the prices, in office hours, a mail that answers the usual questions, unless they have "
    "upgraded; at most once in two weeks.",
    (PRICING, UPGRADED),
    (
        Mail(
            "After a look at the prices",
            "Any question about our plans?",
            "The three that are asked most.",
            GREETING + "<p>you had a look at our plans. You can try each for thirty days, change it at any time, and "
            "your data stay yours.</p>\n" + BUTTON.format(path="pricing", label="Compare the plans") + FOOTER,
        ),
    ),
    {
        "trigger": {
            "event": PRICING.usual,
            "where": {"not": {"event": UPGRADED.usual, "within": "30d"}},
            "max_age_hours": 24,
        },
        "reentry": {"rule": "period", "hours": 14 * 24},
        "steps": [_delay("Wait an hour", HOUR), OFFICE_HOURS, _send("Answer the usual questions")],
        "goal": _goal(UPGRADED.usual, 14),
    },
)
STARTERS = (ABANDONED_CART, INACTIVE_7, INACTIVE_30, WELCOME, POWER_USERS, PRICING_VISITED)
