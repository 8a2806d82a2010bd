"""The tab that lets in who matches already, and shows how far that, or a timetable, has come, and stops it."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.utils import timezone

from campaigns import intakes
from campaigns.admin import conditions, entering, page, upcoming, words
from campaigns.admin.card_forms import NumberText, offer_segments
from campaigns.engine import definition as definitions
from campaigns.engine.starts import OnSchedule, OnSegment
from campaigns.models import Campaign, Intake
from campaigns.requests import Reason
from events.admin.condition_field import ConditionField
from events.audit import Actor

State = Intake.State
# An occurrence by each person's clock has some forty parts.
SHOWN, PARTS = 25, 1_000
TONES = {State.WAITING: "muted", State.RUNNING: "info", State.HELD: "warn", State.DONE: "ok", State.SKIPPED: "bad"}
ACTS: dict[str, tuple[Callable[[Intake], int], str]] = {
    "hold": (intakes.hold, "Held"),
    "go-on": (intakes.go_on, "Went on with"),
    "cancel": (intakes.cancel, "Cancelled"),
}


@dataclass(frozen=True, slots=True)
class Run:
    """An occurrence with all its parts: one for each instant at which it is that time somewhere."""

    pk: int
    title: str
    state: Intake.State
    due_at: datetime
    asked: int
    percent: int
    error: str
    note: str

    @property
    def label(self) -> str:
        return self.state.label

    @property
    def tone(self) -> str:
        return TONES.get(self.state, "muted")

    @property
    def is_under_way(self) -> bool:
        return self.state in intakes.UNDER_WAY

    @property
    def is_held(self) -> bool:
        return self.state is State.HELD


class MatchingForm(forms.Form):
    """Who of those who are there already is to be let in."""

    use_required_attribute = False
    segment = forms.ChoiceField(label="Who", required=False, help_text="The campaign’s own conditions hold as well.")
    condition = ConditionField(label="Only if", required=False)
    per_minute = forms.IntegerField(
        label="At most a minute",
        required=False,
        min_value=1,
        max_value=100_000,
        widget=NumberText,
        help_text="Empty: as fast as it goes. What your application reports never waits behind it.",
    )

    def __init__(self, data: Any, segment: str) -> None:
        super().__init__(data, initial={"segment": segment, "per_minute": 1_000})
        offer_segments(self, "Everybody")

    @property
    def wanted(self) -> intakes.Wanted:
        return intakes.Wanted(**self.cleaned_data)


def show(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    """Show the tab (GET); count who matches, and let them in (POST)."""
    may = request.user.has_perm(entering.MAY_ENTER) and request.user.has_perm("events.view_profile")
    is_live = campaign.status == Campaign.Status.LIVE
    form = MatchingForm(request.POST if request.method == "POST" else None, _own_segment(campaign))
    outlook: entering.Outlook | None = None
    is_valid = request.method == "POST" and form.is_valid()
    if is_valid and not (may and is_live):
        raise PermissionDenied
    if is_valid and request.POST.get("action") == "begin":
        return _begin(request, campaign, form.wanted)
    if is_valid:
        outlook = entering.outlook_of(campaign, intakes.matching(campaign, form.wanted, timezone.now()))
    live = campaign.live_version
    runs = _runs(campaign)
    context = {
        "runs": runs,
        "starts": words.trigger(live.definition) if live else "",
        "upcoming": upcoming.say(campaign, live.definition, timezone.now()) if live else "",
        "form": form if may and is_live else None,
        "is_counted": is_valid,
        "outlook": outlook,
        "key": uuid.uuid4().hex,
        "catch_up": int(intakes.CATCH_UP.total_seconds() // 3600),
    }
    return page.render_tab(request, campaign, "intakes", context, 400 if form.errors else 200)


def _own_segment(campaign: Campaign) -> str:
    """Return the segment that the campaign starts by, "" for none."""
    start = definitions.start_of(campaign.live_version.definition) if campaign.live_version else None
    if isinstance(start, OnSchedule) or (isinstance(start, OnSegment) and start.moved == "entered"):
        return start.segment
    return ""


def _begin(request: HttpRequest, campaign: Campaign, wanted: intakes.Wanted) -> HttpResponse:
    if intakes.begin(campaign, wanted, request.POST.get("key", "")[:40], Actor.of_user(request.user).name):
        page.log(request, campaign, f"Began to let in who matches already: {_said(wanted)}.")
        messages.success(request, "Begun. Below you see how far it is; it can be held and cancelled.")
    return HttpResponseRedirect(page.url("intakes", campaign))


def _said(wanted: intakes.Wanted) -> str:
    who = f"who is in the segment {wanted.segment}" if wanted.segment else "everybody"
    which = f", if {conditions.words(wanted.condition)}" if wanted.condition else ""
    return who + which + (f", at most {wanted.per_minute:,} a minute" if wanted.per_minute else "")


def act(request: HttpRequest, campaign: Campaign, intake_id: int, action: str) -> HttpResponse:
    """Hold an occurrence, go on with it or cancel it."""
    if action not in ACTS:
        raise Http404
    intake = get_object_or_404(Intake, pk=intake_id, campaign=campaign)
    do, said = ACTS[action]
    if do(intake):
        title = _title(intake)
        page.log(request, campaign, f"{said} letting people in: {title}.")
        messages.success(request, f"{said}: {title}.")
    return HttpResponseRedirect(page.url("intakes", campaign))


def _runs(campaign: Campaign) -> list[Run]:
    parts: dict[tuple[str, str], list[Intake]] = defaultdict(list)
    for intake in Intake.objects.filter(campaign=campaign).order_by("-due_at", "-pk")[:PARTS]:
        parts[intake.reason, intake.occurrence].append(intake)
    return [_run(each) for each in list(parts.values())[:SHOWN]]


def _run(parts: Sequence[Intake]) -> Run:
    first, errors = parts[-1], [part.error for part in parts if part.error]
    state = _state({State(part.state) for part in parts})
    skipped = sum(part.state == State.SKIPPED for part in parts)
    return Run(
        pk=first.pk,
        title=_title(first),
        state=state,
        due_at=first.due_at,
        asked=sum(part.asked for part in parts),
        percent=sum(map(intakes.percent, parts)) // len(parts),
        error=errors[0] if errors else "",
        note=f"Too late for {skipped} of {len(parts)} parts of the world" if 0 < skipped < len(parts) else "",
    )


def _state(states: set[Intake.State]) -> Intake.State:
    """Return what an occurrence whose parts are in these states is in."""
    if State.HELD in states:
        return State.HELD
    if states & set(intakes.UNDER_WAY):
        return State.WAITING if states == {State.WAITING} else State.RUNNING
    if State.CANCELLED in states:
        return State.CANCELLED
    return State.SKIPPED if states == {State.SKIPPED} else State.DONE


def _title(intake: Intake) -> str:
    if intake.reason == Reason.BACK_POPULATE:
        return "Who matched already"
    return f"{date.fromisoformat(intake.occurrence):%a %-d %b %Y}"
