"""Do what steps are there for beside messages, such as setting traits, in the transaction that moves the journey.

Texts are filled in first; one that cannot be makes its step fail, with the reason, and the journey goes on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from campaigns import listening, requests, texts
from campaigns.engine.steps import StartCampaign, Step, Subscribe, TrackEvent, UpdateProfile
from campaigns.models import Campaign, Journey
from events import log, people, traits
from events.identifying import Person
from events.models import Event, Profile
from events.raw_json import storable
from events.segments import asking
from messaging import subscriptions
from messaging.models import Subscription, Topic
from messaging.subscriptions import Said

# Campaigns that start each other go no further than this: the longest chain that anybody means is far shorter.
MOST_IN_A_CHAIN = 10
# What changes people, who have to be held.
ON_PEOPLE = (StartCampaign, Subscribe, TrackEvent, UpdateProfile)


@dataclass(frozen=True, slots=True)
class Act:
    """A step to be done for a visit of a journey."""

    journey: Journey
    visit: int
    step: Step
    answers: Mapping[str, Any]

    @property
    def key(self) -> tuple[int, int]:
        return self.journey.pk, self.visit


def hold(profile_ids: Collection[int]) -> set[int]:
    """Hold people until the transaction ends and return those who could be had at once. One statement.

    Whoever merges or erases people holds them first and then their journeys, and so do those who look at events. We
    hold journeys already: to wait for people now would be a circle.
    """
    return set(people.hold(profile_ids, waiting=False))


def act(acts: Sequence[Act], now: datetime) -> dict[tuple[int, int], str]:
    """Do all acts; return why some could not be done, by journey and visit. The caller holds the people.

    The number of statements depends on which kinds there are among them.
    """
    if not acts:
        return {}
    profiles = Profile.objects.in_bulk({act.journey.profile_id for act in acts})
    campaigns = Campaign.objects.only("name", "slug").in_bulk({act.journey.campaign_id for act in acts})
    known = _Known.of(acts)
    done: list[Done] = []
    failed: dict[tuple[int, int], str] = {}
    for one in acts:
        profile, campaign = profiles[one.journey.profile_id], campaigns[one.journey.campaign_id]
        try:
            known.check(one.step)
            _check_chain(one)
            values = texts.fill(_values(one.step), texts.all_variables(one.journey, campaign, profile, one.answers))
        except ValueError as error:
            failed[one.key] = str(error)
        else:
            done.append(Done(one, campaign.slug, values))
    _update([one for one in done if isinstance(one.act.step, UpdateProfile)])
    log.append([_entry(one, now) for one in done if not isinstance(one.act.step, Subscribe)])
    subscriptions.note(_said(one, known) for one in done if isinstance(one.act.step, Subscribe))
    return failed


@dataclass(frozen=True, slots=True)
class Done:
    """An act whose texts are filled in."""

    act: Act
    campaign: str
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Known:
    """The topics there are, and the campaigns that take people in, as far as acts name them."""

    topics: Mapping[str, int]
    live: Collection[str]

    @classmethod
    def of(cls, acts: Sequence[Act]) -> _Known:
        """Look for what is named: one statement for topics, one for campaigns, none for acts that name none."""
        topics = {one.step.topic for one in acts if isinstance(one.step, Subscribe)}
        named = {one.step.campaign for one in acts if isinstance(one.step, StartCampaign)}
        live = Campaign.objects.filter(slug__in=named, status=Campaign.Status.LIVE).values_list("slug", flat=True)
        return cls(
            dict(Topic.objects.filter(slug__in=topics).values_list("slug", "pk")) if topics else {},
            set(live) if named else (),
        )

    def check(self, step: Step) -> None:
        """Raise ValueError for a topic that does not exist, and for a campaign that takes nobody in."""
        match step:
            case Subscribe(topic=topic) if topic not in self.topics:
                raise ValueError(f"There is no topic {topic}")
            case StartCampaign(campaign=campaign) if campaign not in self.live:
                raise ValueError(f"The campaign {campaign} is not live")


def _depth(journey: Journey) -> int:
    """Return how many campaigns have started each other before this one; what asked for the journey says so."""
    depth = journey.trigger.get("depth") if journey.trigger_name == listening.REQUESTED else None
    return depth if isinstance(depth, int) and depth > 0 else 0


def _check_chain(act: Act) -> None:
    """Raise ValueError at the end of a chain of campaigns that start each other."""
    if isinstance(act.step, StartCampaign) and _depth(act.journey) >= MOST_IN_A_CHAIN:
        raise ValueError(
            f"{MOST_IN_A_CHAIN} campaigns have started each other up to here: no further one is started, as they may "
            "go in a circle"
        )


def _values(step: Step) -> Mapping[str, Any]:
    match step:
        case UpdateProfile(traits=values) | TrackEvent(properties=values) | StartCampaign(properties=values):
            return values
    return {}


def _entry(done: Done, now: datetime) -> log.Entry:
    """Return the event that is tracked or asks for a start, or the call that tells of traits as an application does."""
    profile_id = done.act.journey.profile_id
    mark = {log.MADE_BY: done.campaign, "journey_id": done.act.journey.pk, "step": done.act.step.id}
    match done.act.step:
        case TrackEvent(event=event):
            return log.Entry(profile_id, event, done.values, now, mark)
        case StartCampaign(campaign=campaign):
            asked = {**done.values, "campaign": campaign, "reason": requests.Reason.STEP.value}
            depth = _depth(done.act.journey) + 1
            return log.Entry(profile_id, listening.REQUESTED, {**asked, "depth": depth}, now, mark)
    return log.Entry(profile_id, "", done.values, now, mark, Event.Type.IDENTIFY)


def _said(done: Done, known: _Known) -> Said:
    step = done.act.step
    assert isinstance(step, Subscribe)
    state = Subscription.State.SUBSCRIBED if step.subscribed else Subscription.State.UNSUBSCRIBED
    basis = f"The step “{step.name}” of the campaign {done.campaign}"
    return Said(
        done.act.journey.profile_id,
        known.topics[step.topic],
        state.value,
        Subscription.Source.CAMPAIGN.value,
        basis=basis,
    )


def _update(updates: Sequence[Done]) -> None:
    """Set traits; of several at once about one person the last counts, as of an application's calls."""
    news: dict[int, traits.News] = {}
    for done in updates:
        about = news.setdefault(done.act.journey.profile_id, traits.News())
        about.traits |= {name: msgspec.Raw(storable(msgspec.json.encode(value))) for name, value in done.values.items()}
    moved = traits.apply({Person(profile_id=profile_id): about for profile_id, about in news.items()})
    asking.zones_changed(moved)
