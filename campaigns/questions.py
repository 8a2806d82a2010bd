"""``{"journey": "welcome", "is": "in"}`` in conditions: what became of somebody in a campaign, at the moment asked.

With ``within`` or ``since`` the question is one about the events that the log tells of journeys: what of them happened
in that time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import JSONObject

from campaigns import news
from campaigns.models import Campaign, Journey
from campaigns.reasons import Ending
from events.audience.scope import Scope
from events.audience.seeing import Found, Look
from events.conditions import ConditionError, Node, parse, seen, words
from events.conditions.kinds import Field, Form, Kind

# Each state with how it is said.
STATES = {
    "in": "is in",
    "been_in": "has been in",
    "completed": "went through every step of",
    "converted": "reached the goal of",
}
# What tells when that came to be. To be in a campaign is a state of now.
TOLD: dict[str, tuple[str, dict[str, str]]] = {
    "been_in": (news.STARTED, {}),
    "completed": (news.ENDED, {"ending": Ending.COMPLETED}),
    "converted": (news.REACHED, {}),
}
# How it is said of somebody that such an event came, and that none did.
DEEDS = {
    news.STARTED: ("began a campaign", "begin a campaign"),
    news.ENDED: ("left a campaign", "leave a campaign"),
    news.REACHED: ("reached the goal of a campaign", "reach the goal of a campaign"),
}
WINDOW = ("within", "since")
Question = tuple[str, str]


def names() -> Iterator[tuple[str, str]]:
    """Yield the short name and the name of every campaign."""
    yield from Campaign.objects.order_by("name").values_list("slug", "name")


def teach() -> None:
    """Let conditions say the events about journeys in words."""
    for event, (past, plain) in DEEDS.items():
        words.teach_deed(event, past, plain, {("campaign", "is"): "called {}"})


def _read(tree: Mapping[str, Any]) -> Question | Node:
    slug, state = tree["journey"], tree.get("is")
    if not isinstance(slug, str) or not slug.strip() or "\x00" in slug:
        raise ValueError("must be the short name of a campaign, such as welcome")
    if not isinstance(state, str) or state not in STATES:
        raise ValueError(f"must be one of {', '.join(STATES)}", "is")
    window = {key: tree[key] for key in WINDOW if key in tree}
    return _lately(slug, state, window) if window else (slug, state)


def _lately(slug: str, state: str, window: Mapping[str, Any]) -> Node:
    """Return the question about the event that tells of it, in the time that ``window`` says."""
    if state not in TOLD:
        raise ValueError(f"must be one of {', '.join(TOLD)} where a time is given", "is")
    event, properties = TOLD[state]
    where = [{"property": key, "is": value} for key, value in ({"campaign": slug} | properties).items()]
    try:
        return parse({"event": event, "where": {"all": where}, **window})
    except ConditionError as error:
        raise ValueError(error.message, error.path) from None


def ask(question: Question, scope: Scope) -> Q:
    """Return whether the person has such a journey. Who was merged takes theirs along."""
    slug, state = question
    at = scope.inner().arrival
    journeys = _journeys(slug, scope)
    match state:
        case "in":
            journeys = journeys.filter(Q(ended_at=None) | Q(ended_at__gt=at))
        case "completed":
            journeys = journeys.filter(ending=Ending.COMPLETED, ended_at__lte=at)
        case "converted":
            journeys = journeys.filter(converted_at__lte=at)
    return Q(Exists(journeys))


def _journeys(slug: str, scope: Scope) -> QuerySet[Journey]:
    """Return the person's journeys through a campaign that had begun by the moment asked about.

    Who was held out has not been in.
    """
    return Journey.objects.filter(
        profile_id=OuterRef(scope.profile_id), campaign__slug=slug, entered_at__lte=scope.inner().arrival
    ).exclude(ending=Ending.HELD_OUT)


def look(question: Question, scope: Scope) -> Look:
    """Show the person's newest journey through the campaign."""
    newest = (
        _journeys(question[0], scope)
        .order_by("-entered_at", "-pk")
        .values(newest=JSONObject(entered="entered_at", ended="ended_at", converted="converted_at"))
    )
    return Look({"newest": Subquery(newest[:1])}, _seen)


def _seen(found: Found) -> str:
    newest = found.values["newest"]
    if newest is None:
        return "never in it"
    moments = {name: datetime.fromisoformat(text) for name, text in newest.items() if text}
    told = [(verb, moments[verb]) for verb in ("entered", "converted", "ended") if verb in moments]
    return ", ".join(f"{verb} {seen.distance(at, found.now)}" for verb, at in told if at <= found.now)


def say(question: Question) -> str:
    """Return the question in words."""
    slug, state = question
    return f"{STATES[state]} the campaign {slug}"


FORM = Form(
    "Campaign",
    (
        Field("is", "what became of it", "choice", required=True, choices=tuple(STATES.items())),
        Field("journey", "the campaign", "name", required=True, names=names),
        Field("within", "in the last", "span"),
        Field("since", "since", "moment"),
    ),
)
KIND = Kind("journey", frozenset({"is", *WINDOW}), _read, news.NAMES, FORM)
