"""Let people into a campaign by hand: what would come of it, and asking for it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from hashlib import sha256

from django.db.models import Case, CharField, Count, Exists, OuterRef, Q, QuerySet, Value, When

from campaigns import requests
from campaigns.engine.steps import Reentry
from campaigns.models import Campaign, Journey
from campaigns.reasons import Entry
from events.ingest import in_one_go
from events.models import Profile

MAX_PEOPLE = 1_000
# What an event that does not name the property says of it: no start by hand does.
NO_VALUE = "null"


def outlook(campaign: Campaign, reentry: Reentry, people: QuerySet[Profile], now: datetime) -> dict[Entry, int]:
    """Return how many of ``people`` would enter now by the rules of entry, and how many not and why. One statement."""
    rows = people.order_by().annotate(entry=_entry(campaign, reentry, now)).values("entry").annotate(number=Count("pk"))
    return {Entry(row["entry"]): row["number"] for row in rows}


def _entry(campaign: Campaign, reentry: Reentry, now: datetime) -> Case:
    """The rules in the order in which enrollment goes by them."""
    own = Journey.objects.filter(campaign=campaign, profile=OuterRef("pk"))
    digest = sha256(NO_VALUE.encode()).hexdigest()
    key = f"once:{digest}" if reentry.by else "once"
    in_the_way = own.exclude(state=Journey.State.ENDED)
    if reentry.parallel:
        in_the_way = in_the_way.filter(lane__in=["", digest if reentry.by else key])
    rules = [When(Exists(in_the_way), then=Value(Entry.ALREADY_IN.value))]
    if reentry.rule == "once":
        rules.append(When(Exists(own.filter(entry_key=key)), then=Value(Entry.NOT_AGAIN.value)))
    if reentry.rule == "period":
        since = own.filter(trigger_at__gt=now - timedelta(hours=reentry.hours))
        if reentry.by:
            since = since.filter(~Q(trigger__has_key=reentry.by) | Q(**{f"trigger__{reentry.by}": None}))
        rules.insert(0, When(Exists(since), then=Value(Entry.TOO_SOON.value)))
    return Case(*rules, default=Value(Entry.ENTERED.value), output_field=CharField())


def enter(campaign: Campaign, ids: Collection[int], by: str, key: str) -> int:
    """Ask for up to ``MAX_PEOPLE`` people to be let in; return for how many. The same ``key`` again asks for nobody."""
    return in_one_go(lambda: _enter(campaign, ids, by, key))


def _enter(campaign: Campaign, ids: Collection[int], by: str, key: str) -> int:
    there = Profile.objects.filter(pk__in=list(ids)[:MAX_PEOPLE]).order_by("pk").values_list("pk", flat=True)
    asked = [requests.Request(pk, key=f"hand:{key}:{pk}") for pk in there]
    return sum(requests.ask(campaign, asked, requests.Reason.HAND, by)) if asked else 0
