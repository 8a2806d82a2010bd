"""The four checks of a first set-up for one person: event, activity log, journey, message. Each says what to do next.

A bounded number of statements, however much history the person or the campaign has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.urls import reverse

from campaigns import listening
from campaigns.admin import journey as journey_page
from campaigns.admin import journeys, mail, page, refused, starts, words
from campaigns.models import Campaign, Decision, Journey, Visit
from campaigns.reasons import Entry
from events.models import Event, Pending, Profile
from messaging.reasons import Reason

DONE, WAITING, FAILED = "done", "waiting", "failed"
# An event this long unevaluated means that nobody works.
LATE = timedelta(seconds=30)
NEXT = {
    Reason.NO_ADDRESS: "Identify the person with an email trait, then send the event again.",
    Reason.BAD_ADDRESS: "Correct the email trait in your application, then send the event again.",
    Reason.TOPIC_LEFT: "Choose somebody who has not left the topic, or subscribe the person again on their page.",
    Reason.TOPIC_NOT_JOINED: "Choose somebody who has subscribed to the topic, or subscribe the person on their page.",
    Reason.UNSUBSCRIBED: "Choose somebody who has not unsubscribed, or take the person back under Unsubscribed.",
    Reason.SUPPRESSED: "Take the address off the list of suppressed addresses if it is a good one.",
    Reason.TEMPLATE_ERROR: "Mend the template, publish again, then send the event again.",
    Reason.NO_PROVIDER: "Under Providers, make one the default.",
    Reason.PROVIDER_DISABLED: "Switch the provider on under Providers.",
    Reason.PROVIDER_REFUSED: "See what the provider said, and check its settings under Providers.",
    Reason.PROVIDER_UNREACHABLE: "Check the connection under Providers.",
    Reason.SENDS_NOTHING: "Let the step send by itself, publish again, then send the event again.",
}


@dataclass(frozen=True, slots=True)
class Link:
    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the checklist. ``state`` is done, waiting or failed; ``advice`` says what to do next."""

    title: str
    state: str
    text: str
    advice: str = ""
    when: datetime | None = None
    links: Sequence[Link] = ()
    parts: Sequence[Check] = ()
    skip_url: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """What is asked about: one person before one campaign, at ``now``."""

    campaign: Campaign
    profile: Profile
    now: datetime

    @property
    def definition(self) -> Mapping[str, Any]:
        live = self.campaign.live_version
        definition: Mapping[str, Any] = live.definition if live else self.campaign.draft
        return definition

    @property
    def part(self) -> Mapping[str, Any]:
        """Return the part of the definition that says what starts it."""
        found = self.definition.get("trigger")
        return found if isinstance(found, Mapping) else {}

    @property
    def trigger(self) -> str:
        """Return the name of the events that start it."""
        return starts.event(self.definition) or listening.REQUESTED


def checks(case: Case) -> list[Check]:
    """Return the four checks in order."""
    event = _latest(case)
    entry, journey = _entry(case, event)
    return [_received(case, event), _logged(case, event), entry, _messages(case, journey)]


def _latest(case: Case) -> Event | None:
    if starts.is_open(case.part):
        return None
    events = listening.could_start(case.definition, case.campaign.slug).filter(profile=case.profile)
    return events.select_related("source").order_by("-timestamp", "-id").first()


# --- 1 The event ---


def _received(case: Case, event: Event | None) -> Check:
    title = "The event has arrived"
    if starts.is_open(case.part):
        link = Link("Choose what starts it", f"{page.url('workflow', case.campaign)}?open=trigger#trigger")
        return Check(title, FAILED, "This campaign has no trigger yet.", links=[link])
    if event is None:
        return _missing(case, title)
    source = event.source.name if event.source else "Cuebird itself"
    return Check(
        title,
        DONE,
        f"“{event.name}” came in from {source}.",
        when=event.received_at,
        links=[Link("See what was sent", reverse("admin:events_event_change", args=[event.pk]))],
    )


def _missing(case: Case, title: str) -> Check:
    last = Event.objects.filter(profile=case.profile).order_by("-timestamp", "-id").first()
    if starts.event(case.definition) != case.part.get("event"):
        waits = f"Waits until this happens to {case.profile}: {starts.say(case.part)}."
        return Check(title, WAITING, f"No “{case.trigger}” about {case.profile} yet.", waits)
    advice = f"Do in your application what sends “{case.trigger}”, signed in as {case.profile}."
    if last is None:
        return Check(title, WAITING, f"Nothing has come in from {case.profile} yet.", advice)
    heard = last.name or last.type
    return Check(
        title,
        WAITING,
        f"No “{case.trigger}” from {case.profile} yet. The last that came in was “{heard}”.",
        f"{advice} The name must be exactly the same, capitals included.",
        when=last.received_at,
        links=[Link("See what came in", reverse("admin:events_event_change", args=[last.pk]))],
    )


# --- 2 The activity log ---


def _logged(case: Case, event: Event | None) -> Check:
    title = "It is in the person’s activity log"
    links = [Link("Open the profile", reverse("admin:events_profile_change", args=[case.profile.pk]))]
    if not case.profile.email:
        lack = "The profile has no email address: nothing can be sent to this person."
        return Check(title, FAILED, lack, NEXT[Reason.NO_ADDRESS], links=links)
    if event is None:
        return Check(title, WAITING, "Follows at once when the event has arrived.", links=links)
    return Check(title, DONE, f"{case.profile} <{case.profile.email}>", when=event.timestamp, links=links)


# --- 3 The journey ---


def _entry(case: Case, event: Event | None) -> tuple[Check, Journey | None]:
    title = "The journey has begun"
    if event is None:
        return Check(title, WAITING, "Follows when the event has arrived."), None
    found = Decision.objects.filter(profile=case.profile, campaign=case.campaign, event_id=event.pk)
    decision = found.select_related("version", "journey__profile").order_by("-pk").first()
    if decision is None:
        return _undecided(case, event, title), None
    if decision.journey:
        return _entered(case, decision.journey, title), decision.journey
    if decision.entry == Entry.ALREADY_IN:
        present = Journey.objects.filter(profile=case.profile, campaign=case.campaign).select_related("profile")
        journey = present.order_by("-pk").first()
        if journey:
            note = "An earlier event brought the person in; this one changed nothing."
            return _entered(case, journey, title, note), journey
    return _turned_away(decision, title), None


def _entered(case: Case, journey: Journey, title: str, note: str = "") -> Check:
    definition = journeys.definitions({journey.version_id})[journey.version_id]
    row = journeys.row(journey, definition, case.now)
    stuck = journey.state == Journey.State.STUCK
    return Check(
        title,
        FAILED if stuck else DONE,
        row.standing.text,
        "Open the journey to see the error and to try again." if stuck else note,
        when=journey.entered_at,
        links=[Link("Open the journey", row.url)],
        skip_url=journey_page.actions(row).get("skip", ""),
    )


def _turned_away(decision: Decision, title: str) -> Check:
    entry = Entry(decision.entry)
    rule = refused.rule(decision, decision.version)
    text = f"{entry.label}. {rule}".strip() if rule else f"{entry.label}."
    state = WAITING if entry is Entry.WAITING else FAILED
    return Check(title, state, text, entry.advice, when=decision.created_at)


def _undecided(case: Case, event: Event, title: str) -> Check:
    pending = Pending.objects.filter(pk=event.pk).first()
    if pending and pending.parked_at:
        advice = "Mend the cause, then let it try again under Parked events."
        return Check(title, FAILED, f"The event could not be evaluated: {pending.error}", advice)
    if pending and case.now - event.received_at > LATE:
        return Check(title, FAILED, "The event still waits to be evaluated.", "Look whether worker and beat run.")
    if pending:
        return Check(title, WAITING, "The event is being evaluated.")
    return _not_live(case, title)


def _not_live(case: Case, title: str) -> Check:
    again = "then send the event once more."
    match case.campaign.status:
        case Campaign.Status.LIVE:
            return Check(
                title,
                FAILED,
                "The event came in while this campaign was not live.",
                "It is live now: send the event once more.",
            )
        case Campaign.Status.PAUSED:
            return Check(title, FAILED, "The campaign is paused.", f"Resume it, {again}")
    links = [Link("Publish …", page.url("publish", case.campaign))]
    return Check(title, FAILED, "The campaign is not published: nobody can enter.", f"Publish it, {again}", links=links)


# --- 4 The messages ---


def _messages(case: Case, journey: Journey | None) -> Check:
    title = "The message was sent and has arrived"
    if journey is None:
        return Check(title, WAITING, "Follows when the journey has begun.")
    definition = journeys.definitions({journey.version_id})[journey.version_id]
    sends = [step for step in definition.steps.values() if step.get("kind") == "send"]
    if not sends:
        return Check(title, FAILED, "This campaign sends nothing: its workflow has no mail.")
    visits = _visits(journey)
    reports = mail.last_reports([visit.message for visit in visits.values() if visit.message])
    parts = [_sent(step, visits.get(str(step["id"])), journey, reports) for step in sends]
    states = {part.state for part in parts}
    state = FAILED if FAILED in states else WAITING if WAITING in states else DONE
    arrived = sum(part.state == DONE and part.when is not None for part in parts)
    return Check(title, state, f"{arrived} of {len(parts)} arrived.", parts=parts)


def _visits(journey: Journey) -> dict[str, Visit]:
    """Return the last visit to each step."""
    visits = journey.visits.select_related("message").order_by("number")
    return {visit.step_id: visit for visit in visits}


def _sent(step: Mapping[str, Any], visit: Visit | None, journey: Journey, reports: Mapping[int, Any]) -> Check:
    name = words.name(step)
    if visit is None or visit.message is None:
        if journey.state == Journey.State.ENDED:
            return Check(name, DONE, "Not on this person’s way: the journey ended without it.")
        return Check(name, WAITING, "The journey has not come to this step yet.")
    sent = mail.of(visit.message, reports.get(visit.message.pk))
    links = [Link("Open the message", sent.url)]
    when = visit.message.sent_at or visit.message.updated_at
    text = f"{sent.label}: {sent.why}" if sent.why else f"{sent.label}."
    if sent.status in mail.ARRIVED:
        return Check(name, DONE, text, when=when, links=links)
    if sent.status in mail.UNDER_WAY:
        return Check(name, WAITING, text, _patience(sent), when=when, links=links)
    advice = NEXT.get(Reason(visit.message.reason), "") if visit.message.reason in set(Reason) else ""
    return Check(
        name, FAILED, text, advice or "Open the message to see what the provider said.", when=when, links=links
    )


def _patience(sent: mail.Mail) -> str:
    if sent.status == "draft":
        return "Open the message to look at it, and approve it there."
    if sent.status == "sent":
        return "The provider has it. Its report follows if its webhook points here: see Providers."
    return ""
