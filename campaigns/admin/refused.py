"""Who did not enter, and why: one line for each event that a campaign turned away."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from campaigns.admin import conditions, journeys, page, people, starts, words
from campaigns.models import Campaign, CampaignVersion, Decision, PutOff, Waiting
from campaigns.reasons import Entry
from events.admin_paging import before_key, page_before
from events.models import Event


@dataclass(frozen=True, slots=True)
class Refusal:
    """``rule`` is the rule of the version that turned the event away, in words; ``until`` how long it still waits.

    ``until_says`` leads to that time. ``cause`` is what the event told, where it is one of ours.
    """

    decision: Decision
    reason: str
    rule: str
    event_url: str
    profile_url: str
    until: datetime | None = None
    cause: str = ""

    @property
    def until_says(self) -> str:
        if self.decision.entry == Entry.QUIET:
            return "Waits for quiet until"
        return "Looked at again as soon as more is known, until"


def show(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """List refusals, newest first, narrowed to a person or a reason."""
    filters = journeys.Filters("", "", request.GET.get("person", "").strip())
    reason = request.GET.get("reason", "")
    found = page_before(_filtered(campaign, filters.person, reason), before_key(request), journeys.PAGE)
    context = {
        **page.head(request, campaign),
        "tabs": page.tabs(campaign, "journeys"),
        "refusals": refusals(found.rows),
        "person": filters.person,
        "reason": reason,
        "reasons": [(value, label) for value, label in Entry.choices() if value != Entry.ENTERED],
        "older_url": filters.query(reason=reason, before=found.older) if found.older else "",
        "is_first": "before" not in request.GET,
        "here": page.url("refused", campaign),
        "why_url": page.url("why", campaign),
        "journeys_url": page.url("journeys", campaign),
        "trigger": words.trigger(campaign.live_version.definition) if campaign.live_version else "",
    }
    return page.render(request, "admin/campaigns/refused.html", f"{campaign.name}: did not enter", context)


def _filtered(campaign: Campaign, person: str, reason: str) -> QuerySet[Decision]:
    found = Decision.objects.filter(campaign=campaign).exclude(entry=Entry.ENTERED).select_related("profile")
    if reason in set(Entry):
        found = found.filter(entry=reason)
    if person:
        found = found.filter(profile__in=[profile.pk for profile in people.find(person)])
    return found


def refusals(decisions: Collection[Decision]) -> list[Refusal]:
    """Put decisions into words. Two statements, one more for each way in which any event waits."""
    versions = CampaignVersion.objects.in_bulk({decision.version_id for decision in decisions})
    until = waiting_until(decisions)
    causes = _causes(decisions)
    return [
        Refusal(
            decision=decision,
            reason=label(decision),
            rule=rule(decision, versions[decision.version_id]),
            until=until.get((decision.event_id, decision.version_id)),
            cause=causes.get(decision.event_id, ""),
            event_url=reverse("admin:events_event_change", args=[decision.event_id]),
            profile_url=reverse("admin:events_profile_change", args=[decision.profile_id]),
        )
        for decision in decisions
    ]


def _causes(decisions: Collection[Decision]) -> dict[int, str]:
    """Return in words what events of our own told, by id. One statement."""
    events = Event.objects.filter(pk__in={decision.event_id for decision in decisions}, source=None)
    rows = events.values_list("pk", "name", "properties")
    return {pk: said for pk, name, properties in rows if (said := starts.because(name, properties))}


def label(decision: Decision) -> str:
    return Entry(decision.entry).label if decision.entry in set(Entry) else decision.entry


def waiting_until(decisions: Collection[Decision]) -> dict[tuple[int, int], datetime]:
    """Return until when events wait for traits or for quiet, by event and version. At most two statements."""
    rows: list[tuple[int, int, datetime]] = []
    if lacking := {decision.event_id for decision in decisions if decision.entry == Entry.WAITING}:
        rows += Waiting.objects.filter(event_id__in=lacking).values_list("event_id", "version", "until")
    if people := {decision.profile_id for decision in decisions if decision.entry == Entry.QUIET}:
        rows += PutOff.objects.filter(profile__in=people).values_list("event_id", "version", "look_at")
    return {(event_id, version_id): at for event_id, version_id, at in rows}


def rule(decision: Decision, version: CampaignVersion) -> str:
    """Quote the rule that turned the event away."""
    if decision.entry in (Entry.FILTERED, Entry.WAITING):
        where = (version.definition.get("trigger") or {}).get("where")
        return f"It enters only if {conditions.words(where)}" if where else ""
    if decision.entry in (Entry.QUIET, Entry.REPLACED):
        trigger = version.definition.get("trigger") or {}
        return f"It {words.quiet(trigger)}" if trigger.get("quiet_minutes") else ""
    if decision.entry == Entry.TOO_OLD:
        hours = words.limit(version.definition, "max_age_hours")
        return f"It takes events that are up to {words.span(hours * 3600)} old"
    if decision.entry in (Entry.NOT_AGAIN, Entry.TOO_SOON):
        return words.reentry(version.definition)
    return ""
