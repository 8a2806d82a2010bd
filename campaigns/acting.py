"""Do what steps are there for beside messages: set traits, track events. In the transaction that moves the journey.

Texts are filled in first; one that cannot be makes its step fail, with the reason, and the journey goes on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection

from campaigns import texts
from campaigns.engine.steps import Step, TrackEvent, UpdateProfile
from campaigns.models import Campaign, Journey
from events import log, traits
from events.identifying import Person
from events.models import Event, Profile
from events.raw_json import storable
from events.segments import asking

# What changes people, who have to be held.
ON_PEOPLE = (TrackEvent, UpdateProfile)
# Whoever merges or erases people holds them first and then their journeys, and so do those who look at events. We hold
# journeys already: to wait for people now would be a circle.
HOLD = "SELECT id FROM events_profile WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED"


@dataclass(frozen=True, slots=True)
class Act:
    """A step to be done for a visit of a journey."""

    journey: Journey
    visit: int
    step: Step

    @property
    def key(self) -> tuple[int, int]:
        return self.journey.pk, self.visit


def hold(profile_ids: Collection[int]) -> set[int]:
    """Hold people until the transaction ends and return those who could be had at once. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(HOLD, [sorted(profile_ids)])
        return {profile_id for (profile_id,) in cursor.fetchall()}


def act(acts: Sequence[Act], now: datetime) -> dict[tuple[int, int], str]:
    """Do all acts; return why some could not be done, by journey and visit. The caller holds the people.

    Five statements at most, and what a changed time zone needs.
    """
    if not acts:
        return {}
    people = Profile.objects.in_bulk({act.journey.profile_id for act in acts})
    campaigns = Campaign.objects.only("name", "slug").in_bulk({act.journey.campaign_id for act in acts})
    done: list[tuple[Act, dict[str, Any]]] = []
    failed: dict[tuple[int, int], str] = {}
    for one in acts:
        profile, campaign = people[one.journey.profile_id], campaigns[one.journey.campaign_id]
        try:
            done.append((one, texts.fill(_values(one.step), texts.all_variables(one.journey, campaign, profile))))
        except texts.CannotFill as error:
            failed[one.key] = str(error)
    _update([(one.journey.profile_id, values) for one, values in done if isinstance(one.step, UpdateProfile)])
    log.append([_entry(one, values, campaigns[one.journey.campaign_id], now) for one, values in done])
    return failed


def _values(step: Step) -> Mapping[str, Any]:
    match step:
        case UpdateProfile(traits=values) | TrackEvent(properties=values):
            return values
    raise TypeError(f"{type(step).__name__} does nothing to people")


def _entry(one: Act, values: Mapping[str, Any], campaign: Campaign, now: datetime) -> log.Entry:
    """Return the event that is tracked, or the call that tells of new traits as an application's would."""
    mark = {log.MADE_BY: campaign.slug, "journey_id": one.journey.pk, "step": one.step.id}
    match one.step:
        case TrackEvent(event=event):
            return log.Entry(one.journey.profile_id, event, values, now, mark)
    return log.Entry(one.journey.profile_id, "", values, now, mark, Event.Type.IDENTIFY)


def _update(updates: Sequence[tuple[int, Mapping[str, Any]]]) -> None:
    """Set traits; of several at once about one person the last counts, as of an application's calls."""
    news: dict[int, traits.News] = {}
    for profile_id, values in updates:
        about = news.setdefault(profile_id, traits.News())
        about.traits |= {name: msgspec.Raw(storable(msgspec.json.encode(value))) for name, value in values.items()}
    moved = traits.apply({Person(profile_id=profile_id): about for profile_id, about in news.items()})
    asking.zones_changed(moved)
