"""See who leaves a campaign early, by the rules of its version, and end those journeys at once.

Asked of the people whom new events are about, where an event may make a rule come true, and again by the runner before
a journey moves: what was stored a moment ago ends it even when its own evaluation still waits. What time alone makes
true is found at the latest when the journey next moves.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Case, Exists, IntegerField, QuerySet, Value, When

from campaigns import endings, news, workflows
from campaigns.endings import Ended
from campaigns.engine.steps import ExitRule, Heard, Send, Workflow
from campaigns.models import Journey
from campaigns.reasons import Ending
from events.audience import Scope, compile_condition
from events.audience.later import Earlier, Later, events_after
from events.conditions import parse, words
from events.log import ClaimedEvent
from events.models import Event
from events.segments import live
from messaging.models import TemplateVersion


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of a version, and the calls that may make one come true: (type, name), or a type whatever the name."""

    rules: tuple[ExitRule, ...]
    names: frozenset[tuple[str, str]]
    types: frozenset[str]

    def concern(self, type: str, name: str) -> bool:
        return (type, name) in self.names or type in self.types


UNDER_WAY = "SELECT version_id, profile_id FROM campaigns_journey WHERE state <> 'ended' AND profile_id = ANY(%s)"


def heed(events: Sequence[ClaimedEvent], now: datetime, changed: Collection[int]) -> None:
    """End the journeys that these events end, and those of whom computed traits ``changed``; the people are held.

    One statement to see which versions their journeys are of, one for each of those that has such rules.
    """
    people = {event.profile_id for event in events} | set(changed)
    versions: dict[int, set[int]] = defaultdict(set)
    with connection.cursor() as cursor:
        cursor.execute(UNDER_WAY, [list(people)])
        for version_id, profile_id in cursor.fetchall():
            versions[version_id].add(profile_id)
    found: dict[int, ExitRule] = {}
    for version_id, rules in sorted(of_versions(versions).items()):
        concerned = {event.profile_id for event in events if rules.concern(event.type, event.name)}
        if Event.Type.IDENTIFY in rules.types:
            concerned |= set(changed)
        concerned &= versions[version_id]
        if concerned:
            found |= _met(_under_way().filter(version_id=version_id, profile_id__in=concerned), rules.rules, now)
    leave(found, now)


def find(journeys: QuerySet[Journey], version_ids: Iterable[int], now: datetime) -> dict[int, ExitRule]:
    """Return the rule by which each of ``journeys`` ends, by id, of those that do. One statement for each version."""
    found: dict[int, ExitRule] = {}
    for version_id, rules in sorted(of_versions(version_ids).items()):
        found |= _met(journeys.filter(version_id=version_id).exclude(state=Journey.State.ENDED), rules.rules, now)
    return found


def leave(found: Mapping[int, ExitRule], now: datetime) -> set[int]:
    """End journeys, each by its rule; return the ids of those that were still under way.

    Locks them in id order; the caller holds their people. Six statements at most.
    """
    if not found:
        return set()
    locked = _under_way().filter(pk__in=found).order_by("pk").select_for_update()
    ended = [Ended(journey, found[journey.pk].ending, why(found[journey.pk])) for journey in locked]
    news.tell(endings.end(ended, now))
    return {one.journey.pk for one in ended}


def why(rule: ExitRule) -> str:
    """Say in plain words what ends a journey by this rule."""
    if rule.heard is not None:
        same = f" with the same {'.'.join(rule.heard.same)}" if rule.heard.same else ""
        return f"{rule.heard.event}{same} came"
    if rule.ending is Ending.CONDITION and rule.condition is not None:
        return words.say(rule.condition)
    return rule.ending.label


_read: dict[int, Rules] = {}


def of_versions(version_ids: Iterable[int]) -> dict[int, Rules]:
    """Return the rules by version id, of the versions that have any. No statement for versions seen before."""
    wanted = {pk: workflow for pk, workflow in workflows.of_versions(set(version_ids)).items() if workflow.exits}
    for version_id, workflow in wanted.items():
        if version_id not in _read:
            _read[version_id] = _rules(workflow)
    return {version_id: _read[version_id] for version_id in wanted}


def _rules(workflow: Workflow) -> Rules:
    rules = tuple(_asked(rule, workflow) for rule in workflow.exits)
    interests = [live.interest(rule.condition) for rule in rules if rule.condition is not None]
    heard = {(Event.Type.TRACK.value, rule.heard.event) for rule in rules if rule.heard is not None}
    return Rules(
        rules,
        frozenset(heard.union(*(interest.names for interest in interests))),
        frozenset[str]().union(*(interest.types for interest in interests)),
    )


def _asked(rule: ExitRule, workflow: Workflow) -> ExitRule:
    return replace(rule, condition=parse(gone(workflow))) if rule.ending is Ending.UNSUBSCRIBED else rule


def gone(workflow: Workflow) -> dict[str, Any]:
    """Return as a tree that somebody has left marketing altogether, or every topic that its mails are about."""
    sends = [step for step in workflow.by_id.values() if isinstance(step, Send)]
    sent = [step.template_version for step in sends if step.template_version is not None]
    topics = set(TemplateVersion.objects.filter(pk__in=sent).values_list("topic__slug", flat=True))
    everything: dict[str, Any] = {"subscribed": False}
    if not topics or None in topics:
        return everything
    left = [{"topic": slug, "is": "unsubscribed", "channel": "email"} for slug in sorted(topics)]
    return {"any": [everything, {"all": left}]}


def _under_way() -> QuerySet[Journey]:
    return Journey.objects.exclude(state=Journey.State.ENDED)


def met_by(rows: QuerySet[Any], workflow: Workflow, now: str) -> dict[int, ExitRule]:
    """Return the rule by which each of ``rows``, which hold what journeys do, ends; ``now`` is their field that says.

    Only conditions are asked, not whether an event came. One statement, none where the workflow has no such rules.
    """
    rules = [rule for rule in _rules(workflow).rules if rule.heard is None] if workflow.exits else []
    return _met(rows, rules, now) if rules else {}


def _met(journeys: QuerySet[Any], rules: Sequence[ExitRule], now: datetime | str) -> dict[int, ExitRule]:
    """Return the first rule that has come true, by journey. One statement."""
    scope = Scope(profile_id="profile_id", traits="profile__traits", properties="trigger", as_of=now)
    whens = [When(_holds(rule, scope), then=Value(number)) for number, rule in enumerate(rules)]
    rows = journeys.annotate(met=Case(*whens, default=None, output_field=IntegerField())).values_list("pk", "met")
    return {pk: rules[number] for pk, number in rows if number is not None}


def _holds(rule: ExitRule, scope: Scope) -> object:
    if rule.heard is not None:
        return Exists(events_after(later(rule.heard), Earlier()))
    assert rule.condition is not None
    return compile_condition(rule.condition, scope)


def later(heard: Heard) -> Later:
    return Later(heard.event, heard.where, heard.same)
