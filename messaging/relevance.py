"""Is a message still wanted now that it is about to be sent? Asked of the log and the person, for a claimed batch.

``Message.unless`` is a list of what makes it unwanted, each with ``why`` in plain words. Either an event that came
after the one that the message answers (``trigger_event_id``, ``trigger_at``):
``{"event": "Order Completed", "where": tree or null, "same": "order_id" or null, "hours": 168 or null, "why": "…"}``;
or a condition that holds of the person now, with the properties of that event at hand: ``{"if": tree, "why": "…"}``.
"""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.db.models import BooleanField, Case, Subquery, Value, When

from events.audience import Scope, compile_condition
from events.audience.history import HAPPENED
from events.audience.later import Earlier, Later, events_after
from events.conditions import ConditionError, Node, parse
from messaging.models import Message

logger = logging.getLogger(__name__)
EARLIER = Earlier(properties="variables__trigger")


@dataclass(frozen=True, slots=True)
class Unless:
    """One thing that makes a message unwanted."""

    what: Later | Node
    why: str


def unwanted(messages: Collection[Message], now: datetime) -> dict[int, str]:
    """Return why they are no longer wanted, by id, of those messages that are not.

    One statement for each different ``unless``, however many messages carry it.
    """
    alike: dict[str, list[int]] = defaultdict(list)
    for message in messages:
        if message.unless:
            alike[json.dumps(message.unless, sort_keys=True)].append(message.pk)
    found: dict[int, str] = {}
    for text, ids in sorted(alike.items()):
        found |= _ask(ids, _read(text), now)
    return found


@lru_cache(maxsize=512)
def _read(text: str) -> tuple[Unless, ...]:
    return tuple(unless for tree in json.loads(text) if (unless := _one(tree)))


def _one(tree: Mapping[str, Any]) -> Unless | None:
    """Read one entry; what can no longer be read, as its room has left, cancels nothing."""
    try:
        if "if" in tree:
            return Unless(parse(tree["if"]), tree["why"])
        where, same, hours = tree.get("where"), tree.get("same"), tree.get("hours")
        path = tuple(same.split(".")) if isinstance(same, str) else tuple(same) if same else None
        within = timedelta(hours=hours) if hours else None
        return Unless(Later(tree["event"], parse(where) if where else None, path, within), tree["why"])
    except ConditionError:
        logger.exception("a message's condition cannot be read")
        return None


def _ask(ids: Sequence[int], unless: Sequence[Unless], now: datetime) -> dict[int, str]:
    scope = Scope(profile_id="profile_id", traits="profile__traits", properties=EARLIER.properties, as_of=now)
    asked = {f"met_{number}": _expression(one.what, scope) for number, one in enumerate(unless)}
    if not asked:
        return {}
    rows = Message.objects.filter(pk__in=ids).annotate(**asked).values_list("pk", *asked)
    return {
        pk: next(_said(one, answer) for one, answer in zip(unless, answers, strict=True) if answer)
        for pk, *answers in rows
        if any(answers)
    }


def _expression(what: Later | Node, scope: Scope) -> Any:
    """Return whether a condition holds, or when such an event came first."""
    if isinstance(what, Later):
        first = events_after(what, EARLIER).annotate(happened=HAPPENED).order_by("happened").values("happened")
        return Subquery(first[:1])
    holds = When(compile_condition(what, scope), then=Value(True))
    return Case(holds, default=Value(False), output_field=BooleanField())


def _said(unless: Unless, answer: Any) -> str:
    if isinstance(unless.what, Later):
        return f"{unless.why}: {unless.what.event} came on {answer:%Y-%m-%d at %H:%M:%S} UTC"
    return unless.why
