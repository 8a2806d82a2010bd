"""The card of who leaves early: its kinds of rules, their words, and edits of a draft. Pure; each edit works on a copy.

A rule has no id: it is known by its place in the draft's list, which holds while a page is shown, since a page whose
draft has changed meanwhile stores nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from campaigns.admin import conditions, words
from campaigns.admin.draft import Draft

Rule = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of rule: what its button says, what a new one holds, and how it is said.

    ``condition`` is where its condition is stored, and how it is asked for. Of some kinds one is enough.
    """

    label: str
    say: Callable[[Mapping[str, Any]], str]
    fresh: Mapping[str, Any]
    condition: tuple[str, str] | None = None
    once: bool = False
    hint: str = ""


def _event(rule: Mapping[str, Any]) -> str:
    return f"when {words.heard(rule)} comes" if rule.get("event") else "when an event comes that is not chosen yet"


def _condition(rule: Mapping[str, Any]) -> str:
    return (
        f"as soon as {conditions.words(rule['if'])}"
        if rule.get("if")
        else "when something is true that is not said yet"
    )


KINDS: dict[str, Kind] = {
    "event": Kind("An event comes", _event, {"event": "", "where": None}, ("where", "Only such events where")),
    "condition": Kind("Something becomes true", _condition, {"if": None}, ("if", "Ends the journey once this holds")),
    "unmatched": Kind(
        "They no longer meet the conditions to enter",
        lambda rule: "when they no longer meet the conditions to enter",
        {},
        once=True,
        hint="The conditions under “What starts it” are asked again, of the person as they are then.",
    ),
    "unsubscribe": Kind(
        "They unsubscribe",
        lambda rule: "when they unsubscribe",
        {},
        once=True,
        hint="From all marketing, or from every topic that the campaign’s mails are about.",
    ),
}


def rules(draft: Mapping[str, Any]) -> list[tuple[int, Rule]]:
    """Return the rules that are objects, themselves and not copies, each with its place."""
    found = draft.get("exits")
    return [(at, each) for at, each in enumerate(found) if isinstance(each, dict)] if isinstance(found, list) else []


def kind(rule: Mapping[str, Any]) -> Kind | None:
    return KINDS.get(str(rule.get("when")))


def key(place: int) -> str:
    """Return the prefix of the fields of a rule."""
    return f"exit-{place}"


def say(rule: Mapping[str, Any]) -> str:
    """Say when somebody leaves by a rule."""
    found = kind(rule)
    return found.say(rule) if found else "by a rule that this page cannot show; it is kept as it is"


def summary(draft: Mapping[str, Any]) -> str:
    """Say who leaves early."""
    said = "; ".join(say(rule) for _, rule in rules(draft))
    return f"A journey ends {said}" if said else "Nobody: everybody goes on to the end, or to the goal"


def addable(draft: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the kinds of rules that can be added, with the words of their buttons."""
    there = {str(rule.get("when")) for _, rule in rules(draft)}
    return [(name, each.label) for name, each in KINDS.items() if not each.once or name not in there]


def add(draft: Draft, when: str) -> tuple[Draft, str]:
    """Put a fresh rule of a kind behind the others; return its key as well, "" for a kind that cannot be added."""
    result = copy.deepcopy(draft)
    if when not in dict(addable(draft)):
        return result, ""
    if not isinstance(result.get("exits"), list):
        result["exits"] = []
    result["exits"].append({"when": when, **copy.deepcopy(dict(KINDS[when].fresh))})
    return result, key(len(result["exits"]) - 1)


def remove(draft: Draft, place: int) -> Draft:
    """Take a rule away."""
    result = copy.deepcopy(draft)
    if place in dict(rules(result)):
        del result["exits"][place]
    if not result.get("exits"):
        result.pop("exits", None)
    return result
