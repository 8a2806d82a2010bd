"""Why did somebody get a campaign, or why not: everything that was decided about a person, in plain words.

Nothing is decided here. What was recorded is read back; what is asked about now is asked of the rules themselves: the
condition compiler, the rules of entry, the policy of sending. A bounded number of statements, however long the history.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from campaigns import admission, entering, listening, places, workflows
from campaigns.admin import conditions, journeys, refused, starts, words
from campaigns.models import Campaign, CampaignVersion, Decision, Journey, LivePeriod, Visit
from campaigns.reasons import Entry, Outcome
from events import patience
from events.audience import explaining
from events.conditions import ConditionError
from events.models import Event, Pending, Profile
from messaging import composing, limits
from messaging.admin.whereabouts import describe
from messaging.models import SendingLimits, TemplateVersion
from messaging.states import Status

OK, WARN, BAD, INFO, MUTED = "ok", "warn", "bad", "info", "muted"
# So many of the last events, journeys, visits and spans of being live are told.
EVENTS, JOURNEYS, VISITS, PERIODS = 10, 5, 200, 5
SECONDS = 3
GOT = frozenset((Status.SENT, Status.DELIVERED, Status.OPENED, Status.CLICKED, Status.UNSUBSCRIBED, Status.COMPLAINED))


@dataclass(frozen=True, slots=True)
class About:
    """A row that a line is about: ``kind`` is event, journey, message, profile or campaign."""

    kind: str
    id: int


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was found. ``parts`` are those of a condition, with what was seen beside each."""

    tone: str
    text: str
    advice: str = ""
    at: datetime | None = None
    about: About | None = None
    parts: Sequence[explaining.Part] = ()


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True)
class Trace:
    """``answer`` is the whole in one sentence."""

    tone: str
    answer: str
    sections: Sequence[Section]


@dataclass(frozen=True, slots=True)
class _Case:
    campaign: Campaign
    profile: Profile
    now: datetime
    who: str

    @property
    def definition(self) -> dict[str, Any]:
        live = self.campaign.live_version
        found: dict[str, Any] = live.definition if live else self.campaign.draft
        return found


def trace(campaign: Campaign, profile: Profile, now: datetime, who: str = "") -> Trace:
    """Return all that is known of what a campaign meant to a person, the oldest cause first.

    ``who`` is what the answer calls them, where that is not what they are called in lists.
    """
    case = _Case(campaign, profile, now, who or str(profile))
    went = _journeys(case)
    happened, decided = _happened(case)
    sections = [
        Section("The campaign", _campaign(case)),
        Section("What could start it", happened),
        Section("If it happened now", _now(case)),
        *went,
    ]
    tone, answer = _answer(case, decided, went)
    return Trace(tone, answer, sections)


def _answer(case: _Case, decided: Line | None, went: Sequence[Section]) -> tuple[str, str]:
    """Say in one sentence what came of it, by the latest thing that decided."""
    who, lines = case.who, [line for section in went for line in section.lines]
    got = [line for line in lines if line.about and line.about.kind == "message" and line.tone in (OK, INFO)]
    if got:
        return OK, f"{who} got it: {got[0].text}"
    if lines:
        worst = next((line for line in lines if line.tone in (BAD, WARN)), lines[0])
        return worst.tone, f"{who} is or was in it. {worst.text}"
    if case.campaign.live_version is None:
        return BAD, f"{who} has got nothing: the campaign was never published."
    if decided is not None:
        return decided.tone, f"{who} has not entered: {decided.text}"
    return WARN, f"{who} has not entered: nothing that starts the campaign has happened to them."


# --- The campaign ---


def _campaign(case: _Case) -> list[Line]:
    campaign, about = case.campaign, About("campaign", case.campaign.pk)
    held = limits.banner(SendingLimits.current(), case.now)
    found = [Line(WARN, held, "Set it back to normal under Sending limits.")] if held else []
    if campaign.live_version is None:
        return [Line(BAD, "It was never published: nobody can enter.", "Publish it.", about=about), *found]
    found_periods = LivePeriod.objects.filter(campaign=campaign).select_related("version")
    periods = list(found_periods.order_by("-started_at")[:PERIODS])
    spans = [Line(MUTED, f"Version {each.version.number} took people in", at=each.started_at) for each in periods[1:]]
    if campaign.status == Campaign.Status.PAUSED:
        because = campaign.paused_because or "Nobody enters, and those under way keep their place."
        return [Line(BAD, f"It is paused. {because}", "Resume it.", about=about), *spans, *found]
    text = f"It is live, with version {campaign.live_version.number}: {words.trigger(case.definition)}"
    return [Line(OK, text, at=periods[0].started_at if periods else None, about=about), *spans, *found]


# --- What has happened ---


def _happened(case: _Case) -> tuple[list[Line], Line | None]:
    """Return a line for each of the last events that could start it, the newest first, and the one that decides."""
    events = _events(case)
    if not events:
        return [_nothing(case)], None
    ids = [event.pk for event in events]
    found = Decision.objects.filter(profile=case.profile, campaign=case.campaign, event_id__in=ids)
    decisions = {decision.event_id: decision for decision in found.select_related("version").order_by("pk")}
    pending = Pending.objects.in_bulk(ids)
    until = refused.waiting_until(list(decisions.values()))
    lines = []
    for event in events:
        decision = decisions.get(event.pk)
        if decision is None:
            lines.append(_undecided(case, event, pending.get(event.pk)))
        else:
            waits = until.get((decision.event_id, decision.version_id))
            lines.append(_decided(event, decision, waits, is_first=not lines))
    turned_away = next((line for line in lines if line.tone != OK), None)
    return lines, turned_away


def _events(case: _Case) -> list[Event]:
    events = listening.could_start(case.definition, case.campaign.slug).filter(profile=case.profile)
    return list(events.order_by("-timestamp", "-pk")[:EVENTS])


def _nothing(case: _Case) -> Line:
    last = Event.objects.filter(profile=case.profile).order_by("-timestamp", "-pk").first()
    waits = f"It waits for this: {words.trigger(case.definition)}. That has not happened to {case.who} yet."
    if last is None:
        return Line(
            BAD, waits, "Nothing at all has come in from this person: look whether your application reports it."
        )
    advice = f"The last that came in from them was “{last.name or last.type}”. A name must be exactly the same."
    return Line(BAD, waits, advice, last.timestamp, About("event", last.pk))


def _decided(event: Event, decision: Decision, until: datetime | None, *, is_first: bool) -> Line:
    entry, about = Entry(decision.entry), About("event", event.pk)
    cause = starts.because(event.name, event.properties) or f"“{event.name}”"
    rule = refused.rule(decision, decision.version)
    text = f"{cause}: {entry.label}" + (f". {rule}" if rule else "")
    if until:
        text += f". Until {until:%-d %B %Y, %H:%M} UTC"
    if entry is Entry.ENTERED:
        journey = About("journey", decision.journey_id) if decision.journey_id else about
        return Line(OK, text, at=event.timestamp, about=journey)
    parts = _parts(event, decision.version) if is_first and entry in (Entry.FILTERED, Entry.WAITING) else ()
    tone = INFO if entry in (Entry.WAITING, Entry.QUIET, Entry.REPLACED) else BAD
    return Line(tone, text, entry.advice, event.timestamp, about, parts)


def _parts(event: Event, version: CampaignVersion) -> Sequence[explaining.Part]:
    """Return what the trigger's condition found for an event, now that it is looked at again."""
    where = (version.definition.get("trigger") or {}).get("where")
    if not where:
        return ()
    try:
        with patience.at_most(SECONDS):
            found = explaining.of_event(where, event)
    except (ConditionError, patience.TooLong):
        return ()
    return found.parts if found else ()


def _undecided(case: _Case, event: Event, pending: Pending | None) -> Line:
    about = About("event", event.pk)
    if pending and pending.parked_at:
        text = f"“{event.name}” could not be evaluated: {pending.error}"
        return Line(BAD, text, "Mend the cause, then let it try again under Parked events.", event.timestamp, about)
    if pending:
        text = f"“{event.name}” is being evaluated"
        return Line(INFO, text, "If it stays so, look whether worker and beat run.", event.timestamp, about)
    text = f"“{event.name}” came in while the campaign was not live, or was kept from campaigns by its sender"
    return Line(BAD, text, "Send the event once more, now that you look.", event.timestamp, about)


# --- What would come of it now ---


def _now(case: _Case) -> list[Line]:
    version = case.campaign.live_version
    if version is None:
        return [Line(MUTED, "Publish the campaign first: then this tells what would come of an event.")]
    workflow = workflows.of_versions({version.pk})[version.pk]
    found = list(_admitted(case))
    people = Profile.objects.filter(pk=case.profile.pk)
    for entry in entering.outlook(case.campaign, workflow.reentry, people, case.now):
        if entry is Entry.ENTERED:
            found.append(Line(OK, f"The rules of entry would let them in: {words.reentry(version.definition)}"))
        else:
            found.append(Line(BAD, f"{entry.label}. {words.reentry(version.definition)}", entry.advice))
    return [*found, *_mails(case, version)]


def _admitted(case: _Case) -> Iterator[Line]:
    entry = admission.of_person(case.campaign.pk, case.profile.pk, is_test=case.profile.is_test)
    if entry is not Entry.ENTERED:
        yield Line(BAD, entry.label, entry.advice)


def _mails(case: _Case, version: CampaignVersion) -> Iterator[Line]:
    """Say of each mail whether the person would get it, as far as that is known before it is due."""
    frozen = {step["template_version"] for _, step in places.send_steps(version.definition)}
    versions = TemplateVersion.objects.select_related("template").in_bulk(frozen)
    refusals = composing.refusals(case.profile, list(versions.values())) if versions else {}
    for pk, template in sorted(versions.items()):
        reason = refusals.get(pk)
        if reason:
            yield Line(BAD, f"“{template.template.name}” would not be sent: {reason.label}", reason.advice)
        else:
            yield Line(OK, f"“{template.template.name}” could be sent to {case.profile.email}")
    if where := (version.definition.get("trigger") or {}).get("where"):
        yield Line(INFO, f"It enters only if {conditions.words(where)}")


# --- What has come of it ---


def _journeys(case: _Case) -> list[Section]:
    """Return a section for each of the last journeys, the newest first."""
    found = Journey.objects.filter(campaign=case.campaign, profile=case.profile).select_related("profile")
    latest = list(found.order_by("-pk")[:JOURNEYS])
    known = journeys.definitions({journey.version_id for journey in latest})
    visits: dict[int, list[Visit]] = {journey.pk: [] for journey in latest}
    rows = Visit.objects.filter(journey__in=latest).select_related("message__provider").order_by("-pk")[:VISITS]
    for visit in reversed(rows):
        visits[visit.journey_id].append(visit)
    limits_now = SendingLimits.current()
    return [
        Section(
            f"Journey of {journey.entered_at:%-d %B %Y, %H:%M} UTC, version {known[journey.version_id].number}",
            [
                _standing(journey, known[journey.version_id], case.now),
                *(
                    line
                    for visit in visits[journey.pk]
                    for line in _visit(visit, known[journey.version_id], case, limits_now)
                ),
            ],
        )
        for journey in latest
    ]


def _standing(journey: Journey, definition: journeys.Definition, now: datetime) -> Line:
    standing = journeys.row(journey, definition, now).standing
    return Line(standing.tone, standing.text, at=journey.entered_at, about=About("journey", journey.pk))


def _visit(visit: Visit, definition: journeys.Definition, case: _Case, sending: SendingLimits) -> Iterator[Line]:
    step = definition.steps.get(visit.step_id)
    name = words.name(step) if step else visit.step_id
    outcome = Outcome(visit.outcome).label if visit.outcome in set(Outcome) else "Is here now"
    tone = BAD if visit.outcome in (Outcome.FAILED, Outcome.CALL_FAILED) else MUTED if visit.left_at else INFO
    yield Line(tone, f"{name}: {outcome}" + (f". {visit.detail}" if visit.detail else ""), at=visit.entered_at)
    if visit.message:
        where = describe(visit.message, case.now, sending)
        tone = OK if visit.message.status in GOT and where.tone in (OK, INFO) else where.tone
        said = (
            f": {visit.message.detail}" if visit.message.detail and visit.message.detail not in where.headline else ""
        )
        about = About("message", visit.message.pk)
        yield Line(tone, f"{name}: {where.headline}{said}", where.explanation, where.moment, about)
