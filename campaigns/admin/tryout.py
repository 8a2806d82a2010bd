"""The tab that tries a campaign out: for whom, what happens to them when; then each step, decision and mail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from campaigns import simulate
from campaigns.admin import compare, page, people, publication
from campaigns.admin import draft as drafts
from campaigns.models import Campaign
from campaigns.publishing import NotPublishable
from campaigns.reasons import Entry
from campaigns.simulate import Happens, Mail, Run, Simulated, SimulationError
from events import catalog
from events.models import Profile
from messaging.admin.frames import document

SUGGESTED = 200
MOST = 20
DRAFT, LIVE = "draft", "live"
SOMEBODY = {"email": "ada@example.com", "first_name": "Ada"}
DOES, CHANGES = "does", "changes"


class ObjectField(forms.JSONField):
    """A JSON object; nothing is an empty one."""

    default_error_messages = {"invalid": 'Write a JSON object, such as {"plan": "pro"}.'}

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, widget=forms.Textarea({"rows": 2, "spellcheck": "false"}), **options)

    def prepare_value(self, value: Any) -> Any:
        return super().prepare_value(value) if value else ""

    def clean(self, value: Any) -> dict[str, Any]:
        found = super().clean(value)
        if found is not None and not isinstance(found, dict):
            raise forms.ValidationError(self.error_messages["invalid"])
        return found or {}


class RunForm(forms.Form):
    """Who it is, which workflow, and how long."""

    use_required_attribute = False
    person = forms.CharField(
        label="Who (user id or email address)", required=False, help_text="Empty: somebody new, with the traits below."
    )
    traits = ObjectField(label="Traits of somebody new", initial=SOMEBODY)
    workflow = forms.ChoiceField(label="What", choices=[(DRAFT, "The draft"), (LIVE, "The live version")])
    start = forms.DateTimeField(
        label="Begins (UTC)", widget=forms.DateTimeInput({"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
    )
    days = forms.IntegerField(label="Goes on for (days)", min_value=1, max_value=400, initial=14)

    def clean_person(self) -> Profile | None:
        wanted = self.cleaned_data["person"].strip()
        found = people.find(wanted) if wanted else []
        if wanted and not found:
            raise forms.ValidationError("Nobody is known by this. Leave it empty to try somebody new.")
        if len(found) > 1:
            raise forms.ValidationError("Several people have this address: write the user id.")
        return found[0] if found else None


class HappensForm(forms.Form):
    """One thing that happens to the person."""

    use_required_attribute = False
    kind = forms.ChoiceField(label="The person", choices=[(DOES, "does something"), (CHANGES, "has other traits")])
    name = forms.CharField(
        label="Event", required=False, widget=forms.TextInput({"list": "events-seen", "autocomplete": "off"})
    )
    said = ObjectField(label="Properties, or the traits")
    days = forms.IntegerField(label="After days", required=False, min_value=0, max_value=400)
    hours = forms.IntegerField(label="and hours", required=False, min_value=0, max_value=23)
    minutes = forms.IntegerField(label="and minutes", required=False, min_value=0, max_value=59)

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = super().clean() or self.cleaned_data
        if found.get("kind") == DOES and found.get("said") and not found.get("name", "").strip():
            self.add_error("name", "Choose the event.")
        return found

    @property
    def says_something(self) -> bool:
        found = self.cleaned_data
        return bool(found["name"].strip() if found["kind"] == DOES else found["said"])

    @property
    def happens(self) -> Happens:
        found = self.cleaned_data
        after = timedelta(days=found["days"] or 0, hours=found["hours"] or 0, minutes=found["minutes"] or 0)
        if found["kind"] == CHANGES:
            return Happens(traits=found["said"], after=after)
        return Happens(found["name"].strip(), found["said"], after)


HappeningForms = forms.formset_factory(HappensForm, extra=2, max_num=MOST, absolute_max=MOST)


@dataclass(frozen=True, slots=True)
class Moment:
    """A line of the result. ``mail`` has its text, ready for a sandboxed frame, where there is one."""

    at: datetime
    tone: str
    text: str
    detail: str = ""
    mail: Mail | None = None
    frame: str = ""


def show(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Show the form (GET); run, and show what would come of it (POST). Nothing real is touched."""
    form, happenings = _forms(request, campaign)
    result: Simulated | None = None
    problem, obstacles = "", []
    is_sent = request.method == "POST"
    if is_sent and form.is_valid() and happenings.is_valid():
        try:
            result = simulate.simulate(_run(campaign, form, happenings))
        except SimulationError as error:
            problem = str(error)
        except NotPublishable as refusal:
            obstacles = publication.obstacles(campaign, refusal.problems)
    context = {
        "form": form,
        "happenings": happenings,
        "result": result,
        "moments": list(_moments(campaign, form.cleaned_data["workflow"], result)) if result else [],
        "problem": problem,
        "obstacles": obstacles,
        "events_seen": catalog.events_to_choose(SUGGESTED),
    }
    if result is not None:
        told = [each.cleaned_data for each in happenings if each.says_something]
        context["happenings"] = HappeningForms(initial=told, prefix="happens")
    failed = is_sent and result is None
    return page.render_tab(request, campaign, "tryout", context, 400 if failed else 200)


def _forms(request: HttpRequest, campaign: Campaign) -> tuple[RunForm, Any]:
    if request.method == "POST":
        return RunForm(request.POST), HappeningForms(request.POST, prefix="happens")
    event = drafts.opened(campaign.draft)["trigger"].get("event") or ""
    start = timezone.now().astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    initial = {"start": start, "person": request.GET.get("person", "")}
    return RunForm(initial=initial), HappeningForms(initial=[{"name": event}] if event else [], prefix="happens")


def _run(campaign: Campaign, form: RunForm, happenings: Any) -> Run:
    found = form.cleaned_data
    chosen = [each.happens for each in happenings if each.says_something]
    return Run(
        campaign,
        found["person"] or found["traits"],
        chosen,
        found["start"],
        timedelta(days=found["days"]),
        live=found["workflow"] == LIVE,
    )


def _moments(campaign: Campaign, workflow: str, result: Simulated) -> Iterator[Moment]:
    """Yield what came of it in the order of time."""
    live = campaign.live_version
    definition = live.definition if workflow == LIVE and live else campaign.draft
    yield from sorted(_all(result, compare.step_names(definition)), key=lambda moment: moment.at)


def _all(result: Simulated, names: Mapping[str, str]) -> Iterator[Moment]:
    for decided in result.entries:
        tone = "ok" if decided.entry is Entry.ENTERED else "warn"
        yield Moment(decided.at, tone, f"“{decided.event}”: {decided.entry.label}")
    for journey in result.journeys:
        for visit in journey.visits:
            name = names.get(visit.step, visit.step)
            yield Moment(visit.entered_at, "muted", f"Comes to “{name}”")
            if visit.left_at and visit.outcome:
                yield Moment(visit.left_at, "info", f"“{name}”: {visit.outcome.label}", visit.detail)
        if journey.ended_at and journey.ending:
            yield Moment(journey.ended_at, "ok", f"The journey is over: {journey.ending.label}")
        if journey.error:
            yield Moment(result.until, "bad", "The journey is stuck", journey.error)
    for mail in result.mails:
        tone = "bad" if mail.reason else "ok"
        text = f"“{names.get(mail.step, mail.step)}”: {mail.label}"
        yield Moment(mail.at, tone, text, mail=mail, frame=document(mail.html) if mail.html else "")
